"""Reads what the preflight must know of a PostgreSQL database, in read-only queries.

Enters: a connection with the owner's rights, and the declarations. Leaves: PostgreSQLFacts. What
the owner may not see is left unknown, and never a query's text is read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from connectors.preflight.postgresql_facts import (
    ModuleFacts,
    OpenTransaction,
    PostgreSQLFacts,
    RoleFacts,
    ServerFacts,
    SlotCost,
    TableFacts,
)
from legacy_db import definition
from legacy_db.supported_types import UnsupportedColumn, find_hazards, find_unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connectors.declaration import Declaration

_SERVER = """
select current_setting('server_version_num')::int as version,
  current_setting('wal_level') as wal_level,
  current_setting('max_replication_slots')::int as slots_max,
  current_setting('max_wal_senders')::int as senders_max,
  (select count(*) from pg_stat_replication)::int as senders_used,
  (select setting::int from pg_settings where name = 'max_slot_wal_keep_size') as slot_keep_mb,
  coalesce((select setting::int from pg_settings
            where name = 'idle_replication_slot_timeout'), 0) as idle_slot_timeout_s,
  current_setting('server_encoding') as encoding, pg_is_in_recovery() as in_recovery,
  current_database()::text as database, current_user::text as owner,
  has_database_privilege(current_database(), 'create') as may_create,
  pg_has_role('pg_read_all_stats', 'usage') as sees_all_sessions,
  coalesce(current_setting('synchronized_standby_slots', true), '') as synchronized_slots
"""
_PACE = """
select (wal_bytes / nullif(extract(epoch from now() - stats_reset), 0))::float8 from pg_stat_wal
"""
_SLOTS = """
select slot_name::text, coalesce(database::text, ''), active, coalesce(pg_wal_lsn_diff(
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
  restart_lsn), 0)::int8, coalesce((to_jsonb(s) ->> 'failover')::bool, false)
from pg_replication_slots s order by 1
"""
_ROLE = """
select r.rolcanlogin or r.rolsuper as may_login, r.rolreplication or r.rolsuper as may_replicate,
  r.rolbypassrls or r.rolsuper as sees_all_rows,
  coalesce(r.rolvaliduntil < now(), false) as expired,
  has_database_privilege(r.oid, current_database(), 'connect') as may_connect,
  has_function_privilege(r.oid, e.oid, 'execute') as may_emit,
  array(select distinct on (split_part(setting, '=', 1)) setting from pg_db_role_setting s
        join pg_database d on d.datname = current_database()
          and s.setdatabase in (0, d.oid) and s.setrole in (0, r.oid),
        unnest(s.setconfig) as setting
        where split_part(setting, '=', 1) in ('statement_timeout', 'transaction_timeout',
                                              'idle_in_transaction_session_timeout')
        order by split_part(setting, '=', 1), s.setrole = 0, s.setdatabase = 0) as timeouts
from pg_roles r, (select p.oid from pg_proc p where p.proname = 'pg_logical_emit_message'
                  and p.pronamespace = 'pg_catalog'::regnamespace
                  and p.proargtypes[2] = 'text'::regtype) e
where r.rolname = %s
"""
_HBA_READABLE = "select has_function_privilege('pg_hba_file_rules()', 'execute')"
_HBA = """
select bool_or(type like 'host%%' and auth_method <> 'reject'
  and (database && array['all', current_database()::text, 'samerole', 'sameuser'])
  and (user_name && array['all', %(role)s]
       or exists (select from unnest(user_name) u where left(u, 1) in ('+', '/'))))
from pg_hba_file_rules
"""
_TRANSACTIONS = """
select distinct l.pid, coalesce(a.application_name, '') as application,
  extract(epoch from now() - a.xact_start)::float8 as age_s, a.datname::text as database,
  null as prepared
from pg_locks l left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
  and l.pid <> pg_backend_pid()
