"""Makes what is declared: observe, compare, check everything, then change, then wait until it runs.

Enters: a Target. Leaves: the Plan, or the servers changed accordingly. Nothing is changed before
the preflight and Connect's own validation have passed; applying twice changes nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.errors import Configuration
from connectors.observation import compare_site
from connectors.options import collect_complaints
from connectors.plan import Action, Change, FieldChange, Kind, Plan, Severity, State
from connectors.preflight.finding import Weight, list_blockers, refuse_blockers
from connectors.saved_plan import refuse_moved
from connectors.seal import FORCED, open_config, seal_config
from connectors.servers import Servers, open_servers
from connectors.target import Target, desired_state, resolve_target
from connectors.waiting import (
    RUNNING_TIMEOUT_S,
    describe_states,
    has_failed,
    refuse_failed,
    wait_until_running,
)
from connectors.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.preflight.finding import Finding
    from connectors.saved_plan import SavedPlan

__all__ = [
    "Options",
    "Servers",
    "apply_site",
    "describe_states",
    "judge_site",
    "open_servers",
    "plan_site",
    "refuse_failed",
    "refuse_refused",
    "resolve_site",
    "wait_until_running",
]

_RESTING = ("PAUSED", "STOPPED")
"""Somebody made it rest: it is configured, and left so."""


@dataclass(frozen=True, slots=True)
class Options:
    """What apply may do beyond making what is declared."""

    remove: bool = False
    """Delete connectors that are not declared any more."""
    destroy: bool = False
    """Remove their slots, publications and topics, too."""
    force: bool = False
    """Go on in spite of the preflight's blockers; that is recorded in the connectors."""
    saved: SavedPlan | None = None
    """Make this plan and no other."""


def plan_site(target: Target, servers: Servers, *, destroy: bool = False) -> Plan:
    """Compare the declarations with the servers; what can't be captured is refused."""
    target = resolve_site(target, servers)
    desired = desired_state(target)
    plan = compare_site(target, servers, destroy=destroy)
    accepted = {one for findings in plan.forced.values() for one in findings}
    refuse_blockers(list_blockers(judge_site(target, servers), accepted))
    validate_connectors(servers, desired, plan)
    return plan


def apply_site(
    target: Target,
    servers: Servers,
    options: Options = Options(),
    *,
    report: Callable[[str], None] = lambda _line: None,
    step: Callable[[str], None] = lambda _name: None,
    timeout_s: float = RUNNING_TIMEOUT_S,
) -> Plan:
    """Apply the declarations and wait until every connector and task runs; returns what was done.

    `step` is told each place (connectors.steps) where a crash must do no harm.
    """
    target = resolve_site(target, servers)
    desired = desired_state(target)
    plan = compare_site(target, servers, destroy=options.destroy)
    if options.saved is not None:
        refuse_moved(options.saved, plan)
    refuse_refused(plan)
    forced = _judge(target, servers, plan, options, report)
    plan = _record(plan, forced) if options.force else plan
    validate_connectors(servers, desired, plan)
    configs = {
        name: seal_config(config, forced.get(name, ()))
        for name, config in desired.connectors.items()
    }
    work = Work(target, servers, replace(desired, connectors=configs), options, report, step)
    before = {name: servers.connect.read_status(name) for name in desired.connectors}
    work.make_changes(plan)
    _wait_for_all(work, plan, before, timeout_s)
    work.ask_snapshots(plan)
    return plan


def resolve_site(target: Target, servers: Servers) -> Target:
    """Replace the patterns in the declarations by the tables that are there."""
    return resolve_target(target, servers.source.list_tables)


def judge_site(target: Target, servers: Servers) -> tuple[Finding, ...]:
    """Run the preflight for all modules of the target, whose tables must be resolved."""
    names = {module: target.names(module) for module in target.declarations}
    there = set(servers.connect.list_connectors())
    connected = {module for module, one in names.items() if one.connector in there}
    return servers.source.judge(target.declarations, names, connected)


def _judge(
    target: Target,
    servers: Servers,
    plan: Plan,
    options: Options,
    report: Callable[[str], None],
) -> dict[str, tuple[str, ...]]:
    """Refuse the preflight's blockers; with `force` give those that each connector records."""
    findings = judge_site(target, servers)
    blockers = list_blockers(findings)
    accepted = {one for findings in plan.forced.values() for one in findings}
    new = list_blockers(blockers, accepted)
    if not options.force:
        refuse_blockers(new)
    for one in new:
        report(f"FORCED, in spite of: {one.what}: {one.why}")
    for one in findings:
        if one.severity is Weight.WARNING:
            report(f"warning: {one.what}: {one.why}")
    return {
        target.names(module).connector: tuple(
            one.id for one in blockers if one.module in ("", module)
        )
        for module in target.declarations
    }


def _record(plan: Plan, forced: Mapping[str, tuple[str, ...]]) -> Plan:
    """Add the connectors that nothing else changes, and that have a finding to record."""
    written = {change.name for change in plan.changes if change.kind is Kind.CONNECTOR}
    changes = list(plan.changes)
    for name, findings in sorted(forced.items()):
        before = plan.forced.get(name, ())
        if name not in written and set(findings) - set(before):
            field = FieldChange(FORCED, ", ".join(before) or None, ", ".join(sorted(findings)))
            changes.append(Change(Kind.CONNECTOR, name, Action.UPDATE, (field,)))
    return msgspec.structs.replace(plan, changes=tuple(changes))


def _wait_for_all(
    work: Work,
    plan: Plan,
    before: Mapping[str, Mapping[str, Any] | None],
    timeout_s: float,
) -> None:
    """Wait until every connector runs; those that somebody made rest are left so."""
    changes = [change for change in plan.changes if change.kind is Kind.CONNECTOR]
    changed = {change.name for change in changes}
    begun = {one.name for one in changes if any(field.field == "state" for field in one.fields)}
    client = work.servers.connect
    for name, config in sorted(work.desired.connectors.items()):
        earlier = before[name]
        if earlier is not None and name not in begun:
            if earlier["connector"]["state"] in _RESTING:
                work.report(f"{name} stays {earlier['connector']['state']}")
                continue
            if has_failed(earlier):
                client.restart(name, only_failed=True)
        awaited = config if name in changed else open_config(config)
        wait_until_running(client, name, awaited, before=earlier, timeout_s=timeout_s)
        work.report(f"{name} is running")


def refuse_refused(plan: Plan) -> None:
    """Raise Configuration when the plan holds a change that must not be made."""
    for change in plan.changes:
        for effect in change.effects:
            if effect.severity is Severity.REFUSED:
                raise Configuration(f"{change.kind} {change.name}: {effect.text}")


def validate_connectors(servers: Servers, desired: State, plan: Plan) -> None:
    """Let Connect validate every config that the plan changes; Configuration has its own words.

    A property that no part of Connect or of the plugin reads is refused, too.
    """
    complaints = []
    for change in plan.changes:
        if change.kind is Kind.CONNECTOR and change.action is not Action.REMOVE:
            config = desired.connectors[change.name]
            fields = collect_complaints(config, servers.connect.validate(config))
            complaints += [
                f"connector {change.name}: {field}: {'; '.join(words)}"
                for field, words in sorted(fields.items())
            ]
    if complaints:
        raise Configuration("not valid, nothing was changed:\n" + "\n".join(complaints))
