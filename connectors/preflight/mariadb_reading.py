"""Reads what the preflight must know of a MariaDB or MySQL server, in read-only statements.

Enters: a connection with the owner's rights, and the declarations. Leaves: BinlogFacts. What the
owner may not see is left unknown, and never a statement's text is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.engines.binlog import derive_server_id
from connectors.preflight.mariadb_facts import (
    BinlogFacts,
    BinlogModule,
    BinlogServer,
    BinlogTable,
    CaptureUser,
    LongStatement,
)
from legacy_db.errors import Retriable
from legacy_db.mariadb.column_types import UNSUPPORTED
from legacy_db.mariadb.definition import read_tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from connectors.declaration import Declaration
    from connectors.names import ModuleNames
    from legacy_db.mariadb.connection import MariaDBConnection

STRANGE_CHARSETS = frozenset({"armscii8", "dec8", "geostd8", "hp8", "keybcs2", "macce", "swe7"})
"""Java has no charset that is the same; the nearest one is taken."""

_SERVER_ID = "database.server.id"
_MONITOR = ("BINLOG MONITOR", "REPLICATION CLIENT", "SUPER")
_WRITING = ("SELECT", "INSERT", "DELETE")
_LOCK = ("RELOAD", "LOCK TABLES")

_TABLES = """
select table_name, table_type, coalesce(engine, ''), coalesce(table_rows, 0),
  coalesce(data_length, 0) + coalesce(index_length, 0)
from information_schema.tables where table_schema = %s order by 1
"""
_CASCADES = """
select table_name, constraint_name, delete_rule, update_rule
from information_schema.referential_constraints where constraint_schema = %s order by 1, 2
"""
_CHARSETS = """
select table_name, column_name, character_set_name from information_schema.columns
where table_schema = %s and character_set_name is not null
"""
_PRIVILEGES = """
select privilege_type, '', '' from information_schema.user_privileges where grantee = %s
union all
select privilege_type, table_schema, '' from information_schema.schema_privileges
where grantee = %s
union all
select privilege_type, table_schema, table_name from information_schema.table_privileges
where grantee = %s
"""

Privileges = frozenset[tuple[str, str, str]]
"""Privilege, database and table; '' stands for all of them."""


def read_facts(
    connection: MariaDBConnection,
    declarations: Mapping[str, Declaration],
    names: Mapping[str, ModuleNames],
    connected: Collection[str],
) -> BinlogFacts:
    """Read the facts for the modules of `declarations`; those in `connected` run already."""
    modules = tuple(
        _read_module(connection, one, names[module], connected=module in connected)
        for module, one in sorted(declarations.items())
    )
    running = _try(
        connection,
        "select id, time from information_schema.processlist"
        " where command = 'Query' and id <> connection_id()",
    )
    sees_all = any(
        privilege == "PROCESS" for privilege, _, _ in read_privileges(connection, me(connection))
    )
    statements = tuple(LongStatement(int(id_), int(time or 0)) for id_, time in running or ())
    return BinlogFacts(read_server(connection), modules, statements if sees_all else None)


def read_server(connection: MariaDBConnection) -> BinlogServer:
    """Read settings, replicas, and what the binary log leaves out."""
    settings: dict[str, str] = {
        str(row[0]): str(row[1]) for row in connection.fetch("show global variables")
    }
    state = settings.get("gtid_binlog_state", "")
    days = float(settings.get("expire_logs_days", 0) or 0)
    replicas = _try(connection, "show slave hosts")
    sources = _try(connection, "show all slaves status")
    strict = settings.get("gtid_strict_mode")
    return BinlogServer(
        log_bin=_is_on(settings, "log_bin"),
        format=settings.get("binlog_format", "ROW"),
        row_image=settings.get("binlog_row_image", "FULL"),
        expire_s=max(int(settings.get("binlog_expire_logs_seconds", 0)), int(days * 86_400)),
        compressed=_is_on(settings, "log_bin_compress"),
        gtid_strict=None if strict is None else strict == "ON",
        gtid_domains=len({one.split("-")[0] for one in state.split(",") if one}) or 1,
        server_id=int(settings.get("server_id", 0)),
        read_only=_is_on(settings, "read_only"),
        filtered=_read_filter(connection),
        relays=bool(sources) and not _is_on(settings, "log_slave_updates"),
        replica_ids=None if replicas is None else frozenset(int(row[0]) for row in replicas),
        database=connection.database,
        owner=me(connection),
    )


def me(connection: MariaDBConnection) -> str:
    """Give the owner's own account as `'user'@'host'`."""
    ((account,),) = connection.fetch("select current_user()")
    return quote_account(*str(account).rsplit("@", 1))


def quote_account(user: str, host: str) -> str:
    """Quote an account as information_schema does."""
    return f"'{user}'@'{host}'"


def read_accounts(connection: MariaDBConnection, user: str) -> tuple[str, ...] | None:
    """Read the accounts of a user; None when the owner may not see others than its own."""
    rows = _try(connection, "select user, host from mysql.user where user = %s order by 2", (user,))
    if rows is not None:
        return tuple(quote_account(*row) for row in rows)
    own = me(connection)
    return (own,) if own.startswith(f"'{user}'@") else None


def read_privileges(connection: MariaDBConnection, account: str) -> Privileges:
    """Read what an account holds, on the server, on databases and on tables."""
    rows = connection.fetch(_PRIVILEGES, (account, account, account))
    return frozenset((str(privilege), str(schema), str(table)) for privilege, schema, table in rows)


