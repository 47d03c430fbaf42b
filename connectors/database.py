"""PostgreSQL's side of capture: publications, grants and slots.

Enters: a connection with the owner's rights. Leaves: what is there, as values of connectors.plan;
or the publications and grants, made. Nothing else of the legacy database is ever changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from connectors.errors import Configuration, Fatal, Unreachable
from connectors.plan import Grant, Publication
from legacy_db.keepalive import KEEPALIVE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.declaration import Declaration

CONNECT_TIMEOUT_S = 10

# FOR TABLES IN SCHEMA (15) has no rows in pg_publication_rel, and a server before 15 no filters:
# as JSON these may be absent. The tables as they were named, without their partitions. The view
# pg_publication_tables is not asked: it opens every table, and waits where one is locked.
_PUBLICATIONS = """
with listed as (
    select r.prpubid as publication, n.nspname, c.relname,
           coalesce(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') is not null as filtered
    from pg_publication_rel r
    join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
    {schemas}
), tables as (
    select publication, nspname, relname, bool_or(filtered) as filtered
    from listed group by publication, nspname, relname
)
select p.pubname, p.puballtables, p.pubviaroot,
       concat_ws(', ', case when p.pubinsert then 'insert' end,
                       case when p.pubupdate then 'update' end,
                       case when p.pubdelete then 'delete' end,
                       case when p.pubtruncate then 'truncate' end),
       coalesce(array_agg(t.nspname || '.' || t.relname order by t.nspname, t.relname)
                filter (where t.relname is not null), '{}'),
       coalesce(array_agg(t.nspname || '.' || t.relname order by t.nspname, t.relname)
                filter (where t.filtered), '{}')
from pg_publication p left join tables t on t.publication = p.oid
where p.pubname = any(%s)
group by p.oid
"""
_OF_SCHEMAS = """union all
    select s.pnpubid, n.nspname, c.relname, false
    from pg_publication_namespace s
    join pg_namespace n on n.oid = s.pnnspid join pg_class c on c.relnamespace = n.oid
    where c.relkind in ('r', 'p') and c.relpersistence = 'p' and not c.relispartition"""
_SCHEMAS_SINCE = 15_00_00
"""The server version that has FOR TABLES IN SCHEMA."""

_TABLE_RIGHTS = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = any(%s) and has_table_privilege(%s, c.oid, %s)
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot: who uses it now (a backend's pid, or None)."""

    name: str
    active_pid: int | None


def connect_owner(url: str) -> psycopg.Connection:
    """Connect with the owner's URL (autocommit); Unreachable names the place, no password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise Configuration("the owner's URL is none of PostgreSQL's (postgresql://...)") from error
    place = "{}:{}/{}".format(*(parts.get(key, "?") for key in ("host", "port", "dbname")))
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, **KEEPALIVE)
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"cannot connect to the legacy database {place} as {parts.get('user')}: "
            f"{first_line(error)}"
        ) from error


def first_line(error: Exception) -> str:
    """Give the first line of an error's text; psycopg puts no password there."""
    return str(error).strip().partition("\n")[0]


def is_lost(error: psycopg.OperationalError) -> bool:
    """Tell whether it is the connection that failed: a shutdown, a kill, or no answer at all."""
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def read_publications(
    connection: psycopg.Connection, names: Iterable[str]
) -> dict[str, Publication]:
    """Read those of the named publications that are there."""
    schemas = _OF_SCHEMAS if connection.info.server_version >= _SCHEMAS_SINCE else ""
    query = _PUBLICATIONS.replace("{schemas}", schemas)
    rows = connection.execute(query.encode(), (list(names),)).fetchall()
    return {
        name: Publication(tuple(tables), via_root, operations, tuple(filtered), all_tables)
        for name, all_tables, via_root, operations, tables, filtered in rows
    }


def list_grants(declaration: Declaration) -> frozenset[Grant]:
    """List what the capture role needs for one module: USAGE and SELECT, nothing more.

    Into a signal table Debezium writes its watermarks: there INSERT, too.
    """
    role, schema, signals = declaration.user, declaration.schema, declaration.signal_table
    tables = {Grant(role, "select", schema, table) for table in declaration.published}
    if signals is not None:
        tables.add(Grant(role, "insert", schema, signals))
    return frozenset({Grant(role, "usage", schema), *tables})


def read_grants(connection: psycopg.Connection, declaration: Declaration) -> frozenset[Grant]:
    """Read which of the needed privileges the capture role holds; none when it is not there."""
    role, schema = declaration.user, declaration.schema
    held: set[Grant] = set()
    there = connection.execute("select from pg_roles where rolname = %s", (role,)).fetchone()
    if there is None:
        return frozenset()
    usage = "select has_schema_privilege(%s, oid, 'usage') from pg_namespace where nspname = %s"
    row = connection.execute(usage, (role, schema)).fetchone()
    if row and row[0]:
        held.add(Grant(role, "usage", schema))
    for privilege in ("select", "insert"):
        rows = connection.execute(
            _TABLE_RIGHTS, (schema, list(declaration.published), role, privilege)
        )
        held.update(Grant(role, privilege, schema, table) for (table,) in rows)
    return frozenset(held)


def read_slots(connection: psycopg.Connection, names: Iterable[str]) -> dict[str, Slot]:
    """Read those of the named replication slots that are there."""
    query = "select slot_name, active_pid from pg_replication_slots where slot_name = any(%s)"
    rows = connection.execute(query, (list(names),)).fetchall()
    return {name: Slot(name, pid) for name, pid in rows}


def make_publication(
    connection: psycopg.Connection, name: str, wanted: Publication, *, there: bool
) -> None:
    """Create or change a publication into exactly `wanted`, in one transaction.

    Tables that inherit from a wanted one are not wanted by that.
    """
    tables = sql.SQL(", ").join(
        sql.SQL("only {}").format(_identify(table)) for table in wanted.tables
    )
    options = sql.SQL("(publish = {}, publish_via_partition_root = {})").format(
        sql.Literal(wanted.operations), sql.Literal(wanted.via_root)
    )
    verb = "alter publication {} set table {}" if there else "create publication {} for table {}"
    with explained(f"publication {name}"), connection.transaction():
        connection.execute(sql.SQL(verb).format(sql.Identifier(name), tables))
        connection.execute(
            sql.SQL("alter publication {} set {}").format(sql.Identifier(name), options)
        )


def make_grant(connection: psycopg.Connection, grant: Grant) -> None:
    """Grant the capture role one privilege."""
    place = (
        sql.Identifier(grant.schema, grant.table)
        if grant.table
        else sql.SQL("schema {}").format(sql.Identifier(grant.schema))
    )
    statement = sql.SQL("grant {} on {} to {}").format(
        sql.SQL(grant.privilege), place, sql.Identifier(grant.role)
    )
    with explained(f"grant on {grant.relation}"):
        connection.execute(statement)


def drop_publication(connection: psycopg.Connection, name: str) -> None:
    """Drop a publication, if it is there."""
    with explained(f"publication {name}"):
        connection.execute(sql.SQL("drop publication if exists {}").format(sql.Identifier(name)))


def drop_slot(connection: psycopg.Connection, name: str) -> bool:
    """Drop an inactive slot; False when this user may not."""
    try:
        connection.execute("select pg_drop_replication_slot(%s)", (name,))
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.Error as error:
        raise Fatal(f"cannot drop slot {name}: {first_line(error)}") from error
    return True


def _identify(table: str) -> sql.Identifier:
    schema, _, name = table.partition(".")
    return sql.Identifier(schema, name)


class explained:  # noqa: N801 - reads as a phrase in a `with`
    """Turns PostgreSQL's refusal into a Configuration error that names what was being made."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, psycopg.errors.LockNotAvailable):
            raise Fatal(
                f"{self._what}: its table is in use by a long transaction; nothing more was "
                "changed: end that transaction, or wait, and apply again"
            ) from error
        if isinstance(error, psycopg.OperationalError) and is_lost(error):
            raise Unreachable(
                f"the legacy database went away while {self._what} was made: {first_line(error)}: "
                "see its log, and apply again"
            ) from error
        if isinstance(error, psycopg.Error):
            raise Configuration(
                f"cannot make {self._what} with the owner's rights: {first_line(error)}"
            ) from error
