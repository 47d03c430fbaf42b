"""The translator of one module: the loop from the change log in Kafka to the hub.

Enters: records of `<site>.<module>.changes`. Leaves: committed batches in the hub; Kafka's offset
is committed afterwards and is only a hint. Stops between batches when it is told to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from confluent_kafka import KafkaException, Message

from adapters.aggregate import Adapter
from adapters.change_steps import Step
from adapters.contract import Contract
from adapters.envelope import RowChange, read_epoch
from adapters.log_state import SnapshotState
from pipeline.errors import Fatal, Poison, Retriable, Unreachable
from pipeline.failpoints import pass_failpoint
from pipeline.hub.modules import ModuleMarks
from pipeline.translate.change_consumer import ChangeConsumer
from pipeline.translate.emission import emit_chunk
from pipeline.translate.event_maker import EventMaker, State
from pipeline.translate.hub_writer import HubWriter
from pipeline.translate.incremental import REASON as INCREMENTAL
from pipeline.translate.landing import BatchFacts, Landing
from pipeline.translate.log_format import LogFormat, postgresql_format
from pipeline.translate.module_hub import ModuleHub
from pipeline.translate.working_set import Roles

log = structlog.get_logger()

BATCH_RECORDS = 5_000
"""Records that one transaction of the hub holds at the most."""
BATCH_BYTES = 32 * 1024 * 1024
BACKOFF_S_MAX = 10.0
_ALTERED = (
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.DatatypeMismatch,
)
"""What a statement meets when another module's translator let a mirror table follow its own."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record of the change log that is no change event."""

    offset: int
    reason: str
    payload: bytes


class Translator:
    """Translates one module until `stop` is set; Fatal errors end it, Retriable ones are retried.

    `open_hub` and `open_log` are called anew after every failure; `is_look_due` says when to look
    at the legacy tables' definitions again, which no change may tell of. `log_format` is that of
    PostgreSQL's connector unless another one is given.
    """

    def __init__(
        self,
        *,
        site: str,
        module: str,
        adapters: Sequence[Adapter],
        contracts: Mapping[str, Contract],
        checks: Mapping[str, Callable[[State], object | None]],
        open_hub: Callable[[], ModuleHub],
        open_log: Callable[[int], ChangeConsumer],
        signal_table: str | None = None,
        is_look_due: Callable[[], bool] = lambda: False,
        log_format: LogFormat | None = None,
        partly_read: frozenset[str] = frozenset(),
    ) -> None:
        self._site = site
        self._module = module
        self._adapters = adapters
        self._contracts = contracts
        self._checks = checks
        self._open_hub = open_hub
        self._open_log = open_log
        self.signal_table = signal_table
        self.is_look_due = is_look_due
        self._partly_read = partly_read
        self.log_format = log_format or postgresql_format(module, signal_table)
        self._log = log.bind(module=module)

    def run(self, stop: threading.Event) -> None:
        """Translate until told to stop.

        Unreachable when hub, legacy database or broker are not there at first; later it waits.
        """
        backoff_s, opened = 0.1, False
        while not stop.is_set():
            try:
                with closing(self._open_hub()) as hub:
                    session = self._open_session(hub)
                    backoff_s, opened = 0.1, True
                    try:
                        while not stop.is_set():
                            session.work()
                    finally:
                        session.close()
            except (
                psycopg.OperationalError,
                *_ALTERED,
                KafkaException,
                Retriable,
                Unreachable,
            ) as error:
                if isinstance(error, Unreachable) and not opened:
                    raise
                self._log.warning("translate.retry", error=str(error).strip(), wait_s=backoff_s)
                stop.wait(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)

    def _open_session(self, hub: ModuleHub) -> _Session:
        marks = hub.take()
        mirror = hub.open_mirror()
        roles = Roles(self._module, self._adapters, mirror.codecs)
        maker = EventMaker(
            site=self._site,
            module=self._module,
            contracts=self._contracts,
            checks=self._checks,
            last_good=hub.load_last_good(),
        )
        landing = Landing(
            hub=hub,
            module=self._module,
            roles=roles,
            mirror=mirror,
            maker=maker,
            contracts=self._contracts,
            next_number=marks.next_number,
            partly_read=self._partly_read,
        )
        self._log.info(
            "translate.start",
            owner=marks.owner,
            offset=marks.source_offset,
            epoch=marks.log.epoch,
            lsn=marks.log.lsn,
            next_number=marks.next_number,
        )
        return _Session(self, landing, marks, self._open_log(marks.source_offset))

    @property
    def adapters(self) -> Sequence[Adapter]:
        """All adapters of the site: those of other modules may look this module's tables up."""
        return self._adapters