def holds(privileges: Privileges, privilege: str, schema: str, table: str) -> bool:
    """Tell whether a privilege is held on a table, on its database or everywhere."""
    places = (("", ""), (schema, ""), (schema, table))
    return any((privilege.upper(), *place) in privileges for place in places)


def _read_module(
    connection: MariaDBConnection, declaration: Declaration, names: ModuleNames, *, connected: bool
) -> BinlogModule:
    schema = declaration.schema
    own = tuple(
        one for one in (declaration.barrier_table, declaration.signal_table) if one is not None
    )
    tables = _read_tables(connection, declaration)
    there = {table.name for table in tables}
    override = dict(declaration.config).get(_SERVER_ID)
    return BinlogModule(
        declaration.module,
        schema,
        _read_user(connection, declaration),
        tables,
        absent=tuple(one for one in declaration.tables if one not in there),
        keys=frozenset(table for table, _ in declaration.keys),
        server_id=int(override) if override else derive_server_id(names),
        connected=connected,
        own_tables=own,
        unwritable=_find_unwritable(connection, schema, own, there),
    )


def _read_user(connection: MariaDBConnection, declaration: Declaration) -> CaptureUser:
    accounts = read_accounts(connection, declaration.user)
    missing: list[str] = []
    for account in accounts or ():
        privileges = read_privileges(connection, account)
        held = {privilege for privilege, schema, _ in privileges if not schema}
        local = {
            one for one, schema, table in privileges if schema == declaration.schema and not table
        }
        if "REPLICATION SLAVE" not in held:
            missing.append("REPLICATION SLAVE")
        if held.isdisjoint(_MONITOR):
            missing.append("REPLICATION CLIENT")
        if (held | local).isdisjoint(_LOCK):
            missing.append("RELOAD")
    return CaptureUser(declaration.user, accounts, tuple(dict.fromkeys(missing)))


def _read_tables(
    connection: MariaDBConnection, declaration: Declaration
) -> tuple[BinlogTable, ...]:
    """Read the captured tables that are there, of any kind, and the tables of our own."""
    schema = declaration.schema
    wanted = {*declaration.published, *declaration.captured}
    rows = [row for row in connection.fetch(_TABLES, (schema,)) if row[0] in wanted]
    base = [row[0] for row in rows if row[1] == "BASE TABLE"]
    definitions = read_tables(connection, schema, base, dict(declaration.keys))
    rules: dict[str, list[tuple[str, str, str]]] = {}
    for table, constraint, on_delete, on_update in connection.fetch(_CASCADES, (schema,)):
        rules.setdefault(table, []).append((constraint, on_delete, on_update))
    charsets: dict[str, list[tuple[str, str]]] = {}
    for table, column, charset in connection.fetch(_CHARSETS, (schema,)):
        if charset in STRANGE_CHARSETS:
            charsets.setdefault(table, []).append((column, charset))
    return tuple(
        BinlogTable(
            name,
            kind,
            engine,
            has_key=name not in definitions or bool(definitions[name].key),
            rows=int(count),
            bytes=int(size),
            cascades=_name_cascades(rules.get(name, ()), 1),
            update_cascades=_name_cascades(rules.get(name, ()), 2),
            unsupported=tuple(
                (column.name, column.native or column.type)
                for column in (definitions[name].columns if name in definitions else ())
                if column.type.startswith(UNSUPPORTED)
            ),
            strange_charsets=tuple(charsets.get(name, ())),
        )
        for name, kind, engine, count, size in rows
    )


def _name_cascades(rules: Iterable[tuple[str, str, str]], which: int) -> tuple[str, ...]:
    """Name the foreign keys whose rule on DELETE (1) or UPDATE (2) changes rows by itself."""
    words = {1: "ON DELETE", 2: "ON UPDATE"}[which]
    harmless = ("RESTRICT", "NO ACTION")
    return tuple(
        f"{rule[0]} ({words} {rule[which]})" for rule in rules if rule[which] not in harmless
    )


def _find_unwritable(
    connection: MariaDBConnection, schema: str, own: Iterable[str], there: Collection[str]
) -> tuple[str, ...]:
    """Find tables of our own that the owner may not make or write; roles are not looked into."""
    ((role,),) = _try(connection, "select current_role()") or [(None,)]
    if role is not None:
        return ()
    return list_unwritable(read_privileges(connection, me(connection)), schema, own, there)


def list_unwritable(
    privileges: Privileges, schema: str, own: Iterable[str], there: Collection[str]
) -> tuple[str, ...]:
    """List tables of our own that privileges don't suffice for.

    Old barriers, and promises of a snapshot that are kept, are looked for and removed.
    """
    return tuple(
        table
        for table in own
        if not all(
            holds(privileges, privilege, schema, table)
            for privilege in (*(() if table in there else ("CREATE",)), *_WRITING)
        )
    )


def _read_filter(connection: MariaDBConnection) -> str | None:
    """Say how the binary log leaves the database out; '' when it does not, None when unknown."""
    rows = _try(connection, "show master status")
    if rows is None:
        return None
    if not rows:
        return ""
    kept, left_out = str(rows[0][2] or ""), str(rows[0][3] or "")
    if kept and connection.database not in kept.split(","):
        return f"binlog_do_db = {kept}"
    if connection.database in left_out.split(","):
        return f"binlog_ignore_db = {left_out}"
    return ""


def _is_on(settings: Mapping[str, str], name: str) -> bool:
    return settings.get(name, "OFF") in ("ON", "1")


def _try(
    connection: MariaDBConnection, statement: str, parameters: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]] | None:
    """Fetch rows; None when the server refuses, for want of a right or of such a statement."""
    try:
        return connection.fetch(statement, parameters)
    except Retriable:
        return None
