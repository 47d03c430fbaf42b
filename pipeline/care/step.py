"""One look at a module: what is told of what was found, and what is done about it.

Enters: findings, what is remembered of the module, the time. Leaves: lines to tell (each thing
once), actions, and what is to be remembered. Pure; the watcher does what it says.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from connectors.health.facts import MISSING, STOPPED
from connectors.health.finding import Finding, Kind, Remedy, Severity
from connectors.health.restarts import Budget, Verdict, watch_failure, watch_health

if TYPE_CHECKING:
    from connectors.health.facts import ModuleFacts

RECOVERED_MS = 60_000
HEAL_AFTER_S = 20.0
HEAL_AGAIN_S = 60.0
"""What could not be applied is not tried again before."""
MENDABLE = {Kind.PUBLICATION_MISSING, Kind.PUBLICATION_CHANGED, Kind.CONFIG_EDITED}
"""What loses changes and is only a matter of the declaration."""
Told = tuple[Kind, Severity]


class Deed(enum.StrEnum):
    """What the watcher does to a connector; DOUBT only notes in the hub what may be missing."""

    STOP = "stop"
    DOUBT = "doubt"
    RESTART = "restart"
    APPLY = "apply"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Action:
    """One deed, and the finding that it answers."""

    deed: Deed
    finding: Finding


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to tell: a finding that is new, or (`over`) one that is gone, or a decision."""

    severity: Severity
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What is remembered of one module between two looks; times are monotonic seconds.

    `held_at` is the offset at which an open transaction holds the change log, `stopped_for` is why
    its connector was stopped by us, `restarted_ms` when it was started again for its silence,
    `heal_due_s` when it is to be applied again. `doubted` are the findings that last, and whose
    doubt is kept in the hub.
    """

    told: frozenset[Told] = frozenset()
    budget: Budget = field(default_factory=Budget)
    running_since_s: float | None = None
    stopped_for: Finding | None = None
    restarted_ms: int | None = None
    heal_due_s: float | None = None
    doubted: frozenset[Kind] = frozenset()
    held_at: int | None = None
    held_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a look leads to."""

    watched: Watched
    lines: tuple[Line, ...] = ()
    actions: tuple[Action, ...] = ()


def watch_running(facts: ModuleFacts, watched: Watched, now_s: float) -> Watched:
    """Remember since when the connector has been seen running without a break."""
    if not facts.connector.runs:
        return replace(watched, running_since_s=None)
    if watched.running_since_s is None:
        return replace(watched, running_since_s=now_s)
    return watched


def watch_log(facts: ModuleFacts, watched: Watched, now_s: float) -> Watched:
    """Remember since when one open transaction has held the change log."""
    held_at = None if facts.log is None else facts.log.held_at
    if held_at == watched.held_at:
        return watched
    return replace(watched, held_at=held_at, held_since_s=None if held_at is None else now_s)


def take_step(
    facts: ModuleFacts, findings: Sequence[Finding], watched: Watched, now_s: float, *, heal: bool
) -> Step:
    """Decide about one module; `heal` says whether what is declared may be applied again."""
    watched = _forget_recovered(facts, watched)
    lines, told = _tell_changes(findings, watched)
    doubted = watched.doubted & {one.kind for one in findings}
    watched = replace(watched, told=told, doubted=doubted)
    actions: list[Action] = []
    stops = [one for one in findings if one.remedy is Remedy.STOP]
    if stops and facts.connector.state not in (STOPPED, MISSING):
        actions.append(Action(Deed.STOP, stops[0]))
        doubted = frozenset()  # it has run since: more may lack than was doubted then
        watched = replace(watched, stopped_for=stops[0], running_since_s=None, doubted=doubted)
    # whoever stopped it, and as often as it takes: only the hub keeps it for a reconciliation
    actions += [
        Action(Deed.DOUBT, one) for one in findings if one.doubt and one.kind not in doubted
    ]
    watched, healing = _heal(findings if heal else (), watched, now_s)
    if stops:
        return Step(watched, tuple(lines), (*actions, *healing))
    if watched.stopped_for is not None:
        mended = _mended(facts, watched, lines, heal=heal)
        return replace(mended, actions=(*actions, *mended.actions))
    watched, more, restarts = _restart(facts, findings, watched, now_s)
    return Step(watched, (*lines, *more), (*actions, *restarts, *healing))


