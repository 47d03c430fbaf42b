"""The policy: what each kind of end is answered with, and when its budget is spent."""

from __future__ import annotations

import signal

import pytest

from pipeline.run.policy import (
    RULES,
    Cost,
    Ending,
    GiveUp,
    Restart,
    Spent,
    classify,
    decide,
    describe_exit,
)


def follow(exit_code: int, ran_s: float, ends: int) -> tuple[list[float], str | None]:
    """Answer the same end again and again: the waits, and why it was given up on at last."""
    spent: Spent = {}
    waits: list[float] = []
    for _ in range(ends):
        decision = decide(exit_code, ran_s, spent)
        if isinstance(decision, GiveUp):
            return waits, decision.why
        waits.append(decision.after_s)
        spent = decision.spent
    return waits, None


def test_a_killed_process_comes_back_at_once_and_then_ever_later() -> None:
    """The waits double from half a second up to half a minute."""
    waits, _ = follow(-signal.SIGKILL, ran_s=3, ends=9)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_process_that_is_always_killed_is_given_up_on() -> None:
    """Twenty restarts in a row are the bound."""
    waits, why = follow(-signal.SIGSEGV, ran_s=3, ends=100)
    assert len(waits) == 20
    assert why == "SIGSEGV, after 20 restarts in a row"


def test_a_server_may_be_away_for_a_night() -> None:
    """Unreachable is answered for about a day, at most every half minute."""
    waits, why = follow(3, ran_s=2, ends=10_000)
    assert waits[:3] == [1, 2, 4]
    assert max(waits) == 30
    assert 23 < sum(waits) / 3600 < 25
    assert why is not None


def test_a_failure_gets_three_late_restarts() -> None:
    """Exit code 1 needs a person, unless it was fenced by a zombie that is gone soon."""
    waits, why = follow(1, ran_s=200, ends=10)
    assert waits == [10, 40, 160]
    assert why == "exit code 1, after 3 restarts in a row"


def test_bad_configuration_is_given_up_on_at_once() -> None:
    """Exit code 2 will be 2 again."""
    assert follow(2, ran_s=2, ends=10) == ([], "exit code 2, bad configuration")


@pytest.mark.parametrize(("exit_code", "well_s"), [(-9, 60), (3, 60), (1, 600)])
def test_a_process_that_ran_well_has_its_budget_back(exit_code: int, well_s: float) -> None:
    """It is never given up on while it runs for that long in between."""
    waits, why = follow(exit_code, ran_s=well_s, ends=5_000)
    assert why is None
    assert len(set(waits)) == 1
    assert follow(exit_code, ran_s=well_s - 1, ends=5_000)[1] is not None


def test_each_kind_of_end_has_a_budget_of_its_own() -> None:
    """A process that was killed often still has all the restarts that a failure gets."""
    decision = decide(1, 5, {Ending.KILLED: Cost(19), Ending.UNREACHABLE: Cost(500)})
    spent = {Ending.KILLED: Cost(19, 5), Ending.UNREACHABLE: Cost(500, 5), Ending.FAILED: Cost(1)}
    assert decision == Restart(10, spent)
    assert isinstance(decide(-9, 5, {Ending.KILLED: Cost(20)}), GiveUp)


def test_a_good_run_forgives_only_what_it_was_long_enough_for() -> None:
    """A minute gives the budget of kills back, but not that of failures."""
    decision = decide(-9, 70, {Ending.KILLED: Cost(20), Ending.FAILED: Cost(2)})
    assert decision == Restart(0.5, {Ending.KILLED: Cost(1), Ending.FAILED: Cost(2, 70)})


def test_a_good_run_may_be_interrupted_by_other_ends() -> None:
    """A process that failed once and was killed now and then since has not failed in a row."""
    spent: Spent = {Ending.FAILED: Cost(3)}
    for _ in range(3):
        killed = decide(-9, 250, spent)
        assert isinstance(killed, Restart)
        spent = killed.spent
    assert decide(1, 10, spent) == Restart(10, {Ending.KILLED: Cost(1, 10), Ending.FAILED: Cost(1)})


@pytest.mark.parametrize(
    ("exit_code", "ending"),
    [
        (0, Ending.KILLED),
        (-15, Ending.KILLED),
        (1, Ending.FAILED),
        (2, Ending.MISCONFIGURED),
        (3, Ending.UNREACHABLE),
        (4, Ending.FAILED),
        (120, Ending.FAILED),
    ],
)
def test_every_exit_code_has_a_rule(exit_code: int, ending: Ending) -> None:
    """0 unasked is somebody else's SIGTERM; a code that the program does not have is a failure."""
    assert classify(exit_code) is ending
    assert ending in RULES


def test_an_exit_is_named_as_a_person_would() -> None:
    """Signals have names, even those that have none."""
    assert describe_exit(-9) == "SIGKILL"
    assert describe_exit(1) == "exit code 1"
    assert describe_exit(-40) == "signal 40"
