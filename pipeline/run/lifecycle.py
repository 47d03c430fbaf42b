"""The life of one supervised process as values: starting, running, backing off, given up, stopped.

Enters: what happened and when. Leaves: the next value. Pure: clocks, processes and files are the
supervisor's.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipeline.run.policy import Restart, Spent, decide

SETTLED_S = 5.0
"""A process that has lived for so long is called running; nothing is decided by that."""


class State(enum.StrEnum):
    """How a process is; the text is what people and `run.json` read."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing off"
    GIVEN_UP = "given up"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time on both clocks: `wall` to be read, `s` (monotonic seconds) to count with."""

    wall: datetime
    s: float


@dataclass(frozen=True, slots=True)
class Life:
    """One process. `due_s` is when it is to be started, or else None; `why` tells of a giving up.

    `last_exit` is an exit code, or minus the number of the signal that killed it.
    """

    name: str
    since: datetime
    state: State = State.STOPPED
    pid: int | None = None
    restarts: int = 0
    last_exit: int | None = None
    last_error: str | None = None
    why: str | None = None
    began_s: float | None = None
    due_s: float | None = None
    spent: Spent = field(default_factory=dict)


def plan_life(name: str, now: Moment) -> Life:
    """Begin a life that is to be started at once."""
    return Life(name, now.wall, State.STARTING, due_s=now.s)


def start(life: Life, pid: int, now: Moment) -> Life:
    """Note that it was started, for the first time or again."""
    again = life.state is State.BACKING_OFF
    return replace(
        life,
        state=State.STARTING,
        since=now.wall,
        pid=pid,
        restarts=life.restarts + again,
        began_s=now.s,
        due_s=None,
    )


def settle(life: Life, now: Moment) -> Life:
    """Call it running when it has lived for long enough."""
    if life.state is not State.STARTING or life.began_s is None:
        return life
    if now.s - life.began_s < SETTLED_S:
        return life
    return replace(life, state=State.RUNNING, since=now.wall)


def end(life: Life, exit_code: int, error: str | None, now: Moment) -> Life:
    """Note that it ended unasked: it is to be started again later, or is given up on."""
    ran_s = 0.0 if life.began_s is None else now.s - life.began_s
    ended = replace(
        life, since=now.wall, pid=None, began_s=None, last_exit=exit_code, last_error=error
    )
    decision = decide(exit_code, ran_s, life.spent)
    if isinstance(decision, Restart):
        return replace(
            ended,
            state=State.BACKING_OFF,
            due_s=now.s + decision.after_s,
            spent=decision.spent,
        )
    return replace(ended, state=State.GIVEN_UP, why=decision.why, due_s=None)


def stop(life: Life, exit_code: int | None, error: str | None, now: Moment) -> Life:
    """Note that it ended as it was asked to, or (None) that it was down and stays so.

    What was given up on stays so.
    """
    if life.state is State.GIVEN_UP:
        return life
    stopped = replace(life, state=State.STOPPED, since=now.wall, pid=None, began_s=None, due_s=None)
    if exit_code is None:
        return stopped
    return replace(stopped, last_exit=exit_code, last_error=error)


def next_moment_s(life: Life) -> float | None:
    """Say when time alone will change it: its start is due, or it has settled."""
    if life.due_s is not None:
        return life.due_s
    if life.state is State.STARTING and life.began_s is not None:
        return life.began_s + SETTLED_S
    return None
