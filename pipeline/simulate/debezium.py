"""A model of Debezium's PostgreSQL connector: it writes a module's change log, step by step.

Enters: the legacy model's log and states. Leaves: records in the order and form of Debezium 3.7.
Whoever drives it says when a chunk is polled, when its offsets are durable, when it crashes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from legacy_db.definition import Table
from pipeline.simulate.debezium_entries import WalEntries
from pipeline.simulate.debezium_incremental import IncrementalSnapshot, ask_snapshot
from pipeline.simulate.debezium_losses import EndedTransaction, Losses
from pipeline.simulate.debezium_offset import IncrementalProgress, Offset, WrittenEnd
from pipeline.simulate.debezium_records import INITIAL_SNAPSHOT, LogRecord, Place, RecordWriter
from pipeline.simulate.debezium_restart import (
    ConnectorFailed,
    Resumption,
    count_anew,
    is_moving,
    plan_rest,
)
from pipeline.simulate.debezium_slot import SlotCreation
from pipeline.simulate.debezium_snapshot import SnapshotMoment, write_snapshot
from pipeline.simulate.debezium_transaction import (
    Unit,
    count_units,
)
from pipeline.simulate.legacy import LegacyDatabase
from pipeline.simulate.legacy_wal import Key, Row, WalTransaction

__all__ = ["ConnectorFailed", "DebeziumConnector", "LogRecord", "SlotLost"]

_Pending = tuple[LogRecord, bool, IncrementalProgress | None]
"""A record, and the progress of an incremental snapshot that it brings with it, if it does."""
HEARTBEAT_PREFIX = "heartbeat"


class SlotLost(Exception):  # noqa: N818 - the connector's task fails, the model does not
    """The database was restored and has no such slot: only a new snapshot goes on."""


class DebeziumConnector:
    """The connector of one module; it runs from the start.

    `prefix` is `<site>.<module>`; `tables` the module's, in the declaration's order. Chunks
    that `exactly_once` writes are to be appended together with `commit_offsets`, or not at all.
    `repeats_begin`: a restart within a transaction writes its BEGIN again; with `counts_anew` the
    rest is numbered from 1 and alone counted, and an END repeated: so MariaDB's connector does.
    Without `exact_restarts` it loses and repeats then what Debezium 3.7.0 does; with it, MariaDB's
    is never cut where it would lose: between the two records of a moved row.
    `signal_table` (columns id, type, data) makes incremental snapshots possible.
    """

    def __init__(
        self,
        database: LegacyDatabase,
        module: str,
        tables: Sequence[str],
        prefix: str,
        *,
        epoch: int = 1,
        exactly_once: bool = True,
        snapshot: bool = True,
        repeats_begin: bool = False,
        counts_anew: bool = False,
        exact_restarts: bool = True,
        signal_table: str | None = None,
        chunk_rows: int = 1024,
    ) -> None:
        self.module = module
        self.tables = tuple(tables)
        self.epoch = epoch
        self.exactly_once = exactly_once
        self.running = True
        self.snapshot_lsn: int | None = None
        self._database = database
        self._prefix = prefix
        self._repeats_begin = repeats_begin
        self._counts_anew = counts_anew
        self._exact_restarts = exact_restarts
        self._losses = None if exact_restarts else Losses(tables)
        self._signal_table = signal_table
        self._chunk_rows = chunk_rows
        self._shown = frozenset((*tables, *([] if signal_table is None else [signal_table])))
        self._run = 0
        self._timeline = database.timeline
        self._has_slot = not snapshot
        self._snapshot: Iterator[tuple[LogRecord, bool]] | None = None
        self._snapshot_end = self._committed = self._offset = Offset()
        self._pending: deque[_Pending] = deque()
        self._incremental: IncrementalSnapshot | None = None
        if not snapshot:
            self._committed = Offset(True, len(database.wal), time_us=database.time_us)
        self._open_run(first=True)

    @property
    def snapshot_is_complete(self) -> bool:
        """Whether the initial snapshot is behind it: everything now comes from the stream."""
        return self._offset.is_streaming and self._snapshot is None

    @property
    def is_between_transactions(self) -> bool:
        """Whether what was polled last ended a transaction, message or snapshot."""
        return self.snapshot_is_complete and self._offset.item == 0 and not self._pending

    @property
    def is_idle(self) -> bool:
        """Whether a poll would give nothing until something happens in the database."""
        return not self.running or (
            self.snapshot_is_complete
            and not self._pending
            and not (self._incremental is not None and self._incremental.is_reading)
            and self._has_no_more(self._offset.entry)
        )

    def poll(self, records_max: int) -> list[LogRecord]:
        """Give the next records; [] when there are none, or while it waits for others' locks.

        SlotLost and ConnectorFailed say that it would fail at every start from now on.
        """
        if not self.running:
            return []
        if self._timeline != self._database.timeline:
            raise SlotLost(f"{self._prefix}: the database has no slot of this connector")
        records: list[LogRecord] = []
        pending = self._pending
        while len(records) < records_max:
            if pending:
                self._poll_pending(records)
            elif self._snapshot is not None:
                self._poll_snapshot(records)
            elif not self._offset.is_streaming:
                if not self._begin_snapshot():
                    break
            elif self._incremental is not None and self._incremental.is_reading:
                if records or not self._read_chunk():
                    break  # others may write while it reads
            elif not self._poll_stream(records, records_max):
                break
        return records

    def commit_offsets(self) -> None:
        """Everything polled up to now is durable in the log, together with its offsets."""
        if self.running:
            self._committed = self._offset

    def crash(self) -> None:
        """End without a word; what was not committed is forgotten, or repeated by `start`."""
        self._end_run()

    def stop(self) -> None:
        """End in order: what was polled is in the log and its offsets are committed."""
        self.commit_offsets()
        self._end_run()

    def start(self) -> None:
        """Go on from the committed offsets, or with a snapshot where that was not finished."""
        if not self.running:
            self.running = True
            self._open_run(first=False)

    def rewind(self) -> None:
        """Put the committed offset of a connector that is down back before an open transaction."""
        if not self.running:
            self._committed = replace(self._committed, item=0, plan=None, signal_taken=False)

    def resnapshot(self, epoch: int) -> None:
        """Drop offsets and slot and begin again with a snapshot, under an epoch."""
        self._end_run()
        self.epoch = epoch
        self.running = True
        self.snapshot_lsn = None
        self._committed = Offset()
        self._has_slot = False
        if self._losses is not None:
            self._losses.forget()
        self._timeline = self._database.timeline
        self._open_run(first=True)

    def heartbeat(self, *, with_message: bool = True) -> None:
        """Let the heartbeat interval pass: a plain record, and the action query's message."""
        if self.running:
            record = self._writer.write_heartbeat(self._database.time_us)
            self._pending.append((record, False, None))
            if with_message:
                session = self._database.begin()
                session.message(HEARTBEAT_PREFIX, b"now")
                session.commit()

    def incremental_snapshot(self, tables: Sequence[str]) -> None:
        """Ask for an incremental snapshot of tables, by a row in the signal table."""
        if self._signal_table is None:
            raise ValueError(f"{self._prefix} has no signal table")
        ask_snapshot(self._database, self._signal_table, tables)

    def take_ended(self) -> list[EndedTransaction]:
        """Tell what is missing of transactions that ended since the last time."""
        return [] if self._losses is None else self._losses.take()

    def _end_run(self) -> None:
        self.running = False
        if self._incremental is not None:
            self._incremental.release()

    def _open_run(self, *, first: bool) -> None:
        """Begin a run of the connector's task at the committed offsets."""
        self._run += 1
        self._writer = RecordWriter(self._prefix, "legacy", self.epoch, self._run)
        self._offset = self._committed
        self._pending = deque()
        self._snapshot = None
        self._slot = SlotCreation()
        self._failure: ConnectorFailed | None = None
        self._resumption = Resumption()
        self._entries = WalEntries(self._database, self._shown, self._writer, self._resumption)
        self._obeyed = (0, 0)
        self._incremental = None
        if self._signal_table is not None:
            self._incremental = IncrementalSnapshot(
                self._database, self._writer, self._signal_table, self._chunk_rows
            )
        if self._offset.is_streaming:
            if not first:
                self._notify("SKIPPED")
                if self._counts_anew:
                    self._offset = count_anew(self._offset, self._entries.list_units)
                else:
                    self._resume()
        else:
            self._notify("STARTED")
            self._notify("DATA_COLLECTIONS_RESOLVED", data_collections=",".join(self._names()))

    def _resume(self) -> None:
        """Find the place within an open transaction, and what an incremental snapshot was at."""
        offset = self._offset
        if offset.item > 0:
            units = self._entries.list_units(offset.entry)
            plan = offset.plan or tuple(range(len(units)))
            done = offset.item - 1
            if offset.signal_taken:  # its record is taken for written
                plan = (*plan[:done], *plan[done + 1 :])
            elif not self._exact_restarts:
                try:
                    plan = plan_rest(
                        units, plan, done, offset.link if offset.end is not None else None
                    )
                except ConnectorFailed as error:
                    self._failure = error
            self._offset = replace(offset, plan=plan, signal_taken=False)
            if self._repeats_begin:
                begin = self._entries.unfold(self._offset)[1][0]
                self._pending.append((begin, False, None))
        else:
            self._resumption.seeks = offset.end is not None and not self._exact_restarts
        if offset.incremental is not None and self._incremental is not None:
            self._incremental.resume(offset.incremental)

    def _notify(self, type_: str, **data: str) -> None:
        time_us = self._database.time_us
        record = self._writer.write_notification(INITIAL_SNAPSHOT, type_, time_us, data)
        self._pending.append((record, False, None))

    def _names(self) -> list[str]:
        definitions = self._database.definitions
        return sorted(f"{definitions[table].schema}.{table}" for table in self._shown)

    def _poll_pending(self, records: list[LogRecord]) -> None:
        record, brings_progress, progress = self._pending.popleft()
        records.append(record)
        if brings_progress:
            offset = self._offset
            taken = offset.item > 0 and self._obeyed == (offset.entry, offset.item)
            self._offset = replace(offset, incremental=progress, signal_taken=taken)

    def _begin_snapshot(self) -> bool:
        """Make the slot, which waits for open transactions, and read; False while it waits."""
        if not self._has_slot and not self._slot.is_consistent(self._database):
            return False
        self._has_slot = True
        database = self._database
        moment = SnapshotMoment(
            database.lsn,
            database.last_txid,
            database.time_us,
            database.tables,
            database.definitions,
        )
        self.snapshot_lsn = moment.lsn
        self._snapshot_end = Offset(True, len(database.wal), time_us=database.time_us)
        self._snapshot = write_snapshot(self._writer, moment, self.tables, ",".join(self._names()))
        return True

    def _poll_snapshot(self, records: list[LogRecord]) -> None:
        assert self._snapshot is not None  # noqa: S101 - the caller has asked
        step = next(self._snapshot, None)
        if step is None:
            self._snapshot = None
            self._offset = self._snapshot_end
            return
        record, is_last = step
        records.append(record)
        if is_last:  # its offset says that the snapshot is complete
            self._offset = self._snapshot_end

    def _read_chunk(self) -> bool:
        assert self._incremental is not None  # noqa: S101 - as above
        records = self._incremental.read()
        if records is None:
            return False
        self._pending.extend((record, True, progress) for record, progress in records)
        return True

    def _poll_stream(self, records: list[LogRecord], records_max: int) -> bool:
        """Give records of the next entry of the log; False when there is none."""
        if self._failure is not None:
            raise self._failure
        offset = self._offset
        if self._has_no_more(offset.entry):
            return False
        units, items = self._entries.unfold(offset)
        begin = offset.item
        end = min(len(items), begin + records_max - len(records))
        if self._incremental is not None:
            end = self._obey(units, begin, end)
        elif (
            self._counts_anew and self._exact_restarts and is_moving(units, range(len(units)), end)
        ):
            end += 1
        records += items[begin:end]
        if self._losses is not None:
            places = range(max(1, begin) - 1, min(end, len(units) + 1) - 1)
            plan = offset.plan
            self._losses.note_written(
                offset.entry, places if plan is None else (plan[place] for place in places)
            )
        if end < len(items):
            if end > begin:
                self._offset = replace(offset, item=end, signal_taken=False)
            return True
        entry = self._database.wal[offset.entry]
        offset = replace(offset, entry=offset.entry + 1, item=0, plan=None, signal_taken=False)
        if items and isinstance(entry, WalTransaction):
            written = WrittenEnd(entry.txid, entry.time_us, count_units(units))
            if self._losses is not None:
                past = offset.entry - 1
                self._losses.note_end(past, entry.lsn, self._entries.list_units(past))
            offset = replace(offset, link=entry.lsn, time_us=entry.time_us, end=written)
        elif items:
            offset = replace(offset, link=entry.lsn, end=None)
        self._offset = offset
        return True

    def _has_no_more(self, entry: int) -> bool:
        return entry >= len(self._database.wal) or self._entries.is_seeking(entry)

    def _obey(self, units: list[Unit], begin: int, end: int) -> int:
        """Obey the signal that comes next, or give the end before the one after it."""
        snapshot = self._incremental
        assert snapshot is not None  # noqa: S101 - as above
        entry = self._offset.entry
        for item in range(max(1, begin), min(end, len(units) + 1)):
            change = units[item - 1].change
            if change.row is None or change.table is None:
                continue
            if change.table.name != self._signal_table or self._obeyed == (entry, item):
                continue
            if item > begin:
                end = item
            else:
                self._obeyed = (entry, item)
                records = snapshot.take_signal(change.row, self._write_read)
                self._pending.extend((record, True, progress) for record, progress in records)
                end = begin
            break
        snapshot.see(units[max(0, begin - 1) : max(0, end - 1)])
        return end

    def _write_read(self, table: Table, row: Row, key: Key) -> LogRecord:
        """Write a row of a chunk at the place where the stream is."""
        offset, time_us = self._offset, self._database.time_us
        lsn = self._entries.list_units(offset.entry)[0].change.lsn
        return self._writer.write_read(
            table, row, key, Place(None, offset.link, lsn, time_us), "incremental"
        )
