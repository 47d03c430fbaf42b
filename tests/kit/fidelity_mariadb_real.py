"""Runs a script on the real programs: MariaDB, Debezium in Connect, Kafka.

Enters: a server, a worker and a script. Leaves: the whole change log. The connector's
configuration is what the product makes.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from change_log_reader import WAIT_SECONDS_MAX, read_all, read_high_watermark, read_records
from fidelity_log import RawRecord
from fidelity_mariadb_script import ENDS_SCRIPT, MODULE, MODULE_TABLES, make_ddl
from fidelity_script import Script
from mariadb_connect import MariaDBConnect
from mariadb_server import USER, MariaDBServer, MariaDBSession

from connectors.config import build_config
from connectors.declaration import Declaration, Heartbeat
from connectors.names import ModuleNames
from pipeline.local_stack.ports import HOST

POLL_SECONDS = 0.05
_NEVER_MS = 3_600_000
ONE_BY_ONE = {"max.batch.size": "1", "max.queue.size": "2"}
BY_TWENTY = {"max.batch.size": "20", "max.queue.size": "40"}
"""A transaction in Kafka for every 20 records: 6,000 take seconds, and a kill comes in between."""


class RealMariaDB:
    """The interpreter: one method per step, in a database and with a connector of its own."""

    def __init__(
        self, server: MariaDBServer, connect: MariaDBConnect, config: Mapping[str, str]
    ) -> None:
        self.names = ModuleNames(f"m{secrets.token_hex(4)}", MODULE)
        self._server = server
        self._connect = connect
        self._brokers = connect.variables["ISTHMUS_KAFKA"]
        self._config = config
        self._is_made = False
        self._sessions: dict[str, MariaDBSession] = {}
        admin = server.open_session()
        admin.execute(f"create database {self.database}")
        admin.close()
        self._owner = server.open_session(self.database)
        for statement in make_ddl():
            self._owner.execute(statement)

    @property
    def database(self) -> str:
        """The name of the database."""
        return self.names.site

    def close(self) -> None:
        """Remove connector, sessions and database: a snapshot lists every database there is."""
        if self._is_made:
            self._connect.ask("DELETE", f"/{self.names.connector}")
        for session in self._sessions.values():
            session.close()
        self._owner.execute(f"drop database {self.database}")
        self._owner.close()

    def run(self, script: Script) -> list[RawRecord]:
        """Take every step and return the whole log."""
        for one in script:
            getattr(self, one.action)(*one.arguments)
        return self.read_log(self.ends_log())

    def connect(self) -> None:
        """Make the connector, which begins with its snapshot."""
        body = {"name": self.names.connector, "config": self._make_config()}
        self._connect.ask("POST", "", body)
        self._is_made = True

    def await_snapshot(self) -> None:
        """Wait until the snapshot is completed."""
        self.read_log(lambda record: b'"type":"COMPLETED"' in record.value)

    def kill(self, order: int) -> None:
        """Kill Connect when change `order` of a transaction is in the log."""
        self.read_log(lambda record: b'"total_order":%d,' % order in record.value)
        self._connect.kill()

    def restart(self) -> None:
        """Start Connect again."""
        self._connect.start()

    def begin(self, session: str) -> None:
        """Begin a session's transaction."""
        if session not in self._sessions:
            self._sessions[session] = self._server.open_session(self.database)
        self._sessions[session].execute("begin")

    def insert(self, session: str, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row."""
        self.copy(session, table, [row])

    def copy(self, session: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows by one statement."""
        values = ", ".join(f"({', '.join(map(_quote, row.values()))})" for row in rows)
        self._sessions[session].execute(
            f"insert into {table} ({', '.join(rows[0])}) values {values}"
        )

    def update(
        self, session: str, table: str, key: tuple[Any, ...], values: Mapping[str, Any]
    ) -> None:
        """Update a row."""
        settings = ", ".join(f"{name} = {_quote(value)}" for name, value in values.items())
        self._sessions[session].execute(f"update {table} set {settings} where {_match(table, key)}")

    def delete(self, session: str, table: str, key: tuple[Any, ...]) -> None:
        """Delete a row."""
        self._sessions[session].execute(f"delete from {table} where {_match(table, key)}")

    def truncate(self, session: str, table: str) -> None:
        """Truncate a table, which commits what the session has done."""
        self._sessions[session].execute(f"truncate {table}")

    def savepoint(self, session: str) -> None:
        """Set a savepoint."""
        self._sessions[session].execute("savepoint s")

    def rollback_to(self, session: str) -> None:
        """Roll back to the savepoint."""
        self._sessions[session].execute("rollback to savepoint s")

    def commit(self, session: str) -> None:
        """Commit."""
        self._sessions[session].execute("commit")

    def rollback(self, session: str) -> None:
        """Roll back."""
        self._sessions[session].execute("rollback")

    def ends_log(self) -> Callable[[RawRecord], bool]:
        """Make what accepts the END of the transaction of the row that ends every script."""
        seen: list[bytes] = []

        def ends(record: RawRecord) -> bool:
            if record.key == ENDS_SCRIPT:
                gtid = json.loads(record.value)["transaction"]["id"]
                seen.append(f'"status":"END","id":"{gtid}"'.encode())
            return any(end in record.value for end in seen)

        return ends

    def read_log(self, until: Callable[[RawRecord], bool], *, begin: int = 0) -> list[RawRecord]:
        """Read the change log from an offset to the first record that `until` accepts."""
        return read_records(
            self._brokers, self.names.changes, until, begin=begin, give_up=self._refuse_failed
        )

    def read_offsets(self) -> list[tuple[Any, Any]]:
        """Read every offset that Connect kept for the connector, in order, with its partition."""
        records = [
            (json.loads(record.key or b""), json.loads(record.value))
            for record in read_all(self._brokers, self._connect.offsets_topic)
        ]
        return [(key[1], offset) for key, offset in records if key[0] == self.names.connector]

    def restart_at(self, partition: Any, offset: Any) -> list[RawRecord]:
        """Start the connector again at an offset and read what it writes from there."""
        name = self.names.connector
        self._connect.ask("PUT", f"/{name}/stop")
        self._wait_for("STOPPED", tasks=0)
        body = {"offsets": [{"partition": partition, "offset": offset}]}
        self._connect.ask("PATCH", f"/{name}/offsets", body)
        begin = read_high_watermark(self._brokers, self.names.changes)
        self._connect.ask("PUT", f"/{name}/resume")
        return self.read_log(self.ends_log(), begin=begin)

    def _refuse_failed(self) -> bool:
        states = self._connect.read_states(self.names.connector)
        assert "FAILED" not in states, self._connect.ask("GET", f"/{self.names.connector}/status")
        return False

    def _wait_for(self, state: str, *, tasks: int) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while self._connect.read_states(self.names.connector) != [state] * (1 + tasks):
            assert time.monotonic() < deadline, f"the connector does not become {state}"
            time.sleep(POLL_SECONDS)

    def _make_config(self) -> dict[str, str]:
        declaration = Declaration(
            module=MODULE,
            engine="mariadb",
            host=HOST,
            port=self._server.port,
            database=self.database,
            user=USER,
            password=self._server.password,
            schema=self.database,
            tables=MODULE_TABLES,
            heartbeat=Heartbeat(interval_ms=_NEVER_MS),
        )
        return {
            **build_config(declaration, self.names.site, brokers=self._brokers),
            "database.server.id": str(secrets.randbelow(2**31) + 1000),
            "database.ssl.mode": "disable",
            **self._config,
        }


def _quote(value: Any) -> str:
    if value is None:
        return "null"
    text = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"


def _match(table: str, key: tuple[Any, ...]) -> str:
    columns = {"line": ("hdr", "no")}.get(table, ("id",))
    return " and ".join(
        f"{name} = {_quote(value)}" for name, value in zip(columns, key, strict=True)
    )
