"""Decides what becomes of a process that has ended by itself: started again later, or given up on.

Enters: how it ended, how long it had run, what it has spent of its restarts. Leaves: a decision.
Pure. Retriable errors and poison never come here: the processes work these off themselves.
"""

from __future__ import annotations

import enum
import signal
from collections.abc import Mapping
from dataclasses import dataclass

DONE = 0
BAD_CONFIGURATION = 2
UNREACHABLE = 3
DOUBLINGS_MAX = 30
"""Exponents beyond this change no wait, for each has its longest."""


class Ending(enum.Enum):
    """What an exit code says; every kind has a budget of restarts of its own."""

    KILLED = "killed"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True)
class Rule:
    """How often in a row an ending is answered with a restart, and after how long.

    The wait begins with `first_s` and grows by `factor` up to `longest_s`. A process that ran for
    `well_s` since it ended so has its whole budget back, whatever else ended it meanwhile.
    """

    restarts_max: int
    first_s: float = 0.0
    factor: float = 2.0
    longest_s: float = 30.0
    well_s: float = 60.0


RULES: Mapping[Ending, Rule] = {
    # kill -9, out of memory, or somebody's SIGTERM: nothing is lost, the next one goes on
    Ending.KILLED: Rule(restarts_max=20, first_s=0.5),
    # a server may be away for a night; this is about a day of attempts
    Ending.UNREACHABLE: Rule(restarts_max=2_880, first_s=1.0),
    # it needs a person, but for one that a zombie fenced: 10, 40 and 160 s later it may be gone
    Ending.FAILED: Rule(restarts_max=3, first_s=10.0, factor=4.0, longest_s=160.0, well_s=600.0),
    # the same files say the same the next time
    Ending.MISCONFIGURED: Rule(restarts_max=0),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Restarts in a row that an ending has cost, and how long the process ran since the last."""

    restarts: int
    ran_s: float = 0.0


Spent = Mapping[Ending, Cost]
"""What each kind of ending has cost; a kind that cost nothing is absent."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again in `after_s` seconds; `spent` counts this restart."""

    after_s: float
    spent: Spent


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it down; `why` is for the person who has to look."""

    why: str


def decide(exit_code: int, ran_s: float, spent: Spent) -> Restart | GiveUp:
    """Decide about a process that ended unasked after `ran_s` seconds.

    `exit_code` is the program's, or minus the signal's number that killed it.
    """
    ending = classify(exit_code)
    rule = RULES[ending]
    aged = {one: Cost(cost.restarts, cost.ran_s + ran_s) for one, cost in spent.items()}
    kept = {one: cost for one, cost in aged.items() if cost.ran_s < RULES[one].well_s}
    used = kept[ending].restarts if ending in kept else 0
    if used < rule.restarts_max:
        grown = rule.first_s * rule.factor ** min(used, DOUBLINGS_MAX)
        return Restart(min(grown, rule.longest_s), {**kept, ending: Cost(used + 1)})
    if ending is Ending.MISCONFIGURED:
        return GiveUp(f"{describe_exit(exit_code)}, bad configuration")
    return GiveUp(f"{describe_exit(exit_code)}, after {used} restarts in a row")


def classify(exit_code: int) -> Ending:
    """Say what an exit code means; 1 and every unknown code are a failure at work."""
    if exit_code <= DONE:  # 0 unasked: somebody else's SIGTERM
        return Ending.KILLED
    if exit_code == BAD_CONFIGURATION:
        return Ending.MISCONFIGURED
    return Ending.UNREACHABLE if exit_code == UNREACHABLE else Ending.FAILED


def describe_exit(exit_code: int) -> str:
    """Name an exit code as a person would: `SIGKILL`, `exit code 1`."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-exit_code}"
