"""Runs a script on the models of the legacy database and of Debezium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from fidelity_log import RawRecord
from fidelity_script import (
    CHUNK_ROWS,
    MODULE,
    MODULE_TABLES,
    OUT_OF_LINE,
    OUT_OF_LINE_LENGTH,
    SIGNAL_TABLE,
    Script,
    make_definitions,
)

from pipeline.simulate.debezium import DebeziumConnector
from pipeline.simulate.legacy import LegacyDatabase, LegacyTransaction, Locked

CHUNK_RECORDS = 7
_END_PREFIX = "isthmus.end"


class ModelSite:
    """The interpreter: one method per step; `site` is the name that stands in the log.

    The connector's `options` are those of its model.
    """

    def __init__(
        self,
        site: str,
        *,
        database: LegacyDatabase | None = None,
        tables: Sequence[str] = MODULE_TABLES,
        **options: bool,
    ) -> None:
        self.database = database or LegacyDatabase(
            make_definitions(), out_of_line=OUT_OF_LINE, out_of_line_length=OUT_OF_LINE_LENGTH
        )
        self.sessions: dict[str, LegacyTransaction] = {}
        self.log: list[RawRecord] = []
        self._site = site
        self._tables = tables
        self._options = options
        self._connector: DebeziumConnector | None = None

    def run(self, script: Script) -> list[RawRecord]:
        """Take every step and return the whole log."""
        for one in script:
            getattr(self, one.action)(*one.arguments)
        self.note(None, _END_PREFIX, b"end")
        self._drain()
        return self.log

    def connect_signalled(self) -> None:
        """Make a connector that takes incremental snapshots."""
        self.connect(signalled=True)

    def run_with_restart(self, script: Script, place: int) -> list[RawRecord]:
        """Take every step, write `place` records one by one, start again, and write the rest.

        Plain heartbeats do not count.
        """
        for one in script:
            getattr(self, one.action)(*one.arguments)
        assert self._connector is not None
        while sum(not one.value.startswith(b'{"ts_ms"') for one in self.log) < place:
            assert self._poll(1)
        self._connector.stop()
        self._connector.start()
        self._drain()
        return self.log

    def connect(self, *, signalled: bool = False) -> None:
        """Make the connector, which begins with its snapshot."""
        self._connector = DebeziumConnector(
            self.database,
            MODULE,
            self._tables,
            f"{self._site}.{MODULE}",
            signal_table=SIGNAL_TABLE if signalled else None,
            chunk_rows=CHUNK_ROWS,
            **self._options,
        )
        self._drain()

    def ask_snapshot(self, *tables: str) -> None:
        """Ask for an incremental snapshot."""
        assert self._connector is not None
        self._connector.incremental_snapshot(tables)
        self._drain()

    def await_asked_snapshot(self) -> None:
        """Let the incremental snapshot be completed."""
        self._drain()

    def await_reading(self) -> None:
        """Let the incremental snapshot come to wait for a table's lock."""
        self._drain()

    def await_slot_wait(self, session: str) -> None:
        """Let the slot come to wait for a session's transaction."""
        assert self.sessions[session].has_written
        self._drain()

    def await_reading_lines(self) -> None:
        """Let the snapshot's moment pass."""
        self._drain()

    def await_snapshot(self) -> None:
        """Let the snapshot be completed and the first heartbeat, which follows it at once, come."""
        self._drain()
        assert self._connector is not None
        assert self._connector.snapshot_is_complete
        self._connector.heartbeat()
        self._drain()

    def kill(self, order: int) -> None:
        """Crash the connector when change `order` of a transaction is in the log, and a chunk more.

        The chunk that was polled last is not committed.
        """
        assert self._connector is not None
        mark = b'"total_order":%d,' % order
        while not any(mark in record.value for record in self.log[-CHUNK_RECORDS:]):
            assert self._poll(), f"no change {order} in the log"
        assert self._connector.poll(CHUNK_RECORDS)
        self._connector.crash()

    def restart(self) -> None:
        """Start the connector again."""
        assert self._connector is not None
        self._connector.start()

    def begin(self, session: str) -> None:
        """Begin a session's transaction."""
        self.sessions[session] = self.database.begin()

    def insert(self, session: str, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row."""
        self.sessions[session].insert(table, row)

    def insert_many(self, session: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows one after another."""
        for row in rows:
            self.sessions[session].insert(table, row)

    def update(
        self, session: str, table: str, key: tuple[Any, ...], values: Mapping[str, Any]
    ) -> None:
        """Update a row."""
        self.sessions[session].update(table, key, values)

    def delete(self, session: str, table: str, key: tuple[Any, ...]) -> None:
        """Delete a row."""
        self.sessions[session].delete(table, key)

    def truncate(self, session: str, *tables: str) -> None:
        """Truncate tables."""
        self.sessions[session].truncate(*tables)

    def truncate_refused(self, session: str, table: str) -> None:
        """Try to truncate a table, and fail, as somebody has read it in a transaction."""
        with pytest.raises(Locked):
            self.truncate(session, table)

    def copy(self, session: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Copy rows."""
        self.sessions[session].copy(table, rows)

    def savepoint(self, session: str) -> None:
        """Set a savepoint."""
        self.sessions[session].savepoint()

    def rollback_to(self, session: str) -> None:
        """Roll back to the last savepoint."""
        self.sessions[session].rollback_to_savepoint()

    def release(self, session: str) -> None:
        """Release the last savepoint."""
        self.sessions[session].release_savepoint()

    def message(self, session: str, prefix: str, content: bytes) -> None:
        """Emit a message inside the session's transaction."""
        self.sessions[session].message(prefix, content)

    def note(self, session: str | None, prefix: str, content: bytes) -> None:
        """Emit a message outside transactions, from within a session's or from none."""
        del session
        self.database.message(prefix, content)

    def commit(self, session: str) -> None:
        """Commit."""
        self.sessions.pop(session).commit()

    def rollback(self, session: str) -> None:
        """Roll back."""
        self.sessions.pop(session).rollback()

    def set_default(self, table: str, column: str, value: str) -> None:
        """Give a column a default, which no explicit null becomes."""

    def add_column(self, table: str, name: str, type_: str) -> None:
        """Add a column."""
        self.database.add_column(table, name, type_)

    def drop_column(self, table: str, name: str) -> None:
        """Drop a column."""
        self.database.drop_column(table, name)

    def _drain(self) -> None:
        while self._poll():
            pass

    def _poll(self, records_max: int = CHUNK_RECORDS) -> bool:
        """Take one chunk into the log; False when there is none."""
        assert self._connector is not None
        chunk = self._connector.poll(records_max)
        self.log += [RawRecord(one.key, one.value, one.headers) for one in chunk]
        self._connector.commit_offsets()
        return bool(chunk)
