"""PostgreSQL: publications, grants, replica identities, slots, and a signal table where declared.

Enters: a connection with the owner's rights (autocommit). Leaves: see Source.
"""

from __future__ import annotations

import json
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql

from connectors import database
from connectors.errors import Configuration, Fatal
from connectors.plan import Kind, Publication
from connectors.preflight import postgresql, postgresql_reading
from connectors.preflight.postgresql_facts import RoleFacts
from connectors.sources.source import PROMISED, Beginning, DatabaseSide, SlotState, TableSize
from legacy_db.catalogue import list_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from connectors.declaration import Declaration
    from connectors.names import ModuleNames
    from connectors.plan import Change, State
    from connectors.preflight.finding import Finding
    from connectors.sources.source import Offsets

LOCK_TIMEOUT_MS = 5_000
"""How long an ALTER waits for a table's running transactions; who comes later waits behind it."""

SIGNAL_COLUMNS = ("id", "type", "data")

_IDENTITIES = {"d": "default", "n": "nothing", "f": "full", "i": "index"}

_COLUMNS = """
select a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
_LEAVES = """
select ln.nspname, l.relname, l.relreplident from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral (select relid from pg_partition_tree(c.oid)
                    union select c.oid::regclass) t
join pg_class l on l.oid = t.relid join pg_namespace ln on ln.oid = l.relnamespace
where n.nspname = %s and c.relname = %s
"""
_SLOTS = """
select slot_name, active, coalesce(pg_wal_lsn_diff(
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
    restart_lsn), 0)::int8,
  (confirmed_flush_lsn - '0/0'::pg_lsn)::int8, wal_status = 'lost'
