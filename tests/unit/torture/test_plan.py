"""The plan of a torture is decided by its seed and leaves nothing out."""

from __future__ import annotations

from collections import Counter

import pytest
from torture.plan import Kind, choose_targets, count_pairs, make_plan

PROCESSES = ("translate-sales", "publish", "replicate-eu")
TARGETS = choose_targets(PROCESSES, supervisor="run")


def test_a_seed_gives_one_plan() -> None:
    """The same seed gives the same faults, another seed gives others."""
    plan = make_plan(7, seconds=600, spacing_s=10, targets=TARGETS)
    assert plan == make_plan(7, seconds=600, spacing_s=10, targets=TARGETS)
    assert plan != make_plan(8, seconds=600, spacing_s=10, targets=TARGETS)


@pytest.mark.parametrize("seed", range(20))
def test_an_hour_holds_every_fault_for_every_target(seed: int) -> None:
    """Within 60 minutes at least 200 faults strike, among them every kind on each target of it."""
    plan = make_plan(seed, seconds=3_600, spacing_s=14, targets=TARGETS)
    assert len(plan.faults) >= 200
    struck = {(fault.kind, fault.target) for fault in plan.faults}
    assert len(struck) == count_pairs(TARGETS)


@pytest.mark.parametrize("seed", range(20))
def test_two_minutes_hold_every_kind(seed: int) -> None:
    """As few faults as two minutes have are of every kind."""
    plan = make_plan(seed, seconds=120, spacing_s=10, targets=TARGETS)
    assert {fault.kind for fault in plan.faults} == set(Kind)


@pytest.mark.parametrize("seed", range(5))
def test_kinds_strike_in_proportion_to_their_targets(seed: int) -> None:
    """After each pack of all faults every one of them has struck as often as the others."""
    pairs = count_pairs(TARGETS)
    plan = make_plan(seed, seconds=3 * pairs * 10, spacing_s=10, targets=TARGETS)
    counts = Counter((fault.kind, fault.target) for fault in plan.faults)
    assert set(counts.values()) == {3}


def test_faults_begin_in_order_within_the_run() -> None:
    """Faults are in the order of their beginnings, and the last begins before the end."""
    plan = make_plan(3, seconds=300, spacing_s=12, targets=TARGETS)
    begins = [fault.at_s for fault in plan.faults]
    assert begins == sorted(begins)
    assert begins[-1] <= plan.seconds