def _heal(
    findings: Sequence[Finding], watched: Watched, now_s: float
) -> tuple[Watched, list[Action]]:
    """Apply again what is only a matter of the declaration, once it has stayed so for a while.

    A person may be at work on it, and two who make one connector undo each other.
    """
    mendable = [
        one
        for one in findings
        if one.remedy is Remedy.APPLY or (one.remedy is Remedy.STOP and one.kind in MENDABLE)
    ]
    hopeless = any(one.remedy is Remedy.STOP and one not in mendable for one in findings)
    if hopeless or not mendable:
        return replace(watched, heal_due_s=None), []
    if watched.heal_due_s is None:
        return replace(watched, heal_due_s=now_s + HEAL_AFTER_S), []
    if now_s < watched.heal_due_s:
        return watched, []
    action = Action(Deed.APPLY, mendable[0])
    return replace(watched, heal_due_s=now_s + HEAL_AGAIN_S), [action]


def _mended(facts: ModuleFacts, watched: Watched, lines: list[Line], *, heal: bool) -> Step:
    """Let a connector that was stopped for what is mended now go on, or wait for a person.

    What ends otherwise than by its declaration is for a person: once somebody has dropped a lost
    slot and forgotten the offsets nothing is amiss, and to go on would be to read all anew, in an
    epoch that is told already.
    """
    cause = watched.stopped_for
    assert cause is not None  # noqa: S101 - the caller has looked
    if facts.connector.state != STOPPED:
        return Step(replace(watched, stopped_for=None), tuple(lines))
    if heal and cause.kind in MENDABLE:
        return Step(replace(watched, stopped_for=None), tuple(lines), (Action(Deed.RESUME, cause),))
    return Step(watched, tuple(lines))


def _forget_recovered(facts: ModuleFacts, watched: Watched) -> Watched:
    """Forget a restart for silence once the log is still written a while after it.

    A connector that starts says so in its log, and may fall silent again behind that.
    """
    last_ms = None if facts.log is None else facts.log.last_ms
    if watched.restarted_ms is None or last_ms is None:
        return watched
    if last_ms - watched.restarted_ms < RECOVERED_MS:
        return watched
    return replace(watched, restarted_ms=None)


def _tell_changes(
    findings: Sequence[Finding], watched: Watched
) -> tuple[list[Line], frozenset[Told]]:
    found = {(one.kind, one.severity): one for one in findings}
    lines = [
        Line(one.severity, one.kind, one.text)
        for key, one in found.items()
        if key not in watched.told
    ]
    kept = set(found)
    kinds = {kind for kind, _ in found}
    for kind, severity in sorted(watched.told - kept):
        if kind is Kind.CONNECTOR_SILENT and watched.restarted_ms is not None:
            kept.add((kind, severity))  # it has been restarted: whether that helped is not known
        elif kind not in kinds:
            lines.append(Line(Severity.INFO, kind, f"{kind}: is over"))
    return lines, frozenset(kept)


def _restart(
    facts: ModuleFacts, findings: Sequence[Finding], watched: Watched, now_s: float
) -> tuple[Watched, list[Line], list[Action]]:
    if facts.connector.runs:
        watched = replace(watched, budget=watch_health(watched.budget, now_s))
    for one in findings:
        if one.remedy is not Remedy.RESTART:
            continue
        if one.kind is Kind.CONNECTOR_SILENT:
            return _restart_silent(facts, one, watched)
        budget, verdict = watch_failure(watched.budget, now_s)
        watched = replace(watched, budget=budget)
        if verdict is Verdict.RESTART:
            return watched, [], [Action(Deed.RESTART, one)]
        if verdict is Verdict.GIVE_UP:
            text = (
                f"given up after {budget.restarts} restarts: {one.text}; correct the cause, then "
                f"`isthmus connectors restart {facts.module}`"
            )
            return watched, [Line(Severity.ERROR, one.kind, text)], []
    return watched, [], []


def _restart_silent(
    facts: ModuleFacts, finding: Finding, watched: Watched
) -> tuple[Watched, list[Line], list[Action]]:
    if watched.restarted_ms is None:
        watched = replace(watched, restarted_ms=facts.now_ms, running_since_s=None)
        return watched, [], [Action(Deed.RESTART, finding)]
    text = f"still so after a restart, which is not tried again: {finding.text}"
    line = Line(Severity.ERROR, finding.kind, text)
    told = (Kind.CONNECTOR_SILENT, Severity.WARNING)  # marks that this was said
    if told in watched.told:
        return watched, [], []
    return replace(watched, told=watched.told | {told}), [line], []
