"""Deliberate bugs, one at a time: a simulator that does not find them would find no others either.

Enters: a mutant's name. Leaves: the stages (or, where a server's SQL decides, its model) with that
bug, for the time of a context. `isthmus simulate --mutant NAME` shows how it is found.
"""

# ruff: noqa: SLF001 - a mutant changes what nobody else may touch
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

from adapters.change_log import ChangeLog
from pipeline.errors import Retriable
from pipeline.publish import batch as publish_batch
from pipeline.publish.channel import Channel
from pipeline.publish.publisher import Publisher
from pipeline.replicate.batch import Ownership, StoreBatch
from pipeline.replicate.memory import MemoryStore
from pipeline.simulate.module_hub import MemoryModuleHub
from pipeline.simulate.region_store import RegionStore
from pipeline.translate import batch as translate_batch
from pipeline.translate import emission, hub_writer, huge_transaction
from pipeline.translate.batch import DecodedTransaction, Translation
from pipeline.translate.event_maker import EventMaker, Moment
from pipeline.translate.hub_writer import HubWriter
from pipeline.translate.landing import Landing
from pipeline.translate.rows import TableCodec


def _no_fence() -> Any:
    def lock_only(self: Any, owner: int) -> None:
        del owner
        self._connection.lock("module", self._module)

    return mock.patch.object(MemoryModuleHub, "_lock", lock_only)


def _no_store_fence() -> Any:
    write = MemoryStore.write

    def unfenced(self: Any, batch: StoreBatch, epochs: Any) -> Any:
        for place in batch.offsets:
            self.offsets[place] = Ownership(epochs[place], self.offsets[place].next_offset)
        return write(self, batch, epochs)

    return mock.patch.object(MemoryStore, "write", unfenced)


def _offsets_first() -> Any:
    write = RegionStore.write

    def offsets_first(self: Any, batch: StoreBatch, epochs: Any) -> Any:
        self._call("offsets")
        self._store.write(StoreBatch(records=0, offsets=batch.offsets), epochs)
        return write(self, batch, epochs)

    return mock.patch.object(RegionStore, "write", offsets_first)


def _position_of_a_row() -> Any:
    make = translate_batch.make_moment

    def of_row(transaction: Any, epoch: int) -> Moment:
        moment = make(transaction, epoch)
        return replace(moment, lsn=transaction.changes[0].lsn) if transaction.changes else moment

    stack = contextlib.ExitStack()
    for module in (hub_writer, huge_transaction):
        stack.enter_context(mock.patch.object(module, "make_moment", of_row))
    return stack


def _snapshot_rows_move_the_position() -> Any:
    take = ChangeLog._take_row

    def moving(self: Any, row: Any, offset: int) -> Any:
        if row.operation == "r":
            self.state = replace(self.state, lsn=row.lsn + 4_000)
        return take(self, row, offset)

    return mock.patch.object(ChangeLog, "_take_row", moving)


def _rows_deduplicated_alone() -> Any:
    take = ChangeLog._take_row

    def skipping(self: Any, row: Any, offset: int) -> Any:
        if row.operation != "r" and row.lsn < self.state.lsn and self.state.open is not None:
            self._take_place(row, offset)
            return []
        return take(self, row, offset)

    return mock.patch.object(ChangeLog, "_take_row", skipping)


def _mark_past_a_gap() -> Any:
    move = Publisher._move_mark

    def further(self: Any, number: int) -> None:
        move(self, max(number, self._opened().read_last_number()))

    return mock.patch.object(Publisher, "_move_mark", further)


def _send_errors_ignored() -> Any:
    send = Channel.send

    def ignoring(self: Any, records: Any, before_commit: Any) -> None:
        with contextlib.suppress(Retriable):
            send(self, records, before_commit)

    return mock.patch.object(Channel, "send", ignoring)


def _tombstone_forgotten() -> Any:
    accept = MemoryStore._accept

    def forgetting(self: Any, row: Any) -> bool:
        accepted = accept(self, row)
        before = self.guard.get(row[:2])
        if before is not None and before.deleted:
            self.guard[row[:2]] = before._replace(sequence="")
        return accepted

    return mock.patch.object(MemoryStore, "_accept", forgetting)


def _barrier_on_one_partition() -> Any:
    make = publish_batch._make_barrier_records

    def only_one(stored: Any, partitions: int) -> Any:
        return make(stored, partitions)[:1]

    return mock.patch.object(publish_batch, "_make_barrier_records", only_one)


