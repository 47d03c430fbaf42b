"""A partition of which nothing comes is told apart from one that has nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.replicate.stall import Stalled, StallWatch

PLACE = ("shop.events", 3)
OTHER = ("shop.events", 1)


@dataclass
class Clock:
    """A clock that is put forward by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def make_watch(**offsets: int) -> tuple[StallWatch, Clock]:
    """Make a watch that asks after 45 s, on PLACE from `reached`."""
    clock = Clock()
    watch = StallWatch(clock)
    watch.restart({PLACE: offsets["reached"]})
    return watch, clock


def test_nobody_asks_while_records_come() -> None:
    """A partition that gave something in the last 45 s is not looked at."""
    watch, clock = make_watch(reached=10)
    clock.now = 44.0
    assert watch.list_silent() == []
    watch.note(PLACE, 11)
    clock.now = 88.0
    assert watch.list_silent() == []
    clock.now = 89.0
    assert watch.list_silent() == [PLACE]


def test_a_quiet_partition_is_no_stalled_one() -> None:
    """As long as the end is where it was read to, it is asked for again every 45 s, no more."""
    watch, clock = make_watch(reached=10)
    for minute in range(1, 4):
        clock.now = 90.0 * minute
        assert watch.list_silent() == [PLACE]
        assert watch.judge([(PLACE, 10)]) == []
        assert watch.list_silent() == []


def test_a_partition_is_stalled_that_is_behind_twice_in_a_row() -> None:
    """Once can be a record that is on its way; twice in 45 s is not."""
    watch, clock = make_watch(reached=10)
    clock.now = 45.0
    assert watch.judge([(PLACE, 12)]) == []
    clock.now = 90.0
    assert watch.judge([(PLACE, 15)]) == [Stalled(PLACE, 10, 15)]


def test_what_comes_in_between_clears_the_suspicion() -> None:
    """A slow partition is no stalled one."""
    watch, clock = make_watch(reached=10)
    clock.now = 45.0
    assert watch.judge([(PLACE, 12)]) == []
    watch.note(PLACE, 11)
    clock.now = 90.0
    assert watch.judge([(PLACE, 15)]) == []


def test_the_end_of_a_partition_counts_behind_the_markers_of_transactions() -> None:
    """Behind the last record stand markers that no reader sees: the client tells its end."""
    watch, clock = make_watch(reached=10)
    watch.note(PLACE, 14)
    watch.note(PLACE, 12)  # a record of before that the reader hands over later
    clock.now = 45.0
    assert watch.judge([(PLACE, 14)]) == []
    clock.now = 90.0
    assert watch.judge([(PLACE, 14)]) == []


def test_a_broker_that_does_not_answer_is_not_asked_all_the_time() -> None:
    """Each question can take seconds, in which nothing else is done."""
    watch, clock = make_watch(reached=10)
    clock.now = 45.0
    watch.postpone()
    assert watch.list_silent() == []
    clock.now = 90.0
    assert watch.list_silent() == [PLACE]


def test_only_what_is_assigned_is_watched() -> None:
    """After a rebalance others are watched, from their own offsets."""
    watch, clock = make_watch(reached=10)
    watch.restart({OTHER: 5})
    watch.note(PLACE, 99)
    clock.now = 45.0
    assert watch.list_silent() == [OTHER]
    assert watch.judge([(PLACE, 200), (OTHER, 5)]) == []
