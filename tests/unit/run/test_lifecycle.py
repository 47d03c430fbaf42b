"""The states of one process, by a clock that is ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.run import lifecycle
from pipeline.run.lifecycle import SETTLED_S, Life, Moment, State

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float) -> Moment:
    """Return the moment so many seconds after noon."""
    return Moment(NOON + timedelta(seconds=seconds), 1000 + seconds)


def started() -> Life:
    """Return a process that was started at noon."""
    return lifecycle.start(lifecycle.plan_life("publish", at(0)), 7, at(0))


def test_a_planned_process_is_due_at_once() -> None:
    """It is starting, without a pid."""
    life = lifecycle.plan_life("publish", at(0))
    assert (life.state, life.pid, life.due_s) == (State.STARTING, None, 1000)


def test_a_process_runs_when_it_has_lived_for_a_while() -> None:
    """Before that it is starting; both say since when."""
    life = started()
    assert lifecycle.settle(life, at(SETTLED_S - 1)) is life
    assert lifecycle.next_moment_s(life) == 1000 + SETTLED_S
    life = lifecycle.settle(life, at(SETTLED_S))
    assert (life.state, life.since) == (State.RUNNING, at(SETTLED_S).wall)
    assert lifecycle.next_moment_s(life) is None
    assert lifecycle.settle(life, at(99)) is life


def test_a_killed_process_backs_off_and_starts_again() -> None:
    """The restart is counted when it takes place, and its last end is remembered."""
    life = lifecycle.end(started(), -9, "it was killed", at(20))
    assert (life.state, life.pid, life.due_s) == (State.BACKING_OFF, None, 1020.5)
    assert (life.last_exit, life.last_error, life.restarts) == (-9, "it was killed", 0)
    assert lifecycle.settle(life, at(99)) is life
    life = lifecycle.start(life, 8, at(21))
    assert (life.state, life.pid, life.restarts, life.due_s) == (State.STARTING, 8, 1, None)
    assert (life.last_exit, life.last_error) == (-9, "it was killed")


def test_a_process_that_fails_again_and_again_stays_down() -> None:
    """After three restarts it is given up on, with the reason and its message."""
    life, now = started(), 0.0
    for restarts in (1, 2, 3):
        life = lifecycle.end(life, 1, "a hole in the log", at(now))
        assert life.due_s is not None
        now = life.due_s - 1000
        life = lifecycle.start(life, 10 + restarts, at(now))
        assert life.restarts == restarts
    life = lifecycle.end(life, 1, "a hole in the log", at(now + 30))
    assert (life.state, life.pid, life.due_s) == (State.GIVEN_UP, None, None)
    assert (life.why, life.last_error) == (
        "exit code 1, after 3 restarts in a row",
        "a hole in the log",
    )
    assert lifecycle.next_moment_s(life) is None


def test_a_long_good_run_forgives_the_failures_before_it() -> None:
    """How long it ran is counted from its start, not from its last change of state."""
    life, now = started(), 0.0
    for _ in range(10):
        life = lifecycle.settle(life, at(now + SETTLED_S))
        life = lifecycle.end(life, 1, None, at(now + 600))
        assert life.state is State.BACKING_OFF
        assert life.due_s is not None
        now = life.due_s - 1000
        life = lifecycle.start(life, 8, at(now))
    assert life.restarts == 10


def test_a_process_that_was_asked_to_end_is_stopped() -> None:
    """Its exit code is noted and nothing is due."""
    life = lifecycle.stop(started(), 0, None, at(3))
    assert (life.state, life.pid, life.last_exit, life.due_s) == (State.STOPPED, None, 0, None)


def test_a_process_that_waits_for_its_restart_is_stopped_too() -> None:
    """What it ended with before stays known."""
    life = lifecycle.end(started(), 3, "no broker", at(3))
    life = lifecycle.stop(life, None, None, at(4))
    assert (life.state, life.last_exit, life.last_error) == (State.STOPPED, 3, "no broker")
    assert lifecycle.next_moment_s(life) is None


def test_what_was_given_up_on_stays_so_in_the_end() -> None:
    """A shutdown does not make a finding unseen."""
    life = lifecycle.end(started(), 2, "no such module", at(1))
    assert lifecycle.stop(life, None, None, at(2)) is life
