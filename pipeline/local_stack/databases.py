"""The stack's roles and databases, with the rights that each has; also used for tests' databases.

Enters: a superuser's URL and passwords. Leaves: databases as a cautious administrator would make
them: everyone connects to what is theirs, and only the capture role may replicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pipeline.local_stack.state import ADMIN_ROLE, CAPTURE_ROLE

LEGACY_SCHEMA = "erp"
OWNERS = {"legacy": "erp_owner", "hub": "isthmus_hub", "eu": "store_eu", "us": "store_us"}
"""The databases of a site and who owns them."""
LEGACY_GUESTS = ("erp_app", "isthmus_reader", CAPTURE_ROLE)

_LEGACY_RIGHTS: tuple[LiteralString, ...] = (
    "create schema {schema} authorization erp_owner",
    "grant usage on schema {schema} to erp_app, isthmus_reader",
    *(
        "alter default privileges for role erp_owner in schema {schema} " + grant
        for grant in (
            "grant select on tables to isthmus_reader",
            "grant select, insert, update, delete, truncate on tables to erp_app",
            "grant usage, select on sequences to erp_app",
        )
    ),
)


def create_roles(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Create the roles that are missing; those that are there get their password again."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        known = {name for (name,) in connection.execute("select rolname from pg_roles")}
        for role, password in passwords.items():
            if role == ADMIN_ROLE:
                continue
            verb = sql.SQL("alter" if role in known else "create")
            replication = sql.SQL("replication" if role == CAPTURE_ROLE else "noreplication")
            connection.execute(
                sql.SQL("{} role {} login {} password {}").format(
                    verb, sql.Identifier(role), replication, sql.Literal(password)
                )
            )


def create_databases(admin_url: str, suffix: str = "") -> None:
    """Create those of legacy, hub, eu and us (each + `suffix`) that are missing, with their rights.

    A database appears with its rights or not at all: it is made under another name first.
    """
    with psycopg.connect(admin_url, autocommit=True) as connection:
        known = {name for (name,) in connection.execute("select datname from pg_database")}
        for kind, owner in OWNERS.items():
            name = f"{kind}{suffix}"
            if name in known:
                continue
            scratch = f"{name}_unfinished"
            _execute(connection, "drop database if exists {}", scratch)
            _execute(connection, "create database {} owner {}", scratch, owner)
            _grant_rights(connection, admin_url, scratch, kind)
            _execute(connection, "alter database {} rename to {}", scratch, name)


def _grant_rights(
    connection: psycopg.Connection[tuple[object, ...]], admin_url: str, name: str, kind: str
) -> None:
    _execute(connection, "revoke all on database {} from public", name)
    if kind != "legacy":
        return
    for guest in LEGACY_GUESTS:
        _execute(connection, "grant connect on database {} to {}", name, guest)
    with psycopg.connect(make_conninfo(admin_url, dbname=name)) as inside:
        for statement in _LEGACY_RIGHTS:
            inside.execute(sql.SQL(statement).format(schema=sql.Identifier(LEGACY_SCHEMA)))


def drop_databases(admin_url: str, names: Sequence[str]) -> None:
    """Drop databases with whoever is connected, and the replication slots that they have."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for name in names:
            _drop_slots(connection, name)
            _execute(connection, "drop database if exists {} with (force)", name)


def _drop_slots(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    """End who reads a slot, then drop it; bounded, for a connector may come back in between."""
    for _ in range(20):
        slots = connection.execute(
            "select slot_name, active_pid from pg_replication_slots where database = %s",
            (database,),
        ).fetchall()
        if not slots:
            return
        for slot, pid in slots:
            if pid is not None:
                connection.execute("select pg_terminate_backend(%s, 5000)", (pid,))
            try:
                connection.execute("select pg_drop_replication_slot(%s)", (slot,))
            except (psycopg.errors.ObjectInUse, psycopg.errors.UndefinedObject):
                continue  # taken again or dropped by its owner just now: look anew


def _execute(
    connection: psycopg.Connection[tuple[object, ...]], statement: LiteralString, *names: str
) -> None:
    connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))