class _Session:
    """One ownership of the module: from taking it over to the first failure or the end."""

    def __init__(
        self,
        translator: Translator,
        landing: Landing,
        marks: ModuleMarks,
        consumer: ChangeConsumer,
    ) -> None:
        self._translator = translator
        self._landing = landing
        self._marks = marks
        self._consumer = consumer
        self._decode = translator.log_format.decode
        self._change_log = translator.log_format.open(marks.log, marks.source_offset)
        self._log = log.bind(module=landing.module)

    def work(self) -> None:
        """Translate what there is, or wait a little; then emit a chunk that was asked for."""
        if self._translator.is_look_due() and self._landing.hub.tables_changed():
            self._reload_codecs()
        emission = None
        if self._marks.log.snapshot is not SnapshotState.RUNNING:
            held = INCREMENTAL if self._reads_again() else None
            emission = self._landing.hub.next_emission(held)
        messages = self._consumer.consume(
            BATCH_RECORDS, BATCH_BYTES, wait_s=0.2 if emission is None else 0.0
        )
        if messages:
            self._translate(messages)
        if emission is not None and self._may_emit(emission.reason):
            started = time.perf_counter()
            self._landing.facts = BatchFacts()
            with self._landing.hub.transaction():
                self._marks = emit_chunk(self._landing, emission, self._marks)
                pass_failpoint("translate.before_commit")
            self._tell(started, records=0)

    def _may_emit(self, reason: str) -> bool:
        """Say whether a request with this reason does not have to wait for a snapshot's end."""
        if self._marks.log.snapshot is SnapshotState.RUNNING:
            return False
        return reason != INCREMENTAL or not self._reads_again()

    def _reads_again(self) -> bool:
        """Say whether an incremental snapshot runs; without a signal table nothing would end it."""
        return self._marks.log.incremental and self._translator.signal_table is not None

    def close(self) -> None:
        """Leave the group; what is not committed is translated again by the next owner."""
        self._consumer.close()

    def _translate(self, messages: list[Message]) -> None:
        started = time.perf_counter()
        steps, undecodable = self._assemble(messages)
        pass_failpoint("translate.before_landing")
        resume = self._change_log.resume_offset
        state = self._change_log.stored_state()
        try:
            self._write(steps, undecodable, state, resume)
        except (Poison, psycopg.DataError, *_ALTERED) as error:
            # an image does not fit its table: the legacy table may have been altered
            changed = self._landing.hub.tables_changed()
            self._log.warning("translate.drift", error=_explain(error), changed=changed)
            self._reload_codecs()
            # older images are decoded leniently in this batch only: a column that is added later
            # must be noticed again
            self._landing.lenient = True
            try:
                self._write(steps, undecodable, state, resume)
            except (Poison, psycopg.DataError, *_ALTERED) as misfit:
                raise Fatal(
                    f"module {self._landing.module}, offsets {messages[0].offset()} to "
                    f"{messages[-1].offset()}: {_explain(misfit)}: correct the "
                    "declaration or the adapters; nothing of these records was written"
                ) from misfit
            finally:
                self._landing.lenient = False
        pass_failpoint("translate.after_commit")
        if any(done.startswith("spilled") for done in self._landing.facts.done):
            pass_failpoint("translate.after_spill")
        self._consumer.commit(resume)
        self._tell(started, records=len(messages))

    def _write(
        self, steps: list[Step], undecodable: list[Undecodable], state: Any, resume: int
    ) -> None:
        landing = self._landing
        landing.facts = BatchFacts()
        landing.next_number = self._marks.next_number
        try:
            with landing.hub.transaction():
                for record in undecodable:
                    landing.hub.write_undecodable(record.offset, record.reason, record.payload)
                writer = HubWriter(landing, self._translator.adapters, self._marks)
                marks = writer.write(steps, state, resume)
                pass_failpoint("translate.before_commit")
        except Exception:
            landing.mirror.forget_stages()
            raise
        self._marks = marks

    def _reload_codecs(self) -> None:
        """Take the altered tables' codecs, and the letters as they were before the batch."""
        landing = self._landing
        landing.mirror = landing.hub.open_mirror()
        landing.roles = Roles(landing.module, self._translator.adapters, landing.mirror.codecs)
        landing.maker.last_good = landing.hub.load_last_good()

    def _assemble(self, messages: list[Message]) -> tuple[list[Step], list[Undecodable]]:
        """Decode records and assemble them into steps; what is no change event is set apart."""
        steps: list[Step] = []
        undecodable: list[Undecodable] = []
        for message in messages:
            offset, value = message.offset(), message.value()
            assert offset is not None  # noqa: S101 - delivered messages have one
            try:
                record = self._decode(value, message.key(), message.headers())
            except Poison as error:
                undecodable.append(Undecodable(offset, str(error), value or b""))
                self._log.error("translate.undecodable", offset=offset, error=str(error))
                self._change_log.skip(offset)
                continue
            epoch = None
            if not isinstance(record, RowChange):
                epoch = read_epoch(message.headers())
            steps += self._change_log.feed(record, offset, epoch)
        return steps, undecodable

    def _tell(self, started: float, records: int) -> None:
        facts = self._landing.facts
        if not (facts.transactions or facts.snapshot_rows or facts.events or facts.done):
            return
        self._log.info(
            "translate.batch",
            records=records,
            transactions=facts.transactions,
            rows=facts.rows + facts.snapshot_rows,
            events=facts.events,
            letters=facts.letters,
            lsn=self._marks.log.lsn,
            number=self._marks.next_number - 1,
            ms=round((time.perf_counter() - started) * 1000),
            **({"done": facts.done} if facts.done else {}),
        )


def _explain(error: Exception) -> str:
    """Say what failed without the values that a database adds."""
    return (error.diag.message_primary or "") if isinstance(error, psycopg.Error) else str(error)
