"""The rules of care: from the facts of one module's capture to what is wrong with it.

Enters: facts and limits. Leaves: findings, gravest cause first; where the log itself is at stake,
what follows from that is not told again. Pure. The figures behind them are in
docs/operating-connectors.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.health.binlog_rules import find_binlog
from connectors.health.config_rules import find_config
from connectors.health.database_rules import find_database, find_publication, find_slot
from connectors.health.facts import MISSING, RESTING
from connectors.health.failures import explain_hopeless, first_line
from connectors.health.finding import Finding, Kind, Remedy, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.health.facts import ModuleFacts
    from connectors.health.finding import Limits

HEARTBEATS_MIN = 5
"""A connector is silent only after so many heartbeats were due."""
HELD_LIMITS = 2
"""A transaction may be open for so many times the silence that is allowed: a lost one times out."""


def find(facts: ModuleFacts, limits: Limits) -> list[Finding]:
    """List what is wrong with one module's capture; nothing when all is well."""
    broken = [*find_database(facts), *find_slot(facts, limits), *find_binlog(facts)]
    broken += find_publication(facts)
    found = [*broken, *find_config(facts)]
    stopping = any(one.remedy is Remedy.STOP for one in found)
    held = list(_find_held(facts, limits))
    return [*found, *held, *_find_connector(facts, limits, stopping=stopping)]


def _find_held(facts: ModuleFacts, limits: Limits) -> Iterator[Finding]:
    """Find a transaction that Kafka never ended: nobody can read what stands behind it."""
    log, held_s = facts.log, facts.held_s
    if log is None or held_s is None or held_s < HELD_LIMITS * limits.silence_s_max:
        return
    topic = f"{facts.connector.name}.changes"
    text = (
        f"{topic} has been held by an open transaction at offset {log.held_at} for {held_s:.0f} s: "
        "nothing behind it can be read. Where `kafka-transactions.sh --bootstrap-server ... "
        "find-hanging --broker-id ...` lists it, Kafka has forgotten to end it: end it by `abort "
        f"--topic {topic} --partition 0 --start-offset {log.held_at}`, and the same producer's in "
        "Connect's offsets topic; its rows are sent again"
    )
    yield Finding(facts.module, Kind.LOG_HELD, Severity.ERROR, text)


def _find_connector(facts: ModuleFacts, limits: Limits, *, stopping: bool) -> Iterator[Finding]:
    connector, module = facts.connector, facts.module
    if connector.state == MISSING:
        yield _missing(facts)
    elif connector.state in RESTING:
        if not stopping:
            text = (
                f"connector {connector.name} is {connector.state}: it captures nothing, and "
                f"{_say_kept(facts)}: `isthmus connectors resume {module}`"
            )
            yield Finding(module, Kind.CONNECTOR_RESTING, Severity.WARNING, text)
    elif connector.failure is not None:
        # what is being stopped for a graver cause is not started again
        yield _failed(facts, remedy=Remedy.NONE if stopping else Remedy.RESTART)
    else:
        yield from _silent(facts, limits, stopping=stopping)


def _missing(facts: ModuleFacts) -> Finding:
    name = facts.connector.name
    if facts.agreed is None and (facts.log is None or not facts.log.high):
        text = f"connector {name} is declared, and Connect has none: `isthmus connectors apply`"
        return Finding(facts.module, Kind.CONNECTOR_MISSING, Severity.ERROR, text)
    text = (
        f"connector {name} was deleted from Connect: nothing is captured, and {_say_kept(facts)}: "
        "`isthmus connectors apply` makes it again, and it goes on where it was"
    )
    return Finding(facts.module, Kind.CONNECTOR_MISSING, Severity.ERROR, text, Remedy.APPLY)


def _say_kept(facts: ModuleFacts) -> str:
    """Say what becomes meanwhile of the log that the connector has not read."""
    wanted = facts.wanted or {}
    if "slot.name" in wanted:
        return "its slot keeps the legacy database's log"
    if "database.server.id" in wanted:
        return "its binary log is kept only for a time (binlog_expire_logs_seconds)"
    return "the legacy database's log is kept only for a time"


def _failed(facts: ModuleFacts, remedy: Remedy) -> Finding:
    connector = facts.connector
    part = connector.failure
    assert part is not None  # noqa: S101 - the caller has seen it
    answer = explain_hopeless(part.trace, facts.module)
    text = f"connector {connector.name}: {part.name} has failed: {first_line(part.trace)}"
    if answer is not None:
        text, remedy = f"{text}; a restart can't help: {answer}", Remedy.NONE
    return Finding(facts.module, Kind.CONNECTOR_FAILED, Severity.ERROR, text, remedy)


def _silent(facts: ModuleFacts, limits: Limits, *, stopping: bool) -> Iterator[Finding]:
    connector, silence_s = facts.connector, facts.silence_s
    if not connector.runs or silence_s is None or facts.running_s is None:
        return
    interval_s, where = _say_heartbeats(facts.wanted or {})
    limit_s = max(limits.silence_s_max, interval_s)
    if min(silence_s, facts.running_s) < limit_s:
        return
    text = (
        f"connector {connector.name} is RUNNING, but has written nothing for {silence_s:.0f} s, "
        f"not even a heartbeat (due within {interval_s:g} s): see Connect's log, and what its "
        f"session in the legacy database waits for ({where})"
    )
    # a snapshot that is restarted begins again: it may only be waiting for a lock; and what starts
    # waits for open transactions, too
    held = facts.log is not None and facts.log.held_at is not None
    waits = stopping or held or connector.reads_snapshot
    remedy = Remedy.NONE if waits else Remedy.RESTART
    yield Finding(facts.module, Kind.CONNECTOR_SILENT, Severity.ERROR, text, remedy)


def _say_heartbeats(wanted: Mapping[str, str]) -> tuple[float, str]:
    """Say within which seconds a heartbeat is surely due, and where sessions are shown.

    By a binary log Debezium writes one only when the server sends something: of itself the server
    does so each 0.8 `connect.keep.alive.interval.ms` (seen with Debezium 3.5.0).
    """
    if "database.server.id" in wanted:
        alive_s = int(wanted.get("connect.keep.alive.interval.ms", "60000")) / 1000
        return 2 * 0.8 * alive_s, "show processlist"
    return HEARTBEATS_MIN * int(wanted.get("heartbeat.interval.ms", "0")) / 1000, "pg_stat_activity"
