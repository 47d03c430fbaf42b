"""The rules of PostgreSQL's preflight for the server, the capture role and open transactions.

Enters: PostgreSQLFacts. Leaves: findings, pure. Rules for tables are in postgresql_tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.preflight.finding import Finding, Weight, sort_findings
from connectors.preflight.postgresql_facts import UNLIMITED
from connectors.preflight.postgresql_failover import judge_failover
from connectors.preflight.postgresql_tables import judge_tables
from connectors.quoting import name_sql, text_sql
from connectors.sizes import say_bytes, say_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.preflight.postgresql_facts import (
        OpenTransaction,
        PostgreSQLFacts,
        RoleFacts,
        ServerFacts,
    )

VERSION_MIN = 150000
"""Older servers have no `pg_publication_rel.prqual`, which the plan reads."""
KEEP_ADVISED = "10GB"
OLD_TRANSACTION_S = 30.0
_IDLE_TIMEOUT_VERSION = 180000


def judge(facts: PostgreSQLFacts) -> tuple[Finding, ...]:
    """Judge a database for the modules that are to be captured from it, gravest first."""
    new_slots = sum(not module.slot_there for module in facts.modules)
    findings = [
        *_judge_server(facts.server, new_slots),
        *_judge_places(facts.server, new_slots),
        *(one for module in facts.modules for one in _judge_role(module.role, facts.server)),
        *(one for module in facts.modules for one in judge_tables(module, facts.server)),
        *(one for module in facts.modules for one in judge_failover(module, facts.server)),
        *(_judge_transactions(facts) if new_slots else ()),
        *(_tell_costs(facts.server, new_slots) if new_slots else ()),
    ]
    return sort_findings(findings)


def _judge_server(server: ServerFacts, new_slots: int) -> Iterator[Finding]:
    if server.version < VERSION_MIN:
        yield Finding(
            Weight.BLOCKER,
            "version",
            "server_version",
            f"the server is PostgreSQL {server.version // 10000}",
            "the whole way was run with 15 and newer, and the plan reads catalogues that older "
            "servers do not have: upgrade it",
        )
    if server.in_recovery:
        yield Finding(
            Weight.BLOCKER,
            "standby",
            server.database,
            "the owner's URL leads to a standby",
            "publications and grants can't be made there: use the primary's address",
        )
    if server.wal_level != "logical":
        yield Finding(
            Weight.BLOCKER,
            "wal_level",
            "wal_level",
            f"the legacy database has wal_level = {server.wal_level}",
            "its log does not hold what logical decoding needs; set wal_level = logical and "
            "restart the server",
            "alter system set wal_level = 'logical'; -- then restart the server",
        )
    if not server.may_create:
        yield Finding(
            Weight.BLOCKER,
            "create_publication",
            server.owner,
            f"role {server.owner} may not create publications in database {server.database}",
            "the publication is made with its rights",
            f"grant create on database {name_sql(server.database)} to {name_sql(server.owner)};",
        )
    if server.encoding == "SQL_ASCII":
        yield Finding(
            Weight.WARNING,
            "encoding",
            server.database,
            "the database's encoding is SQL_ASCII",
            "PostgreSQL does not know in which encoding its texts are: what is not UTF-8 stops the "
            "connector or arrives garbled",
        )
    yield from _judge_keeping(server, new_slots)


def _judge_keeping(server: ServerFacts, new_slots: int) -> Iterator[Finding]:
    if server.slot_keep_mb == UNLIMITED and (new_slots or server.slots):
        yield Finding(
            Weight.WARNING,
            "slot_keeps_all",
            "max_slot_wal_keep_size",
            "max_slot_wal_keep_size is unlimited",
            "while a connector is down its slot keeps all log from then on, until the legacy "
            "database's disk is full and it stops; with a limit the slot is lost instead, and the "
            "module is read anew",
            f"alter system set max_slot_wal_keep_size = '{KEEP_ADVISED}'; select pg_reload_conf();",
        )
    if server.version >= _IDLE_TIMEOUT_VERSION and server.idle_slot_timeout_s > 0:
        yield Finding(
            Weight.WARNING,
            "idle_slot_timeout",
            "idle_replication_slot_timeout",
            f"idle slots are invalidated after {say_seconds(server.idle_slot_timeout_s)}",
            "a connector that is paused or down for longer can't go on: its module is read anew",
            "alter system set idle_replication_slot_timeout = 0; select pg_reload_conf();",
        )


def _judge_places(server: ServerFacts, new_slots: int) -> Iterator[Finding]:
    """Judge the free replication slots and senders: each connector needs one of both."""
    slots_free = max(server.slots_max - len(server.slots), 0)
    senders_free = max(server.senders_max - server.senders_used, 0)
    if slots_free < new_slots:
        wanted = len(server.slots) + new_slots
        yield Finding(
            Weight.BLOCKER,
            "slots",
            "max_replication_slots",
            f"the legacy database has {slots_free} free replication slots, {new_slots} are needed",
            "each connector reads through a slot of its own; raise max_replication_slots, or drop "
            "unused slots",
            f"alter system set max_replication_slots = {wanted + 2}; -- then restart the server",
        )
    if senders_free < new_slots:
        wanted = server.senders_used + new_slots
        yield Finding(
            Weight.BLOCKER,
            "senders",
            "max_wal_senders",
            f"the legacy database has {senders_free} free WAL senders, {new_slots} are needed",
            "each connector is served by a sender of its own, as each standby is",
            f"alter system set max_wal_senders = {wanted + 2}; -- then restart the server",
        )


def _judge_role(role: RoleFacts, server: ServerFacts) -> Iterator[Finding]:
    name = name_sql(role.name)
    if not role.there:
        yield Finding(
            Weight.BLOCKER,
            "role",
            role.name,
            f"the capture role {role.name!r} is not there",
            "the connector logs in with it; an administrator makes it",
            f"create role {name} login replication password '...';",
        )
        return
    if not (role.may_login and role.may_replicate):
        yield Finding(
            Weight.BLOCKER,
            "role_rights",
            role.name,
            f"the capture role {role.name!r} lacks LOGIN or REPLICATION",
            "it logs in and reads through a replication slot",
            f"alter role {name} login replication;",
        )
    if role.expired:
        yield Finding(
            Weight.BLOCKER,
            "role_expired",
            role.name,
            f"the password of {role.name!r} has expired (VALID UNTIL)",
            "the connector can't log in",
            f"alter role {name} valid until 'infinity';",
        )
    if not role.may_connect:
        yield Finding(
            Weight.BLOCKER,
            "connect",
            role.name,
            f"the capture role {role.name!r} may not connect to database {server.database}",
            "the connector can't log in",
            f"grant connect on database {name_sql(server.database)} to {name};",
        )
    if not role.may_emit:
        yield Finding(
            Weight.BLOCKER,
            "heartbeat",
            role.name,
            f"the capture role {role.name!r} may not execute pg_logical_emit_message",
            "its heartbeats move the slot on while nothing is written to the module's tables; "
            "without them the slot keeps the log of all other tables",
            "grant execute on function pg_logical_emit_message(boolean, text, text, boolean) to "
            f"{name};",
        )
    if server.hba_refuses:
        yield Finding(
            Weight.BLOCKER,
            "pg_hba",
            role.name,
            f"no rule of pg_hba.conf lets {role.name!r} into database {server.database} over TCP",
            "the connector can't log in; a logical connection needs a rule for the database, not "
            "one for the keyword `replication`",
            f"-- in pg_hba.conf: host {server.database} {role.name} <Connect's address> "
            "scram-sha-256; then: select pg_reload_conf();",
        )
    for timeout in role.timeouts:
        setting = timeout.partition("=")[0]
        yield Finding(
            Weight.WARNING,
            "role_timeout",
            f"{role.name} {setting}",
            f"the capture role {role.name!r} has {timeout}",
            "a snapshot is one long transaction: it would be broken off and begin again",
            f"alter role {name} set {setting} = 0;",
        )


def _judge_transactions(facts: PostgreSQLFacts) -> Iterator[Finding]:
    why = (
        "a new slot is ready only when every transaction that had written something by then has "
        "ended: until that the connector waits, and keeps log"
    )
    for one in facts.transactions:
        if one.age_s is not None and one.age_s < OLD_TRANSACTION_S:
            continue
        yield Finding(
            Weight.WARNING,
            "open_transaction",
            one.prepared or f"pid {one.pid}",
            _describe_transaction(one),
            why,
            f"rollback prepared {text_sql(one.prepared)}; -- or commit it, in its database"
            if one.prepared
            else f"select pg_terminate_backend({one.pid}); -- or let it end",
        )
    if not facts.server.sees_all_sessions:
        owner = facts.server.owner
        yield Finding(
            Weight.NOTICE,
            "hidden_sessions",
            owner,
            f"role {owner} does not see how old other roles' transactions are",
            "an old one is told without its age, and may be a young one",
            f"grant pg_read_all_stats to {name_sql(owner)};",
        )


def _describe_transaction(one: OpenTransaction) -> str:
    age = "of unknown age" if one.age_s is None else f"{say_seconds(one.age_s)} old"
    place = f" in {one.database}" if one.database else ""
    if one.prepared:
        return f"a prepared transaction {one.prepared!r}{place}, {age}"
    application = f" ({one.application})" if one.application else ""
    return f"an open transaction of pid {one.pid}{application}{place}, {age}"


def _tell_costs(server: ServerFacts, new_slots: int) -> Iterator[Finding]:
    held = sum(slot.retained_bytes for slot in server.slots)
    idle = [slot.name for slot in server.slots if not slot.active]
    rate = server.wal_bytes_per_s
    pace = (
        "the pace of its log can't be told"
        if rate is None
        else f"at its mean pace an hour without the connector holds back {say_bytes(rate * 3600)}"
    )
    there = f"slots that are there: {len(server.slots)}, which hold back {say_bytes(held)}"
    yield Finding(
        Weight.NOTICE,
        "slot_cost",
        server.database,
        f"new replication slots: {new_slots}; each keeps log until its connector has read it, and "
        f"{pace}",
        f"every slot's sender decodes the whole log, also what other slots read; {there}"
        + (f"; nobody reads {', '.join(sorted(idle))}" if idle else ""),
    )