def _unsent_value_as_null() -> Any:
    return mock.patch.object(TableCodec, "complete", lambda *given: given[1])


def _no_revision() -> Any:
    def without(epoch: int, lsn: int, revision: int, time: Any, transaction: Any) -> Moment:
        del revision
        return Moment(epoch, lsn, 0, time, transaction)

    return mock.patch.object(emission, "Moment", without)


def _lookups_not_followed() -> Any:
    return mock.patch.object(Translation, "_watch", return_value=None)


def _last_good_forgotten() -> Any:
    take = EventMaker.take_change

    def comparing(self: Any, outcome: Any, target: Any, before: Any, after: Any) -> None:
        if isinstance(before, dict) or not isinstance(after, dict) or before is None:
            take(self, outcome, target, before, after)

    return mock.patch.object(EventMaker, "take_change", comparing)


def _transactions_merged() -> Any:
    translate = HubWriter._translate_run

    def merging(self: Any, transactions: Any) -> None:
        last = transactions[-1]
        changes = tuple(change for one in transactions for change in one.changes)
        translate(self, [replace(last, changes=changes)])

    return mock.patch.object(HubWriter, "_translate_run", merging)


def _truncate_unasked() -> Any:
    return mock.patch.object(Landing, "_request_truncated", return_value=None)


def _half_of_a_transaction() -> Any:
    apply = Translation.apply

    def half(self: Any, transaction: DecodedTransaction) -> None:
        if len(transaction.writes) > 1:
            middle = len(transaction.writes) // 2
            for part in (transaction.writes[:middle], transaction.writes[middle:]):
                apply(self, DecodedTransaction(transaction.moment, part))
        else:
            apply(self, transaction)

    return mock.patch.object(Translation, "apply", half)


def _doubt_forgotten() -> Any:
    return mock.patch.object(ChangeLog, "_take_restart", return_value=None)


def _reread_rows_told_again() -> Any:
    correct = Translation.correct

    def correcting_all(self: Any, writes: Any, moment: Any) -> Any:
        changed = correct(self, writes, moment)
        for write in writes:
            for role in self.roles.by_table.get(write.table, ()):
                changed.setdefault(role.adapter.aggregate, []).append(role.root_key(write.row))
        return changed

    return mock.patch.object(Translation, "correct", correcting_all)


def _reread_rows_lost() -> Any:
    return mock.patch.object(Translation, "correct", return_value={})


MUTANTS: dict[str, tuple[str, Callable[[], Any]]] = {
    "no-fence": ("a translator that was taken over still commits", _no_fence),
    "no-store-fence": ("a replicator that was taken over still writes", _no_store_fence),
    "offsets-first": ("a region's offsets are committed before its rows", _offsets_first),
    "position-of-a-row": ("events stand at a row's LSN, not at the commit's", _position_of_a_row),
    "snapshot-moves": ("rows of a snapshot move the position", _snapshot_rows_move_the_position),
    "rows-alone": ("rows below the position are taken for repeats", _rows_deduplicated_alone),
    "mark-past-gap": ("the mark is moved past events that were not sent", _mark_past_a_gap),
    "send-ignored": ("a failed Kafka transaction counts as sent", _send_errors_ignored),
    "tombstone-forgotten": ("a deleted aggregate's sequence is forgotten", _tombstone_forgotten),
    "one-barrier": ("a barrier goes to one partition only", _barrier_on_one_partition),
    "unsent-null": ("an unchanged value that was not sent becomes null", _unsent_value_as_null),
    "no-revision": ("what is emitted again gets no revision", _no_revision),
    "lookup-unfollowed": ("a changed lookup emits nothing", _lookups_not_followed),
    "last-good-forgotten": ("healed poison is compared with itself", _last_good_forgotten),
    "merged": ("transactions of one batch become one", _transactions_merged),
    "truncate-unasked": ("TRUNCATE asks for nothing to be emitted again", _truncate_unasked),
    "no-doubt": ("a connector's start within a transaction goes unnoticed", _doubt_forgotten),
    "reread-told": (
        "rows that are read again are told again, changed or not",
        _reread_rows_told_again,
    ),
    "reread-lost": ("what an incremental snapshot corrects does not land", _reread_rows_lost),
    "half": ("a transaction is translated in two halves", _half_of_a_transaction),
}


@contextlib.contextmanager
def mutant(name: str | None) -> Iterator[None]:
    """Put one bug into the stages; None puts none."""
    if name is None:
        yield
        return
    with MUTANTS[name][1]():
        yield
