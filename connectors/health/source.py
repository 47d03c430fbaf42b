"""Reads the legacy database's side of a capture: where its log is, slots and publications.

Enters: a connection with the owner's rights. Leaves: facts; nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.database import read_publications
from connectors.health.facts import Checkpoint, SlotFacts, SourceFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg

    from connectors.names import ModuleNames

# what is not flushed a crash may take back, and no connector has it
_SERVER = """
select (select system_identifier::text from pg_control_system()),
       case when not pg_is_in_recovery()
            then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end,
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
             else pg_current_wal_flush_lsn() end - '0/0'::pg_lsn)::bigint,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       (checkpoint_lsn - '0/0'::pg_lsn)::bigint,
       (split_part(next_xid, ':', 1)::bigint << 32) + split_part(next_xid, ':', 2)::bigint
from pg_control_checkpoint()
"""

_POSITION = """
select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
             else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::bigint
"""

# a server before 17 does not know the setting
_STANDBYS = """
select name, exists (select from pg_replication_slots where slot_name = name and active)
from unnest(string_to_array(current_setting('synchronized_standby_slots', true), ',')) listed,
  trim(both ' "' from listed) name where name <> ''
"""

# as JSON: which columns there are depends on the server's version (failover, synced: 17)
_SLOTS = """
select to_jsonb(s) || jsonb_build_object(
    'restart_lsn', (restart_lsn - '0/0'::pg_lsn)::bigint,
    'confirmed_flush_lsn', (confirmed_flush_lsn - '0/0'::pg_lsn)::bigint)
from pg_replication_slots s where slot_name = any(%s)
"""

_ROWS = """
select c.relname, greatest(c.reltuples, 0)::bigint from pg_class c
join pg_namespace n on n.oid = c.relnamespace where n.nspname = %s and c.relname = any(%s)
"""


def read_sources(
    connection: psycopg.Connection, modules: Iterable[ModuleNames]
) -> dict[str, SourceFacts]:
    """Read the database's facts of each module."""
    chosen = list(modules)
    server = connection.execute(_SERVER).fetchone()
    assert server is not None  # noqa: S101 - an expression has one row
    system, timeline, lsn, next_xid, *checkpoint = server
    slots = read_slots(connection, [names.slot for names in chosen])
    standbys = connection.execute(_STANDBYS).fetchall()
    publications = read_publications(connection, [names.publication for names in chosen])
    return {
        names.module: SourceFacts(
            system,
            timeline,
            lsn,
            slots.get(names.slot),
            publications.get(names.publication),
            next_xid,
            Checkpoint(*checkpoint),
            waits_for=tuple(name for name, _ in standbys),
            standbys_gone=tuple(name for name, active in standbys if not active),
        )
        for names in chosen
    }


def read_position(connection: psycopg.Connection) -> int:
    """Read how far the database's log has come, with what is not flushed yet."""
    position = connection.execute(_POSITION).fetchone()
    assert position is not None  # noqa: S101 - an expression has one row
    return int(position[0])


def read_slots(connection: psycopg.Connection, names: Iterable[str]) -> dict[str, SlotFacts]:
    """Read those of the named slots that are there, with all that the server tells of them."""
    rows = connection.execute(_SLOTS, (list(names),)).fetchall()
    return {row["slot_name"]: _make_slot(row) for (row,) in rows}


def _make_slot(row: Mapping[str, Any]) -> SlotFacts:
    return SlotFacts(
        name=row["slot_name"],
        active_pid=row["active_pid"],
        restart_lsn=row["restart_lsn"],
        confirmed_lsn=row["confirmed_flush_lsn"],
        wal_status=row["wal_status"],
        safe_wal_bytes=row["safe_wal_size"],
        failover=bool(row.get("failover")),
        synced=bool(row.get("synced")),
        invalidation=row.get("invalidation_reason"),
    )


def estimate_rows(
    connection: psycopg.Connection, schema: str, tables: Iterable[str]
) -> dict[str, int]:
    """Estimate how many rows tables hold, as the planner does; 0 for one never analyzed."""
    rows = connection.execute(_ROWS, (schema, list(tables))).fetchall()
    return dict(rows)
