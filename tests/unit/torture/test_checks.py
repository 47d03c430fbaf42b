"""The checks of a torture see what they are there for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from torture.pulse import Beat, find_recovery
from torture.summary import Injected, RunFacts, write_summary
from torture.topic_order import Seen, TopicCheck, find_reordered
from torture.whole_order import find_half

NUMBERS = {"a": 1, "b": 2, "c": 3, "bar": 4}


def check(
    *records: tuple[int, str] | tuple[int, str, bytes], numbers: dict[str, int] = NUMBERS
) -> list[str]:
    """Check records (partition, id, digest) of a topic with two partitions."""
    made = TopicCheck("sales", numbers, frozenset({"bar"}) & numbers.keys(), partitions=2)
    for offset, (partition, event_id, *digest) in enumerate(records):
        made.take(Seen(partition, offset, event_id, digest[0] if digest else b""))
    return made.finish()


def test_a_topic_in_order_with_whole_repeats_is_fine() -> None:
    """Numbers rise in each partition, a repeat is a run, a barrier is in every partition."""
    first = [(0, "a"), (1, "b"), (0, "c"), (0, "bar")]
    assert check(*first, (0, "a"), (0, "c"), (0, "bar"), (1, "bar")) == []


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([(0, "b"), (0, "a"), (1, "c")], "number 1 comes after 2"),
        ([(0, "a"), (0, "c")], "1 events never came, e.g. b"),
        ([(0, "a"), (0, "b"), (0, "c"), (0, "a"), (0, "c")], "a repeat leaves out 1 records"),
        ([(0, "a"), (0, "b"), (0, "a"), (0, "c")], "a repeat broke off before number 3"),
        ([(0, "a"), (1, "b"), (1, "c"), (0, "a", b"!")], "a came again with other bytes"),
        ([(0, "a"), (0, "b"), (1, "b"), (0, "c")], "event b is in 2 partitions"),
        ([(0, "a"), (0, "b"), (0, "x"), (0, "c")], "event x is not in the event store"),
    ],
)
def test_what_is_wrong_with_a_topic_is_named(records: list[tuple[int, str]], words: str) -> None:
    """Lost, doubled, reordered and changed records are each found."""
    findings = check(*records, numbers={"a": 1, "b": 2, "c": 3})
    assert len(findings) == 1
    assert words in findings[0]


def test_a_barrier_in_one_partition_only_is_found() -> None:
    """A barrier has to be in every partition."""
    assert check((0, "a"), (0, "b"), (0, "c"), (0, "bar")) == [
        "sales: barrier bar is in 1 of 2 partitions"
    ]


def test_sequences_have_to_rise_in_each_aggregate() -> None:
    """A sequence that goes back or stands still is found, with the number where it does."""
    rows = [("Order", "1", "01", 1), ("Order", "2", "01", 2), ("Order", "1", "01", 3)]
    assert find_reordered(rows) == ["Order 1: 01 at number 3 does not rise"]
    assert find_reordered(rows[:2]) == []


def order(**changes: Any) -> dict[str, Any]:
    """Make an order of two lines: 10.00 and 5.01, less 10 %, and 2.00 freight."""
    lines = [{"amount": Decimal(text), "status": "open"} for text in ("10.00", "5.01")]
    made = {
        "deleted": False,
        "status": "new",
        "lines": lines,
        "line_count": 2,
        "discount_percent": Decimal(10),
        "freight": Decimal(2),
        "total": Decimal("15.51"),
    }
    return {**made, **changes}


def test_a_whole_order_is_fine() -> None:
    """The total is that of the lines, less the discount, and the freight."""
    assert find_half(order()) is None
    assert find_half({"deleted": True}) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lines": [], "line_count": 0}, "no lines"),
        ({"line_count": 3}, "3 lines are counted, 2 are there"),
        ({"total": Decimal("15.50")}, "the lines make 15.51, the total says 15.50"),
        ({"status": "shipped"}, "are open"),
    ],
)
def test_half_an_order_is_seen(changes: dict[str, Any], words: str) -> None:
    """Each rule that the legacy system keeps tells a half order."""
    assert words in (find_half(order(**changes)) or "")


def test_recovery_is_until_the_first_barrier_behind_the_fault() -> None:
    """A barrier written before the end of the fault does not count, a lost one neither."""
    beats = [Beat("1", 9.0, 30.0), Beat("2", 11.0, None), Beat("3", 12.0, 14.5)]
    assert find_recovery(beats, 10.0) == 4.5
    assert find_recovery(beats, 13.0) is None


def test_a_summary_counts_what_struck_and_says_the_verdict() -> None:
    """Skipped faults are told apart; findings make it fail."""
    faults = [
        Injected("kill", "hub", 1.0, 2.0),
        Injected("kill", "hub", 1.0, 4.0),
        Injected("stall", "eu", 3.0, None),
        Injected("pause", "eu", 0.0, None, skipped=True),
    ]
    facts = RunFacts(5, 600.0, faults, {"state events": 1_234}, {"sales": 2}, {"gone": 2})
    text = write_summary(facts)
    assert "seed 5, 10.0 minutes, 3 faults, 2 different, 1 skipped" in text
    assert "1,234" in text
    assert "VERDICT: PASSED" in text
    failed = RunFacts(5, 600.0, faults, {}, {}, {}, ["one is lost"])
    assert "VERDICT: FAILED, 1 findings\n  one is lost" in write_summary(failed)
