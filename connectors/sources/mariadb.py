"""MariaDB and MySQL: grants, and the barrier and signal tables; no publication, and no slot.

Enters: a connection with the owner's rights. Leaves: see Source.
"""

from __future__ import annotations

import json
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from connectors.binlog_offset import compare_binlogs
from connectors.errors import Configuration, Retriable
from connectors.health.binlog_source import read_binlog
from connectors.plan import Grant, Kind
from connectors.preflight import mariadb, mariadb_reading
from connectors.sources.source import PROMISED, Beginning, DatabaseSide, SlotState, TableSize
from legacy_db.mariadb.connection import is_passing
from legacy_db.mariadb.definition import list_tables, read_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from connectors.declaration import Declaration
    from connectors.names import ModuleNames
    from connectors.plan import Change, State
    from connectors.preflight.finding import Finding
    from connectors.sources.source import Offsets
    from legacy_db.mariadb.connection import MariaDBConnection

BARRIER_COLUMNS = ("id", "written_at")
SIGNAL_COLUMNS = ("id", "type", "data")
_DEFINITIONS: dict[tuple[str, ...], str] = {
    BARRIER_COLUMNS: "id varchar(36) primary key, written_at timestamp not null default now()",
    SIGNAL_COLUMNS: "id varchar(42) primary key, type varchar(32) not null, data text",
}
_COLUMNS = """
select column_name from information_schema.columns
where table_schema = %s and table_name = %s order by ordinal_position
"""


def want_mariadb(declaration: Declaration, names: ModuleNames) -> DatabaseSide:
    """Say what a declaration asks of the database; pure."""
    del names  # nothing in the database is named after the module
    schema, role = declaration.schema, declaration.user
    barriers, signals = declaration.barrier_table, declaration.signal_table
    tables: dict[str, tuple[str, ...]] = {}
    grants = {Grant(role, "select", schema, table) for table in declaration.captured}
    if barriers:
        tables[f"{schema}.{barriers}"] = BARRIER_COLUMNS
    if signals:
        tables[f"{schema}.{signals}"] = SIGNAL_COLUMNS
        grants |= {Grant(role, right, schema, signals) for right in ("select", "insert")}
    return DatabaseSide(grants=frozenset(grants), tables=tables)


