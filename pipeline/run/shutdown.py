"""When each process is asked to end: against the way of the data nothing may pile up or be lost.

Enters: which stages still live and how long the shutdown has lasted. Leaves: who may be asked now,
and when what is left is killed. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

STAGE_S = 2.0
"""How long a stage is waited for before the next one is asked too: the last has 5 s at least."""
TERM_S = 9.0
"""After so long what is left gets SIGKILL; one second stays for that, of ten in total."""


class Stage(enum.IntEnum):
    """The way of the data, which is the order of the shutdown."""

    TRANSLATE = 0
    PUBLISH = 1
    REPLICATE = 2


def may_ask(stage: Stage, living: Collection[Stage], elapsed_s: float) -> bool:
    """Say whether a stage may be asked to end: those before it are gone, or had their time."""
    return elapsed_s >= stage * STAGE_S or not any(one < stage for one in living)


def next_moment_s(elapsed_s: float) -> float:
    """Return how many seconds are left until time alone changes what is to be done."""
    marks = [stage * STAGE_S for stage in Stage] + [TERM_S]
    return min((mark - elapsed_s for mark in marks if mark > elapsed_s), default=0.0)
