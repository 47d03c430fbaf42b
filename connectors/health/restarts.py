"""When a failed connector is started again: exponential waits, a bound, and a budget that returns.

Enters: whether it fails or runs, and the time. Leaves: the next value of its budget and whether to
restart it now. Pure; the shape is that of Strimzi's auto-restart, with shorter waits.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

RESTARTS_MAX = 8
FIRST_S = 5.0
LONGEST_S = 600.0
WELL_S = 600.0
"""After so long without a failure the whole budget is back."""


class Verdict(enum.Enum):
    """What is to be done about a connector now."""

    NOTHING = "nothing"
    RESTART = "restart"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Budget:
    """The restarts that a connector has had in a row; times are monotonic seconds.

    `due_s` is when the next one may come, `well_s` since when it has run.
    """

    restarts: int = 0
    due_s: float | None = None
    well_s: float | None = None
    given_up: bool = False


def watch_health(budget: Budget, now_s: float) -> Budget:
    """Note that it runs: after WELL_S of that its budget is whole again."""
    since = now_s if budget.well_s is None else budget.well_s
    if now_s - since >= WELL_S:
        return Budget(well_s=since)
    return replace(budget, due_s=None, well_s=since)


def watch_failure(budget: Budget, now_s: float) -> tuple[Budget, Verdict]:
    """Note that it has failed; say whether it is to be restarted now, later or never again."""
    budget = replace(budget, well_s=None)
    if budget.given_up:
        return budget, Verdict.NOTHING
    if budget.restarts >= RESTARTS_MAX:
        return replace(budget, given_up=True), Verdict.GIVE_UP
    if budget.due_s is None:
        wait_s = min(LONGEST_S, FIRST_S * 2**budget.restarts)
        return replace(budget, due_s=now_s + wait_s), Verdict.NOTHING
    if now_s < budget.due_s:
        return budget, Verdict.NOTHING
    return replace(budget, restarts=budget.restarts + 1, due_s=None), Verdict.RESTART