class MariaDBSource:
    """One database of a MariaDB or MySQL server."""

    def __init__(self, connection: MariaDBConnection) -> None:
        self.connection = connection

    def list_tables(self, declaration: Declaration) -> list[str]:
        """List the tables of the declared database."""
        return list_tables(self.connection, declaration.schema)

    def observe(self, declarations: Iterable[Declaration], desired: State) -> DatabaseSide:
        """Read grants and our own tables; grants that the owner may not see count as held."""
        tables = {name: self._read_columns(name) for name in desired.tables}
        users = {one.user for one in declarations}
        held: set[Grant] = set()
        for user in users:
            accounts = mariadb_reading.read_accounts(self.connection, user)
            wanted = {grant for grant in desired.grants if grant.role == user}
            for account in accounts or ():
                privileges = mariadb_reading.read_privileges(self.connection, account)
                wanted = {
                    one
                    for one in wanted
                    if mariadb_reading.holds(privileges, one.privilege, one.schema, one.table)
                }
            held |= wanted
        return DatabaseSide(
            grants=frozenset(held),
            tables={name: columns for name, columns in tables.items() if columns},
        )

    def measure(self, declarations: Iterable[Declaration]) -> dict[str, TableSize]:
        """Read the sizes of the declared tables, as the server estimates them."""
        return {
            f"{one.schema}.{table}": TableSize(rows, size)
            for one in declarations
            for table, (rows, size) in read_sizes(self.connection, one.schema, one.tables).items()
        }

    def read_slots(self, names: Iterable[str]) -> dict[str, SlotState]:
        """Give nothing: a binary log is kept for a time, not for a reader."""
        del names
        return {}

    def find_publications(self, names: Iterable[str]) -> frozenset[str]:
        """Give nothing: every table is in the binary log."""
        del names
        return frozenset()

    def watch_beginning(
        self, declaration: Declaration, names: ModuleNames
    ) -> Callable[[Offsets], Beginning]:
        """Look now which binary logs there are, to compare offsets with them later."""
        del declaration, names
        return partial(compare_binlogs, read_binlog(self.connection))

    def judge(
        self,
        declarations: Mapping[str, Declaration],
        names: Mapping[str, ModuleNames],
        connected: Collection[str],
    ) -> tuple[Finding, ...]:
        """Find what would make capture fail or hurt."""
        facts = mariadb_reading.read_facts(self.connection, declarations, names, connected)
        return mariadb.judge(facts)

    def make(self, desired: State, change: Change) -> None:
        """Make a table or a grant."""
        if change.kind is Kind.TABLE:
            columns = _DEFINITIONS[desired.tables[change.name]]
            self._execute(
                f"table {change.name}",
                f"create table if not exists {_quote(change.name)} ({columns}) engine = InnoDB",
            )
            return
        for grant in desired.grants:
            if change.fields[0].field == grant.privilege and change.name == grant.name:
                for account in mariadb_reading.read_accounts(self.connection, grant.role) or ():
                    self._execute(
                        f"grant on {grant.relation}",
                        f"grant {grant.privilege} on {_quote(grant.relation)} to {account}",
                    )

    def drop(self, change: Change, report: Callable[[str], None]) -> None:
        """Refuse: there is neither slot nor publication, and tables are never dropped."""
        del report
        raise Configuration(f"there is no {change.kind} {change.name} in this database to drop")

    def read_pending(self, declaration: Declaration) -> tuple[str, ...]:
        """Read the promises in the signal table; () when there is none."""
        signals = declaration.signal_table
        if signals is None or not self._read_columns(f"{declaration.schema}.{signals}"):
            return ()
        table = _quote(f"{declaration.schema}.{signals}")
        rows = self.connection.fetch(
            f"select data from {table} where type = %s order by 1", (PROMISED,)
        )
        return tuple(dict.fromkeys(str(data) for (data,) in rows))

    def promise_snapshots(self, declaration: Declaration, tables: Iterable[str]) -> None:
        """Write a row for each table that has none yet."""
        known = set(self.read_pending(declaration))
        for table in sorted(set(tables) - known):
            self._signal(declaration, PROMISED, table)

    def ask_snapshot(self, declaration: Declaration, table: str) -> None:
        """Write the signal for one table and strike the promise."""
        data = json.dumps({"type": "incremental", "data-collections": [table]})
        signals = _quote(f"{declaration.schema}.{declaration.signal_table}")
        what = "signal of a snapshot"
        strike = f"delete from {signals} where type = %s and data = %s"
        self._execute(what, "start transaction")
        try:
            self._signal(declaration, "execute-snapshot", data)
            self._execute(what, strike, (PROMISED, table))
            self._execute(what, "commit")
        except (Configuration, Retriable):  # a lock wait ends the statement, not the transaction
            self._execute(what, "rollback")
            raise

    def write_signal(self, declaration: Declaration, type_: str, data: str) -> None:
        """Write a row into the signal table."""
        self._signal(declaration, type_, data)

    def check_condition(self, declaration: Declaration, table: str, where: str) -> None:
        """Let the planner read it: a person's own SQL, with the owner's rights."""
        place, where = _quote(f"{declaration.schema}.{table}"), where.replace("%", "%%")
        try:
            self.connection.fetch(f"explain select 1 from {place} where {where}")
        except Retriable as error:
            raise Configuration(f"--where is no condition on {table}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _signal(self, declaration: Declaration, type_: str, data: str) -> None:
        signals = _quote(f"{declaration.schema}.{declaration.signal_table}")
        self._execute(
            "signal of a snapshot",
            f"insert into {signals} (id, type, data) values (%s, %s, %s)",
            (f"isthmus-{secrets.token_hex(8)}", type_, data),
        )

    def _read_columns(self, table: str) -> tuple[str, ...]:
        rows = self.connection.fetch(_COLUMNS, tuple(table.split(".", 1)))
        return tuple(str(name) for (name,) in rows)

    def _execute(self, what: str, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        try:
            self.connection.fetch(statement, parameters)
        except Retriable as error:
            if is_passing(error):
                raise Retriable(
                    f"cannot make {what} just now: {error}: end the transaction that holds the "
                    "lock, or wait, and do it again"
                ) from error
            raise Configuration(f"cannot make {what} with the owner's rights: {error}") from error


def _quote(table: str) -> str:
    return ".".join("`" + part.replace("`", "``") + "`" for part in table.split(".", 1))