from pg_replication_slots where slot_name = any(%s)
"""


def want_postgresql(declaration: Declaration, names: ModuleNames) -> DatabaseSide:
    """Say what a declaration asks of the database; pure."""
    schema = declaration.schema
    signals = declaration.signal_table
    return DatabaseSide(
        {names.publication: Publication(tuple(f"{schema}.{one}" for one in declaration.published))},
        database.list_grants(declaration),
        {f"{schema}.{signals}": SIGNAL_COLUMNS} if signals else {},
        {f"{schema}.{table}": "full" for table, _ in declaration.keys},
    )


class PostgreSQLSource:
    """One PostgreSQL database."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def list_tables(self, declaration: Declaration) -> list[str]:
        """List the tables of the declared schema, partitions left out."""
        return list_tables(self.connection, declaration.schema)

    def observe(self, declarations: Iterable[Declaration], desired: State) -> DatabaseSide:
        """Read publications, grants, signal tables and replica identities."""
        grants = (database.read_grants(self.connection, one) for one in declarations)
        tables = {name: self._read_columns(name) for name in desired.tables}
        identities = {name: self._read_identity(name) for name in desired.identities}
        return DatabaseSide(
            database.read_publications(self.connection, desired.publications),
            frozenset().union(*grants),
            {name: columns for name, columns in tables.items() if columns},
            {name: identity for name, identity in identities.items() if identity},
        )

    def measure(self, declarations: Iterable[Declaration]) -> dict[str, TableSize]:
        """Read the sizes of the declared tables."""
        nobody = RoleFacts("", there=False)
        return {
            table.full_name: TableSize(table.rows, table.bytes)
            for one in declarations
            for table in postgresql_reading.read_tables(
                self.connection, one.schema, one.tables, nobody
            )
        }

    def read_slots(self, names: Iterable[str]) -> dict[str, SlotState]:
        """Read the named slots that are there."""
        rows = self.connection.execute(_SLOTS, (list(names),))
        return {row[0]: SlotState(*row) for row in rows}

    def find_publications(self, names: Iterable[str]) -> frozenset[str]:
        """Find those of the named publications that are there."""
        return frozenset(database.read_publications(self.connection, names))

    def watch_beginning(
        self,
        declaration: Declaration,  # noqa: ARG002 - other engines need it
        names: ModuleNames,
    ) -> Callable[[Offsets], Beginning]:
        """Look at the module's slot now, to compare offsets with it later."""
        return partial(compare_beginning, self.read_slots([names.slot]).get(names.slot))

    def judge(
        self,
        declarations: Mapping[str, Declaration],
        names: Mapping[str, ModuleNames],
        connected: Collection[str],  # noqa: ARG002 - a slot tells it better
    ) -> tuple[Finding, ...]:
        """Find what would make capture fail or hurt."""
        slots = {module: names[module].slot for module in declarations}
        return postgresql.judge(postgresql_reading.read_facts(self.connection, declarations, slots))

    def make(self, desired: State, change: Change) -> None:
        """Make a table, a replica identity, a publication or a grant."""
        if change.kind is Kind.PUBLICATION:
            there = bool(database.read_publications(self.connection, [change.name]))
            wanted = desired.publications[change.name]
            database.make_publication(self.connection, change.name, wanted, there=there)
        elif change.kind is Kind.GRANT:
            for grant in desired.grants:
                if change.fields[0].field == grant.privilege and change.name == grant.name:
                    database.make_grant(self.connection, grant)
        elif change.kind is Kind.TABLE:
            self._execute(
                f"table {change.name}",
                "create table if not exists {} (id text primary key, type text, data text)",
                change.name,
            )
        else:
            for schema, table, identity in self._read_leaves(change.name):
                if identity != "f":
                    self._execute(
                        f"replica identity of {schema}.{table}",
                        "alter table {} replica identity full",
                        f"{schema}.{table}",
                    )

    def drop(self, change: Change, report: Callable[[str], None]) -> None:
        """Drop a slot or a publication."""
        if change.kind is Kind.PUBLICATION:
            database.drop_publication(self.connection, change.name)
            report(f"dropped publication {change.name}")
        elif not database.read_slots(self.connection, [change.name]):
            report(f"replication slot {change.name} is gone already")
        elif database.drop_slot(self.connection, change.name):
            report(f"dropped replication slot {change.name}")
        else:
            raise Fatal(  # behind it stand the topics by which the slot is known as left behind
                f"the owner may not drop replication slot {change.name}; an administrator, or the "
                f"capture role, must run: select pg_drop_replication_slot('{change.name}'); then "
                "apply again: what is left is removed then"
            )

    def read_pending(self, declaration: Declaration) -> tuple[str, ...]:
        """Read the promises in the signal table; () when there is none."""
        signals = declaration.signal_table
        if signals is None or not self._read_columns(f"{declaration.schema}.{signals}"):
            return ()
        statement = sql.SQL("select data from {} where type = %s order by 1").format(
            sql.Identifier(declaration.schema, signals)
        )
        rows = self.connection.execute(statement, (PROMISED,))
        return tuple(dict.fromkeys(data for (data,) in rows))

    def promise_snapshots(self, declaration: Declaration, tables: Iterable[str]) -> None:
        """Write a row for each table that has none yet."""
        known = set(self.read_pending(declaration))
        statement = sql.SQL("insert into {} (id, type, data) values (%s, %s, %s)").format(
            self._signals(declaration)
        )
        with database.explained("note of a snapshot"), self.connection.transaction():
            for table in sorted(set(tables) - known):
                self.connection.execute(statement, (_make_id(), PROMISED, table))

    def ask_snapshot(self, declaration: Declaration, table: str) -> None:
        """Write the signal for one table and strike the promise."""
        data = json.dumps({"type": "incremental", "data-collections": [table]})
        signals = self._signals(declaration)
        with database.explained("signal of a snapshot"), self.connection.transaction():
            self.connection.execute(
                sql.SQL("insert into {} (id, type, data) values (%s, %s, %s)").format(signals),
                (_make_id(), "execute-snapshot", data),
            )
            self.connection.execute(
                sql.SQL("delete from {} where type = %s and data = %s").format(signals),
                (PROMISED, table),
            )

    def write_signal(self, declaration: Declaration, type_: str, data: str) -> None:
        """Write a row into the signal table."""
        statement = sql.SQL("insert into {} values (%s, %s, %s)").format(self._signals(declaration))
        with database.explained(f"signal for {declaration.module}"):
            self.connection.execute(statement, (_make_id(), type_, data))

    def check_condition(self, declaration: Declaration, table: str, where: str) -> None:
        """Let the planner read it: a person's own SQL, with the owner's rights."""
        query = sql.SQL("explain select from {} where {}").format(
            sql.Identifier(declaration.schema, table), sql.SQL(where)
        )
        try:
            self.connection.execute(query)
        except psycopg.Error as error:
            raise Configuration(
                f"--where is no condition on {table}: {database.first_line(error)}"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    @staticmethod
    def _signals(declaration: Declaration) -> sql.Identifier:
        return sql.Identifier(declaration.schema, declaration.signal_table or "")

    def _read_columns(self, table: str) -> tuple[str, ...]:
        rows = self.connection.execute(_COLUMNS, tuple(table.split(".", 1)))
        return tuple(name for (name,) in rows)

    def _read_leaves(self, table: str) -> list[tuple[str, str, str]]:
        return self.connection.execute(_LEAVES, tuple(table.split(".", 1))).fetchall()

    def _read_identity(self, table: str) -> str:
        """Read a table's replica identity: 'full' only when all of its partitions have it."""
        found = {identity for _, _, identity in self._read_leaves(table)} or {""}
        worst = min(found - {"f"}, default="f")
        return _IDENTITIES.get(worst, "")

    def _execute(self, what: str, statement: LiteralString, table: str) -> None:
        """Execute a statement about one table; it does not wait long for the table's users."""
        with database.explained(what), self.connection.transaction():
            self.connection.execute(
                sql.SQL("set local lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT_MS))
            )
            composed = sql.SQL(statement).format(sql.Identifier(*table.split(".", 1)))
            self.connection.execute(composed)


def compare_beginning(slot: SlotState | None, offsets: Offsets) -> Beginning:
    """Compare a connector's offsets with its slot's place.

    Debezium moves the slot only after its offsets are committed: an offset behind the slot is an
    old one, or somebody moved the slot. PostgreSQL would go on at the slot without a word.
    """
    positions = [position for one in offsets if (position := _read_position(one["offset"]))]
    if not positions or slot is None or slot.flushed is None:
        return Beginning(any(one["offset"] for one in offsets), slot is not None)
    behind = slot.flushed - max(positions)
    lost = ""
    if behind > 0:
        lost = (
            f"this offset lies {behind:,} bytes of log behind the place from which slot "
            f"{slot.name} can go on"
        )
    return Beginning(goes_on=True, anchored=True, lost=lost)


def _read_position(offset: Mapping[str, Any] | None) -> int:
    """Give the LSN up to which a connector has told everything; 0 when it does not say."""
    keys = ("lsn", "lsn_proc", "lsn_commit")
    values = ((offset or {}).get(key) for key in keys)
    return max((int(value) for value in values if value is not None), default=0)


def _make_id() -> str:
    return f"isthmus-{secrets.token_hex(8)}"
