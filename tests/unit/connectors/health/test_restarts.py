"""When a failed connector is started again, and when no more."""

from __future__ import annotations

from connectors.health.restarts import (
    FIRST_S,
    LONGEST_S,
    RESTARTS_MAX,
    WELL_S,
    Budget,
    Verdict,
    watch_failure,
    watch_health,
)


def fail_until_given_up() -> tuple[list[float], Budget, float]:
    """Let a connector fail once a second, for ever; return when it was restarted."""
    budget, restarted, now_s = Budget(), [], 0.0
    while True:
        budget, verdict = watch_failure(budget, now_s)
        if verdict is Verdict.RESTART:
            restarted.append(now_s)
        if verdict is Verdict.GIVE_UP:
            return restarted, budget, now_s
        now_s += 1.0


def test_waits_double_up_to_the_longest_and_end() -> None:
    """The waits before the restarts grow by two, and after RESTARTS_MAX it is given up on once."""
    restarted, budget, now_s = fail_until_given_up()
    waits = [after - before for before, after in zip([0.0, *restarted], restarted, strict=False)]
    wanted = [min(LONGEST_S, FIRST_S * 2**number) for number in range(RESTARTS_MAX)]
    assert all(0 <= wait - due <= 1.0 for wait, due in zip(waits, wanted, strict=True))
    assert watch_failure(budget, now_s + 9_999.0) == (budget, Verdict.NOTHING)


def test_a_time_of_health_gives_the_budget_back() -> None:
    """What ran for WELL_S may be restarted as often as at first, also after a giving up."""
    _, budget, now_s = fail_until_given_up()
    budget = watch_health(budget, now_s)
    assert budget.given_up
    assert watch_health(budget, now_s + WELL_S - 1).given_up
    budget = watch_health(budget, now_s + WELL_S)
    assert (budget.restarts, budget.given_up) == (0, False)


def test_a_short_health_between_failures_gives_nothing_back() -> None:
    """A connector that runs for a moment after each restart does not restart for ever."""
    budget, now_s, count = Budget(), 0.0, 0
    for _ in range(20_000):
        budget, verdict = watch_failure(budget, now_s)
        if verdict is Verdict.GIVE_UP:
            break
        if verdict is Verdict.RESTART:
            count += 1
            budget = watch_health(budget, now_s + 1)
        now_s += 2.0
    assert count == RESTARTS_MAX