union all
select null, '', extract(epoch from now() - prepared)::float8, database::text, gid
from pg_prepared_xacts order by 3 desc nulls last, 1
"""
_TABLES = """
with wanted as (
  select c.*, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %(schema)s and c.relname = any(%(names)s)
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
), leaf as (
  select w.oid as root, l.oid, l.relname, ln.nspname, l.reltuples, l.relreplident
  from wanted w cross join lateral (
    select relid from pg_partition_tree(w.oid) where isleaf and w.relkind = 'p'
    union all select w.oid::regclass where w.relkind <> 'p') t
  join pg_class l on l.oid = t.relid join pg_namespace ln on ln.oid = l.relnamespace
), fit as (
  select f.*, case f.relreplident when 'f' then true when 'n' then false
    when 'i' then exists (select from pg_index i where i.indrelid = f.oid and i.indisreplident
                          and i.indisvalid)
    else exists (select from pg_index i where i.indrelid = f.oid and i.indisprimary
                 and i.indisvalid and i.indimmediate) end as identified
  from leaf f
)
select w.relname::text as name, w.relkind::text as kind, w.relpersistence::text as persistence,
  w.relreplident::text as identity,
  exists (select from pg_index i where i.indrelid = w.oid and i.indisprimary) as has_key,
  coalesce((select bool_and(identified) from fit f where f.root = w.oid), true) as identified,
  array(select format('%%I.%%I', f.nspname, f.relname) from fit f
        where f.root = w.oid and f.oid <> w.oid and not f.identified order by 1)
    as unidentified_partitions,
  w.relrowsecurity as row_security, w.relispartition as is_partition,
  (select count(*) from fit f where f.root = w.oid and f.oid <> w.oid)::int as partitions,
  case when w.relkind = 'r' then (select count(*) from pg_inherits i where i.inhparent = w.oid)
       else 0 end::int as children,
  (select case when bool_and(f.reltuples >= 0 or pg_table_size(f.oid) = 0)
          then coalesce(sum(greatest(f.reltuples, 0)), 0)::int8 end
   from fit f where f.root = w.oid) as rows,
  coalesce((select sum(pg_table_size(f.oid)) from fit f
            where f.root = w.oid and w.relkind in ('r', 'p')), 0)::int8 as bytes,
  pg_has_role(w.relowner, 'usage') as owned,
  pg_has_role(w.relowner, 'usage')
    or has_table_privilege(w.oid, 'select with grant option')
    or (%(role_there)s and has_table_privilege(%(role)s, w.oid, 'select')) as selectable,
  array(select a.attname::text from pg_attribute a where a.attrelid = w.oid and a.attnum > 0
        and not a.attisdropped and a.attgenerated <> '' order by a.attnum) as generated
