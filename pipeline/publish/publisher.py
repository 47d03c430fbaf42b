"""Relays one module's event store to its topic: read, send in one Kafka transaction, move the mark.

Enters: an outbox, a channel, schema ids. Leaves: every event in Kafka, in number order, at least
once and with the same id each time. After any failure it begins again at the mark.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from adapters.event import EventKind
from pipeline.errors import Fatal, Retriable, Unreachable
from pipeline.failpoints import pass_failpoint
from pipeline.publish.batch import StoredEvent, check_numbers, plan_records
from pipeline.publish.channel import Channel
from pipeline.publish.schema_ids import SchemaIds

log = structlog.get_logger()

BATCH_ROWS_MAX = 5_000
BATCH_BYTES_MAX = 8 * 1024 * 1024
IDLE_SECONDS_MIN = 0.005
IDLE_SECONDS_MAX = 0.04
BACKOFF_SECONDS_MIN = 0.2
BACKOFF_SECONDS_MAX = 5.0
OUTAGE_SECONDS_MAX = 900.0
"""How long failures may follow one another before it gives up and lets a supervisor decide."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one batch was: its numbers, records (a barrier gives several) and times."""

    first: int
    last: int
    records: int
    bytes: int
    read_ms: float
    send_ms: float
    mark_ms: float


class EventStore(Protocol):
    """What a publisher needs of the hub; see `pipeline.publish.outbox` for what each does."""

    def close(self) -> None:
        """Close the connection."""

    def read_mark(self) -> int:
        """Return the published-up-to mark."""

    def read_last_number(self) -> int:
        """Return the last number given out."""

    def read_after(
        self, mark: int, *, last: int, rows_max: int, bytes_max: int
    ) -> list[StoredEvent]:
        """Read events with mark < number <= last."""

    def read_schema(self, fingerprint: str) -> tuple[str, str]:
        """Return (registry subject, schema text)."""

    def move_mark(self, before: int, after: int) -> bool:
        """Move the mark; False when it was not at `before` any more."""


class Publisher:
    """Publishes one module; `outbox` and `channel` are opened by `run` and after each failure."""

    def __init__(
        self,
        module: str,
        *,
        open_outbox: Callable[[], EventStore],
        channel: Channel,
        schema_ids: SchemaIds,
        record_bytes_max: int,
    ) -> None:
        self.module = module
        self._open_outbox = open_outbox
        self._channel = channel
        self._schema_ids = schema_ids
        self._record_bytes_max = record_bytes_max
        self._outbox: EventStore | None = None
        self._mark = 0
        self._partitions = 0
        self._relayed_since_opened = False
        self._answered = False

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop`; Fatal and Configuration leave at once, outages after a bound."""
        failing_since: float | None = None
        backoff = BACKOFF_SECONDS_MIN
        try:
            while not stop.is_set():
                try:
                    self._run_until_failure(stop)
                except Retriable as error:
                    now = time.monotonic()
                    if self._answered or failing_since is None:
                        failing_since, backoff = now, BACKOFF_SECONDS_MIN
                    if now - failing_since > OUTAGE_SECONDS_MAX:
                        raise Unreachable(f"{error}; given up, start it again") from error
                    log.warning("publish.retry", module=self.module, reason=str(error))
                    self._let_go()
                    stop.wait(backoff)
                    backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
        finally:
            self.close()

    def close(self) -> None:
        """Close every connection; nothing is published any more."""
        self._let_go()
        self._schema_ids.close()

    def take_over(self) -> None:
        """Fence the publisher before this one, then read where the mark stands."""
        self._channel.open()
        self._partitions = self._channel.count_partitions()
        self._outbox = self._open_outbox()
        self._mark = self._outbox.read_mark()
        self._relayed_since_opened = False

    def relay_batch(self) -> Relayed | None:
        """Relay the next events, None when there are none."""
        started = time.perf_counter()
        events = self._read_events()
        if not events:
            return None
        read = time.perf_counter()
        pass_failpoint("publish.before_produce")
        records = plan_records(
            self.module,
            events,
            schema_ids=self._resolve_schemas(events),
            partitions=self._partitions,
            record_bytes_max=self._record_bytes_max,
        )
        self._channel.send(records, lambda: pass_failpoint("publish.before_commit"))
        pass_failpoint("publish.after_commit")
        sent = time.perf_counter()
        self._move_mark(events[-1].number)
        pass_failpoint("publish.after_mark")
        marked = time.perf_counter()
        return Relayed(
            first=events[0].number,
            last=events[-1].number,
            records=len(records),
            bytes=sum(len(record.value or b"") for record in records),
            read_ms=(read - started) * 1000,
            send_ms=(sent - read) * 1000,
            mark_ms=(marked - sent) * 1000,
        )

    def _let_go(self) -> None:
        """Let go of the hub and the broker; what was open in Kafka is aborted by `take_over`."""
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None
        self._channel.close()

    def _run_until_failure(self, stop: threading.Event) -> None:
        self._answered = False
        self.take_over()
        idle = IDLE_SECONDS_MIN
        while not stop.is_set():
            relayed = self.relay_batch()
            self._answered = True
            if relayed is None:
                stop.wait(idle)
                idle = min(idle * 2, IDLE_SECONDS_MAX)
                continue
            idle = IDLE_SECONDS_MIN
            self._log(relayed)

    def _read_events(self) -> list[StoredEvent]:
        outbox = self._opened()
        last = outbox.read_last_number()
        if last < self._mark:
            raise Fatal(
                f"{self.module} is published up to number {self._mark} but the hub has given out "
                f"{last} only: it is an old copy; restore the newest one"
            )
        if last == self._mark:
            return []
        events = outbox.read_after(
            self._mark, last=last, rows_max=BATCH_ROWS_MAX, bytes_max=BATCH_BYTES_MAX
        )
        check_numbers(self.module, self._mark, events, last)
        if any(stored.event.kind is EventKind.BARRIER for stored in events):
            self._partitions = self._channel.count_partitions()
        return events

    def _resolve_schemas(self, events: list[StoredEvent]) -> dict[str, int]:
        used = {stored.event.fingerprint for stored in events}
        fingerprints = sorted(one for one in used if one is not None)  # ids are given in this order
        return self._schema_ids.resolve(fingerprints, self._opened().read_schema)

    def _move_mark(self, number: int) -> None:
        outbox = self._opened()
        if not outbox.move_mark(self._mark, number):
            # the one before may have moved it once more, after its last commit in Kafka and our
            # reading the mark; that can be so for our first batch only
            actual = outbox.read_mark()
            if self._relayed_since_opened or not self._mark < actual:
                raise Fatal(
                    f"somebody else moved the published-up-to mark of {self.module} (from "
                    f"{self._mark} to {actual}): another publisher took over; one is enough"
                )
            if actual < number and not outbox.move_mark(actual, number):
                raise Fatal(f"two publishers of {self.module} move one mark; one is enough")
            number = max(actual, number)
        self._mark = number
        self._relayed_since_opened = True

    def _opened(self) -> EventStore:
        if self._outbox is None:
            self.take_over()
        if self._outbox is None:
            raise Unreachable(f"no hub for {self.module}")
        return self._outbox

    def _log(self, relayed: Relayed) -> None:
        log.info(
            "publish.batch",
            module=self.module,
            first=relayed.first,
            last=relayed.last,
            records=relayed.records,
            bytes=relayed.bytes,
            read_ms=round(relayed.read_ms, 1),
            send_ms=round(relayed.send_ms, 1),
            mark_ms=round(relayed.mark_ms, 1),
        )
