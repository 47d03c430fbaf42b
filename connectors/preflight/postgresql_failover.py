"""The rules of PostgreSQL's preflight for failover slots (`slot.failover` in a declaration).

Enters: one module's ModuleFacts. Leaves: findings, pure. What the standby is told can't be seen
from the primary: docs/connectors/postgresql.md has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.preflight.finding import Finding, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.preflight.postgresql_facts import ModuleFacts, ServerFacts

FAILOVER_VERSION = 170000
_RELOAD = "select pg_reload_conf();"


def judge_failover(module: ModuleFacts, server: ServerFacts) -> Iterator[Finding]:
    """Judge whether a module that is to survive a failover can."""
    if not module.failover:
        return
    if server.version < FAILOVER_VERSION:
        yield Finding(
            Weight.WARNING,
            "failover_version",
            module.slot,
            f"slot.failover is declared, and the server is PostgreSQL {server.version // 10000}",
            "failover slots are of 17 and newer: Debezium makes an ordinary one, which is not on "
            "the new primary after a failover: the module is read anew then",
            module=module.module,
        )
        return
    there = {slot.name: slot for slot in server.slots}
    if module.slot in there and not there[module.slot].failover:
        yield Finding(
            Weight.WARNING,
            "failover_slot",
            module.slot,
            f"slot.failover is declared, and slot {module.slot}, which is there, is no failover "
            "slot",
            "Debezium does not change a slot: after a failover it is not on the new primary, and "
            "the module is read anew",
            "-- while the connector is stopped, in a session with replication=database: "
            f"ALTER_REPLICATION_SLOT {module.slot} (FAILOVER true);",
            module=module.module,
        )
    if not server.synchronized_slots:
        yield Finding(
            Weight.WARNING,
            "failover_ahead",
            "synchronized_standby_slots",
            "no standby is waited for: synchronized_standby_slots is empty",
            "a connector may have told what the standby has not: after a failover that never "
            "happened, and the module is read anew",
            "alter system set synchronized_standby_slots = '...'; -- the physical slots that "
            f"standbys stream by; then: {_RELOAD}",
        )
    gone = [
        name for name in server.synchronized_slots if name not in there or not there[name].active
    ]
    if gone:
        yield Finding(
            Weight.WARNING,
            "failover_stalls",
            "synchronized_standby_slots",
            f"no standby streams by {', '.join(gone)}, which synchronized_standby_slots names",
            "the senders of all failover slots wait for it: connectors are RUNNING and silent",
            "alter system set synchronized_standby_slots = ''; -- until there is a standby again; "
            f"then: {_RELOAD}",
        )