from wanted w order by w.relname
"""


def read_facts(
    connection: psycopg.Connection[Any],
    declarations: Mapping[str, Declaration],
    slots: Mapping[str, str],
) -> PostgreSQLFacts:
    """Read the facts for the modules of `declarations`; `slots` names the slot of each."""
    server = read_server(connection, [one.user for one in declarations.values()])
    there = {slot.name for slot in server.slots}
    modules = tuple(
        read_module(connection, declaration, slots[module], slot_there=slots[module] in there)
        for module, declaration in sorted(declarations.items())
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_TRANSACTIONS).fetchall()
    return PostgreSQLFacts(server, modules, tuple(OpenTransaction(**row) for row in rows))


def read_server(connection: psycopg.Connection[Any], roles: Iterable[str]) -> ServerFacts:
    """Read settings, slots and the pace of the log."""
    with connection.cursor(row_factory=dict_row) as cursor:
        facts = cursor.execute(_SERVER).fetchone() or {}
    waited_for = facts.pop("synchronized_slots", "").split(",")
    slots = tuple(SlotCost(*row) for row in connection.execute(_SLOTS))
    return ServerFacts(
        **facts,
        slots=slots,
        synchronized_slots=tuple(name.strip(' "') for name in waited_for if name.strip()),
        wal_bytes_per_s=_read_one(connection, _PACE),
        hba_refuses=_is_refused_by_hba(connection, roles),
    )


def read_module(
    connection: psycopg.Connection[Any], declaration: Declaration, slot: str, *, slot_there: bool
) -> ModuleFacts:
    """Read role and tables of one module."""
    role = read_role(connection, declaration.user)
    names = declaration.published
    tables = read_tables(connection, declaration.schema, names, role)
    there = {table.name for table in tables}
    signals = declaration.signal_table
    unsupported = _find_columns(connection, declaration, tables, find_unsupported)
    hazards = _find_columns(connection, declaration, tables, find_hazards)
    return ModuleFacts(
        declaration.module,
        role,
        tuple(
            replace(
                one,
                unsupported=unsupported.get(one.name, ()),
                hazards=hazards.get(one.name, ()),
            )
            for one in tables
        ),
        absent=tuple(f"{declaration.schema}.{one}" for one in names if one not in there),
        slot_there=slot_there,
        keys=frozenset(table for table, _ in declaration.keys),
        own_tables=frozenset({f"{declaration.schema}.{signals}"} if signals else ()),
        slot=slot,
        failover=dict(declaration.config).get("slot.failover") == "true",
    )


def _find_columns(
    connection: psycopg.Connection[Any],
    declaration: Declaration,
    tables: Iterable[TableFacts],
    find: Callable[[definition.Table], list[UnsupportedColumn]],
) -> dict[str, tuple[tuple[str, str, str, str], ...]]:
    """Ask the mirror's own list for columns that it can't have or may lose, but those left out.

    Configuration when a declared key is none that the table can have.
    """
    named = [
        one.name for one in tables if one.kind in ("r", "p") and one.name in declaration.tables
    ]
    left_out = dict(declaration.config).get("column.exclude.list", "").split(",")
    patterns = [re.compile(pattern.strip(), re.IGNORECASE) for pattern in left_out if pattern]
    return {
        name: tuple(
            (one.column, one.type, one.reason, one.advice)
            for one in find(table)
            if not any(
                pattern.fullmatch(f"{declaration.schema}.{name}.{one.column}")
                for pattern in patterns
            )
        )
        for name, table in definition.read_tables(
            connection, declaration.schema, named, dict(declaration.keys)
        ).items()
    }


def read_role(connection: psycopg.Connection[Any], name: str) -> RoleFacts:
    """Read the capture role's attributes and what it may do in this database."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_ROLE, (name,)).fetchone()
    if row is None:
        return RoleFacts(name, there=False)
    timeouts = tuple(one for one in row.pop("timeouts") if one.partition("=")[2] != "0")
    return RoleFacts(name, timeouts=timeouts, **row)


def read_tables(
    connection: psycopg.Connection[Any], schema: str, names: Iterable[str], role: RoleFacts
) -> tuple[TableFacts, ...]:
    """Read those of the named tables that are there, of any kind."""
    parameters = {
        "schema": schema,
        "names": list(names),
        "role": role.name if role.there else "public",
        "role_there": role.there,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_TABLES, parameters).fetchall()
    return tuple(
        TableFacts(
            schema=schema,
            **{
                **row,
                "unidentified_partitions": tuple(row["unidentified_partitions"]),
                "generated": tuple(row["generated"]),
            },
        )
        for row in rows
    )


def _is_refused_by_hba(connection: psycopg.Connection[Any], roles: Iterable[str]) -> bool | None:
    """Tell whether pg_hba.conf has no rule for one of the roles; None where it can't be read."""
    if not _read_one(connection, _HBA_READABLE):
        return None
    try:
        return any(not _read_one(connection, _HBA, {"role": role}) for role in sorted(set(roles)))
    except psycopg.errors.InsufficientPrivilege:
        return None


def _read_one(connection: psycopg.Connection[Any], query: Any, parameters: Any = None) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]
