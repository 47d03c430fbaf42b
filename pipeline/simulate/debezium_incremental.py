"""Incremental snapshots as Debezium takes them with a signal table in the legacy database.

Enters: signals as they come in the stream. Leaves: chunks of read rows, which stand before the
signal that closes their window; a row that the stream changed within the window is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from legacy_db.definition import Table
from pipeline.simulate.debezium_offset import IncrementalProgress
from pipeline.simulate.debezium_records import INCREMENTAL_SNAPSHOT, LogRecord, RecordWriter
from pipeline.simulate.debezium_transaction import Unit
from pipeline.simulate.legacy import LegacyDatabase
from pipeline.simulate.legacy_wal import Key, Row

Progressed = list[tuple[LogRecord, IncrementalProgress | None]]
"""Records, each with the progress that is kept once it is written; None: nothing is left."""


@dataclass(slots=True)
class _Window:
    """A chunk that was read and waits for its closing signal."""

    identity: str
    table: Table
    rows: dict[Key, Row] = field(default_factory=dict)
    last: Key | None = None
    is_open: bool = False


def ask_snapshot(database: LegacyDatabase, signal_table: str, tables: Sequence[str]) -> None:
    """Ask for an incremental snapshot of tables, by a row in the signal table."""
    definitions = database.definitions
    names = [f"{definitions[table].schema}.{table}" for table in tables]
    data = msgspec.json.encode({"data-collections": names, "type": "incremental"}).decode()
    session = database.begin()
    row = {"id": f"ad-hoc-{session.txid}", "type": "execute-snapshot", "data": data}
    session.insert(signal_table, row)
    session.commit()


class IncrementalSnapshot:
    """One run's incremental snapshot; it writes its watermarks into `signal_table`."""

    def __init__(
        self, database: LegacyDatabase, writer: RecordWriter, signal_table: str, chunk_rows: int
    ) -> None:
        self.progress: IncrementalProgress | None = None
        self.is_reading = False
        self._is_closing = False
        self._database = database
        self._writer = writer
        self._signal_table = signal_table
        self._chunk_rows = chunk_rows
        self._window: _Window | None = None
        self._chunk = 0
        self._scanned = 0

    def resume(self, progress: IncrementalProgress) -> None:
        """Go on after a restart: the chunk is read anew."""
        self.progress = progress
        self._open_window()

    def take_signal(self, row: Row, write: Callable[[Table, Row, Key], LogRecord]) -> Progressed:
        """Obey a row of the signal table; `write` writes a read row at this place of the log."""
        window, identity = self._window, row["id"]
        if row["type"] == "execute-snapshot":
            return self._begin(row["data"])
        if window is not None and identity == f"{window.identity}-open":
            window.is_open = True
        elif window is not None and identity == f"{window.identity}-close":
            return self._close(window, write)
        return []

    def see(self, units: Iterable[Unit]) -> None:
        """Leave out of the window's rows what the stream changes."""
        window = self._window
        if window is None or not window.is_open:
            return
        for unit in units:
            change = unit.change
            if change.table is not None and change.table.name == window.table.name:
                for key in (change.key, change.old_key):
                    if key is not None:
                        window.rows.pop(key, None)

    def read(self) -> Progressed | None:
        """Read the next chunk, then write the closing signal; None while its table is locked.

        These are two calls in one transaction of the database: between them others may commit, but
        nobody can truncate or alter the table.
        """
        if self._is_closing:
            return self._write_closing()
        progress = self.progress
        assert progress is not None  # noqa: S101 - reading is only begun with a progress
        if self._is_locked(*progress.tables):
            return None
        assert self._window is not None  # noqa: S101 - its opening signal was written
        records: Progressed = []
        while progress is not None:
            progress, chunk = self._read_table(progress, records)
            if chunk:
                self._window.table = self._database.definitions[chunk[0]]
                rows = self._database.tables[chunk[0]]
                self._window.rows = {key: rows[key] for key in chunk[1]}
                self._window.last = chunk[1][-1]
                self._database.readers[self._signal_table] = chunk[0]
                break
        self.progress = progress
        self._is_closing = True
        return records

    def release(self) -> None:
        """End the transaction that has read a chunk."""
        self._database.readers.pop(self._signal_table, None)

    def _is_locked(self, *tables: str) -> bool:
        writers = self._database.open.values()
        return any(table in one.truncated for one in writers for table in tables)

    def _write_closing(self) -> Progressed | None:
        if self._is_locked(self._signal_table):
            return None
        assert self._window is not None  # noqa: S101 - a chunk was read
        self._is_closing = self.is_reading = False
        self.release()
        self._signal(f"{self._window.identity}-close", "snapshot-window-close")
        return []

    def _read_table(
        self, progress: IncrementalProgress, records: Progressed
    ) -> tuple[IncrementalProgress | None, tuple[str, list[Key]] | None]:
        """Read a chunk of the first table; or note that it is complete and give what is left."""
        name = progress.tables[0]
        keys = sorted(self._database.tables[name])
        is_empty = progress.maximum is None and not keys
        if progress.maximum is None and keys:
            progress = replace(progress, maximum=keys[-1], total=len(keys))
        keys = [
            key
            for key in keys
            if (progress.after is None or key > progress.after) and key <= (progress.maximum or ())
        ]
        if not keys:
            return self._complete_table(progress, records, is_empty=is_empty), None
        chunk = keys[: self._chunk_rows]
        self._chunk += 1
        self._scanned += len(chunk)
        self._notify(
            records,
            progress,
            "IN_PROGRESS",
            current_collection_in_progress=self._full_name(name),
            chunk_index=str(self._chunk),
            total_chunks=str(-(-progress.total // self._chunk_rows)),
            total_rows=str(progress.total),
            maximum_key=_tell(progress.maximum),
            last_processed_key=_tell(chunk[-1]),
        )
        return progress, (name, chunk)

    def _complete_table(
        self, progress: IncrementalProgress, records: Progressed, *, is_empty: bool
    ) -> IncrementalProgress | None:
        self._notify(
            records,
            progress,
            "TABLE_SCAN_COMPLETED",
            scanned_collection=self._full_name(progress.tables[0]),
            total_rows_scanned=str(self._scanned),
            status="EMPTY" if is_empty else "SUCCEEDED",
            **({} if is_empty else {"total_rows": str(progress.total)}),
        )
        self._chunk = self._scanned = 0
        if len(progress.tables) > 1:
            return IncrementalProgress(progress.tables[1:])
        self._notify(records, None, "COMPLETED")
        return None

    def _begin(self, data: str) -> Progressed:
        names = msgspec.json.decode(data)["data-collections"]
        tables = tuple(name.rpartition(".")[2] for name in names)
        if self.progress is not None:
            self.progress = replace(self.progress, tables=(*self.progress.tables, *tables))
            return []
        self.progress = IncrementalProgress(tables)
        records: Progressed = []
        self._notify(records, self.progress, "STARTED")
        self._notify(records, self.progress, "DATA_COLLECTIONS_RESOLVED")
        self._open_window()
        return records

    def _close(self, window: _Window, write: Callable[[Table, Row, Key], LogRecord]) -> Progressed:
        """Write the rows that are left in the window, and begin the next chunk."""
        self._window = None
        if self.progress is None:
            return []
        records: Progressed = []
        for key, row in window.rows.items():
            self.progress = replace(self.progress, after=key)
            records.append((write(window.table, row, key), self.progress))
        if window.last is not None:
            self.progress = replace(self.progress, after=window.last)
        self._open_window()
        return records

    def _open_window(self) -> None:
        identity = f"{self._database.last_txid:08x}"
        assert self.progress is not None  # noqa: S101 - as in read
        table = self._database.definitions[self.progress.tables[0]]
        self._window = _Window(identity, table)
        self.is_reading = True
        self._signal(f"{identity}-open", "snapshot-window-open")

    def _signal(self, identity: str, type_: str) -> None:
        transaction = self._database.begin()
        transaction.insert(self._signal_table, {"id": identity, "type": type_, "data": ""})
        transaction.commit()

    def _notify(
        self, records: Progressed, progress: IncrementalProgress | None, type_: str, **data: str
    ) -> None:
        if progress is not None:
            data["data_collections"] = ",".join(map(self._full_name, progress.tables))
        time_us = self._database.time_us
        record = self._writer.write_notification(INCREMENTAL_SNAPSHOT, type_, time_us, data)
        records.append((record, progress))

    def _full_name(self, table: str) -> str:
        return f"{self._database.definitions[table].schema}.{table}"


def _tell(key: Key | None) -> str:
    return ",".join(map(str, key or ()))
