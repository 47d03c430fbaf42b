"""Runs a script on the real programs: PostgreSQL, Debezium in Connect, Kafka.

Enters: a test's site and a script. Leaves: the whole change log. Every session is a connection of
its own; the connector is declared and applied as the product does it.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from change_log_reader import WAIT_SECONDS_MAX, read_records
from fidelity_log import RawRecord
from fidelity_script import (
    CHUNK_ROWS,
    MODULE,
    MODULE_TABLES,
    SCHEMA,
    SIGNAL_TABLE,
    Script,
    make_ddl,
)
from psycopg import sql

from connectors.apply import apply_site, open_servers
from connectors.declaration import Declaration, Heartbeat
from connectors.names import ModuleNames
from connectors.target import Target
from pipeline.local_stack.stack import LocalStack

POLL_SECONDS = 0.05
_END_PREFIX = "isthmus.end"
_NEVER_MS = 3_600_000
"""Only the first heartbeat: the message of another would be a link in a place of its own."""
SIGNALLED = (
    ("signal.enabled.channels", "source"),
    ("signal.data.collection", f"{SCHEMA}.{SIGNAL_TABLE}"),
    ("incremental.snapshot.chunk.size", str(CHUNK_ROWS)),
)
"""Incremental snapshots are asked for by a row in a table."""


class RealSite:
    """The interpreter: one method per step."""

    def __init__(
        self,
        name: str,
        variables: Mapping[str, str],
        stack: LocalStack,
        config: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._config = config
        self._stack = stack
        self.names = ModuleNames(name, MODULE)
        self._variables = variables
        self._sessions: dict[str, psycopg.Connection[Any]] = {}
        self._completed = 0
        self._savepoints: dict[str, int] = {}
        self._background = ThreadPoolExecutor(1)
        self._applied: Future[None] | None = None
        self._admin = psycopg.connect(self._admin_url(), autocommit=True)
        self._owner = self._open_session()
        for statement in make_ddl():
            self._owner.execute(statement.encode())

    @property
    def owner_url(self) -> str:
        """The URL of the legacy schema's owner."""
        return self._variables["ISTHMUS_LEGACY_OWNER_URL"]

    def close(self) -> None:
        """Close every connection; open transactions are rolled back."""
        for connection in (*self._sessions.values(), self._owner, self._admin):
            connection.close()
        self._background.shutdown()

    def run(self, script: Script) -> list[RawRecord]:
        """Take every step and return the whole log."""
        for one in script:
            try:
                getattr(self, one.action)(*one.arguments)
            except psycopg.Error as error:
                raise AssertionError(f"PostgreSQL refuses {one}: {error}") from error
        self.note(None, _END_PREFIX, b"end")
        return self.read_log(lambda record: b'"prefix":"isthmus.end"' in record.value)

    def connect_signalled(self) -> None:
        """Apply a connector that takes incremental snapshots."""
        self._config += SIGNALLED
        self.connect()

    def connect(self) -> None:
        """Apply the connector, which waits as its slot does, and wait until the slot is there."""
        self._applied = self._background.submit(
            apply_connector, self.names, self._variables, self._config
        )
        there = "select 1 from pg_replication_slots where slot_name = %s"
        self._wait(lambda: bool(self._query(there, self.names.slot)), "the slot")

    def ask_snapshot(self, *tables: str) -> None:
        """Ask for an incremental snapshot by a row in the signal table."""
        names = ", ".join(f'"{SCHEMA}.{table}"' for table in tables)
        row = {
            "id": f"ad-hoc-{uuid.uuid4()}",
            "type": "execute-snapshot",
            "data": f'{{"type": "incremental", "data-collections": [{names}]}}',
        }
        self._owner.execute(self._insertion(SIGNAL_TABLE, row), [*row.values()])

    def await_asked_snapshot(self) -> None:
        """Wait until the incremental snapshot is completed."""
        mark = b'"type":"COMPLETED","aggregate_type":"Incremental'
        self._completed += 1
        seen = itertools.count(1)
        self.read_log(lambda record: mark in record.value and next(seen) == self._completed)
        # the window that found nothing more is closed, too
        windows = (
            f"select count(*) filter (where type = 'snapshot-window-open') "
            f"= count(*) filter (where type = 'snapshot-window-close') "
            f"from {SCHEMA}.{SIGNAL_TABLE}"
        )
        self._wait(lambda: self._query(windows) == [(True,)], "the last window")

    def await_reading(self) -> None:
        """Wait until the incremental snapshot waits for a table's lock."""
        waits = "select 1 from pg_locks where locktype = 'relation' and not granted"
        self._wait(lambda: bool(self._query(waits)), "the snapshot waits for a lock")

    def await_slot_wait(self, session: str) -> None:
        """Wait until the slot's making waits for a session's transaction to end."""
        row = self._sessions[session].execute("select pg_current_xact_id()::text").fetchone()
        waits = (
            "select 1 from pg_locks where locktype = 'transactionid' and not granted "
            "and transactionid::text = %s"
        )
        self._wait(lambda: bool(self._query(waits, *row or ())), f"the slot waits for {session}")

    def await_reading_lines(self) -> None:
        """Wait until the snapshot reads the lines: its moment is past."""
        mark = f'"current_collection_in_progress":"{SCHEMA}.line"'.encode()
        self.read_log(lambda record: mark in record.value)

    def await_snapshot(self) -> None:
        """Wait until the snapshot is completed and the first heartbeat, which follows it, came."""
        assert self._applied is not None
        self._applied.result(WAIT_SECONDS_MAX)
        self.read_log(lambda record: b'"prefix":"heartbeat"' in record.value)

    def kill(self, order: int) -> None:
        """Kill Connect when change `order` of a transaction is in the log."""
        self.read_log(lambda record: b'"total_order":%d,' % order in record.value)
        self._stack.kill("connect")

    def restart(self) -> None:
        """Start Connect again."""
        self._stack.start("connect")

    def begin(self, session: str) -> None:
        """Begin a session's transaction."""
        if session not in self._sessions:
            self._sessions[session] = self._open_session()
        self._savepoints[session] = 0
        self._sessions[session].execute("begin")

    def insert(self, session: str, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row."""
        self._sessions[session].execute(self._insertion(table, row), [*row.values()])

    def insert_many(self, session: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows one after another."""
        with self._sessions[session].cursor() as cursor:
            cursor.executemany(self._insertion(table, rows[0]), [[*row.values()] for row in rows])

    def update(
        self, session: str, table: str, key: tuple[Any, ...], values: Mapping[str, Any]
    ) -> None:
        """Update a row."""
        statement = sql.SQL("update {} set {} where {}").format(
            sql.Identifier(SCHEMA, table),
            sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values),
            self._match_key(table),
        )
        self._sessions[session].execute(statement, [*values.values(), *key])

    def delete(self, session: str, table: str, key: tuple[Any, ...]) -> None:
        """Delete a row."""
        statement = sql.SQL("delete from {} where {}").format(
            sql.Identifier(SCHEMA, table), self._match_key(table)
        )
        self._sessions[session].execute(statement, key)

    def truncate(self, session: str, *tables: str) -> None:
        """Truncate tables."""
        names = sql.SQL(", ").join(sql.Identifier(SCHEMA, table) for table in tables)
        self._sessions[session].execute(sql.SQL("truncate {}").format(names))

    def truncate_refused(self, session: str, table: str) -> None:
        """Try to truncate a table, and fail, as somebody has read it in a transaction."""
        with pytest.raises(psycopg.errors.LockNotAvailable):
            self.truncate(session, table)

    def copy(self, session: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Copy rows."""
        statement = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(SCHEMA, table), sql.SQL(", ").join(map(sql.Identifier, rows[0]))
        )
        with self._sessions[session].cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(list(row.values()))

    def savepoint(self, session: str) -> None:
        """Set a savepoint."""
        self._savepoints[session] += 1
        self._execute(session, "savepoint s{}", self._savepoints[session])

    def rollback_to(self, session: str) -> None:
        """Roll back to the last savepoint."""
        if self._savepoints[session]:
            self._execute(session, "rollback to savepoint s{}", self._savepoints[session])

    def release(self, session: str) -> None:
        """Release the last savepoint."""
        if self._savepoints[session]:
            self._execute(session, "release savepoint s{}", self._savepoints[session])
            self._savepoints[session] -= 1

    def message(self, session: str, prefix: str, content: bytes) -> None:
        """Emit a message inside the session's transaction."""
        self._sessions[session].execute(
            "select pg_logical_emit_message(true, %s, %s::bytea)", (prefix, content)
        )

    def note(self, session: str | None, prefix: str, content: bytes) -> None:
        """Emit a message outside transactions, from within a session's or from none."""
        connection = self._owner if session is None else self._sessions[session]
        connection.execute(
            "select pg_logical_emit_message(false, %s, %s::bytea)", (prefix, content)
        )

    def commit(self, session: str) -> None:
        """Commit."""
        self._sessions[session].execute("commit")

    def rollback(self, session: str) -> None:
        """Roll back."""
        self._sessions[session].execute("rollback")

    def set_default(self, table: str, column: str, value: str) -> None:
        """Give a column a default, which no explicit null becomes."""
        statement = sql.SQL("alter table {} alter column {} set default {}").format(
            sql.Identifier(SCHEMA, table), sql.Identifier(column), value
        )
        self._owner.execute(statement)

    def add_column(self, table: str, name: str, type_: str) -> None:
        """Add a column."""
        self._owner.execute(f'alter table {SCHEMA}.{table} add column "{name}" {type_}'.encode())

    def drop_column(self, table: str, name: str) -> None:
        """Drop a column."""
        self._owner.execute(f'alter table {SCHEMA}.{table} drop column "{name}"'.encode())

    def keep_slot(self) -> None:
        """Keep a copy of the slot as it is, to go back to."""
        slot = self.names.slot
        self._query("select pg_copy_logical_replication_slot(%s, %s)", slot, f"{slot}_kept")

    def put_slot_back(self, lsn: int) -> None:
        """Put the slot of a stopped connector back to a position after that of the copy."""
        slot = self.names.slot
        active = "select 1 from pg_replication_slots where slot_name = %s and active"
        self._wait(lambda: not self._query(active, slot), "the slot is let go")
        self._query("select pg_drop_replication_slot(%s)", slot)
        self._query("select pg_copy_logical_replication_slot(%s, %s)", f"{slot}_kept", slot)
        position = f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
        self._query("select pg_replication_slot_advance(%s, %s::pg_lsn)", slot, position)

    def read_log(
        self,
        until: Callable[[RawRecord], bool],
        *,
        begin: int = 0,
        give_up: Callable[[], bool] = lambda: False,
    ) -> list[RawRecord]:
        """Read the change log from an offset to the first record that `until` accepts.

        InterruptedError when `give_up` says so while nothing comes.
        """
        return read_records(
            self._variables["ISTHMUS_KAFKA"],
            self.names.changes,
            until,
            begin=begin,
            give_up=give_up,
        )

    def _execute(self, session: str, text: str, number: int) -> None:
        self._sessions[session].execute(text.format(number).encode())

    @staticmethod
    def _insertion(table: str, row: Mapping[str, Any]) -> sql.Composed:
        return sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(SCHEMA, table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )

    def _match_key(self, table: str) -> sql.Composed:
        columns = {"line": ("hdr", "no"), "solo": ("code",)}.get(table, ("id",))
        return sql.SQL(" and ").join(
            sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns
        )

    def _open_session(self) -> psycopg.Connection[Any]:
        options = "-c lock_timeout=5s -c timezone=UTC"
        return psycopg.connect(self.owner_url, autocommit=True, options=options)

    def _admin_url(self) -> str:
        admin = urlsplit(self._variables["ISTHMUS_POSTGRES_ADMIN_URL"])
        legacy = urlsplit(self._variables["ISTHMUS_LEGACY_OWNER_URL"])
        return admin._replace(path=legacy.path).geturl()

    def _query(self, statement: str, *arguments: Any) -> list[Any]:
        return self._admin.execute(statement.encode(), arguments).fetchall()

    @staticmethod
    def _wait(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {what}"
            time.sleep(POLL_SECONDS)


def apply_connector(
    names: ModuleNames, variables: Mapping[str, str], config: tuple[tuple[str, str], ...]
) -> None:
    """Apply the declaration of the scripts' module, as `isthmus connectors apply` does."""
    declaration = Declaration(
        module=MODULE,
        engine="postgresql",
        host=variables["ISTHMUS_CAPTURE_HOST"],
        port=int(variables["ISTHMUS_CAPTURE_PORT"]),
        database=variables["ISTHMUS_CAPTURE_DATABASE"],
        user=variables["ISTHMUS_CAPTURE_USER"],
        password="${env:ISTHMUS_CAPTURE_PASSWORD}",
        schema=SCHEMA,
        tables=MODULE_TABLES,
        heartbeat=Heartbeat(interval_ms=_NEVER_MS),
        config=config,
    )
    target = Target(
        site=names.site,
        declarations={MODULE: declaration},
        connect_url=variables["ISTHMUS_CONNECT_URL"],
        bootstrap_servers=variables["ISTHMUS_KAFKA"],
        owner_url=variables["ISTHMUS_LEGACY_OWNER_URL"],
        event_partitions=1,
    )
    with open_servers(target) as servers:
        apply_site(target, servers)
