"""What another offset in a binary log would lose, double or read again, said beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.binlog_offset import (
    Captured,
    compare_binlogs,
    describe_binlog_reset,
    describe_binlog_set,
    read_captured,
)
from connectors.health.facts import BinlogFacts
from connectors.health.log_end import LogRecord
from connectors.plan import Severity

BINLOG = BinlogFacts(
    (("bin.000007", 900), ("bin.000008", 500)), "0-7-45", "0-7-70,3-7-4", is_exact=True
)
CAPTURED = Captured("shop", {"0": 60, "3": 4})


def offset(gtids: str, file: str = "bin.000007", **more: Any) -> list[dict[str, Any]]:
    """Give the offsets of a connector."""
    return [{"partition": {}, "offset": {"file": file, "pos": 4, "gtids": gtids, **more}}]


def set_to(
    gtids: str, captured: Captured = CAPTURED, present: str = "0-7-60,3-7-4", **more: Any
) -> tuple[Severity, str]:
    """Describe setting an offset."""
    (effect,) = describe_binlog_set(offset(gtids, **more), BINLOG, offset(present), captured)
    return effect.severity, effect.text


@pytest.mark.parametrize(
    ("file", "gtids", "lost"),
    [
        ("bin.000007", "", False),
        ("bin.000003", "", True),
        ("bin.000003", "0-7-44", True),
        ("bin.000003", "0-7-45", False),
        ("other.000001", "0-9-50", False),
        ("bin.000003", "3-7-1", True),
        ("bin.000007", "0-7-71", True),
        ("bin.000007", "5-7-1", True),
    ],
)
def test_offsets_outside_the_binary_log(file: str, gtids: str, *, lost: bool) -> None:
    """What was purged, or what the server never logged, is no place to go on from."""
    found = compare_binlogs(BINLOG, offset(gtids, file))
    assert bool(found.lost) is lost
    assert found.goes_on
    assert not compare_binlogs(None, offset(gtids, file)).lost
    assert not compare_binlogs(BINLOG, [{"offset": None}]).goes_on


@pytest.mark.parametrize(
    ("gtids", "more", "count"),
    [
        ("0-7-60,3-7-4", {}, 0),
        ("0-7-50,3-7-4", {}, 10),
        ("0-7-50", {}, 14),
        ("0-7-50,3-7-4", {"transaction_id": "0-7-51", "event": 3}, 9),
        ("0-7-50,3-7-4", {"transaction_id": "0-7-51"}, 10),
        ("0-7-50,3-7-4", {"transaction_id": "0-7-41", "event": 3}, 10),
        ("3-7-4", {"transaction_id": "0-7-1", "event": 3}, 59),
    ],
)
def test_what_the_change_log_holds_is_sent_again(
    gtids: str, more: dict[str, Any], count: int
) -> None:
    """Each domain's numbers are consecutive: their difference counts the transactions."""
    severity, text = set_to(gtids, **more)
    assert severity is Severity.INFO
    assert text.startswith(f"{count} transactions would be sent again")


def test_what_lies_behind_the_change_log_is_lost() -> None:
    """Nobody sends what lies between its end and the new place: how many, and what helps."""
    severity, text = set_to("0-7-65,3-7-4", present="0-7-65,3-7-4")
    assert severity is Severity.WARNING
    assert text.startswith("5 transactions up to GTID 0-*-65, 3-*-4 are LOST")
    assert "snapshot --again shop --skip" in text


@pytest.mark.parametrize(
    ("gtids", "words"), [("0-7-71", "beyond all that the server has logged"), ("0-7-44", "oldest")]
)
def test_what_is_not_in_the_binary_log_is_refused(gtids: str, words: str) -> None:
    """It was purged, or the server never logged it."""
    severity, text = set_to(gtids, file="bin.000003")
    assert severity is Severity.REFUSED
    assert words in text


def test_before_a_snapshot_that_nothing_follows_is_refused() -> None:
    """Older transactions would be told over newer rows; the snapshot's own place is fine."""
    nothing = Captured("shop", {})
    assert set_to("0-7-58,3-7-4", nothing)[0] is Severity.REFUSED
    assert set_to("0-7-60,3-7-4", nothing)[0] is Severity.INFO
    assert set_to("0-7-61,3-7-4", nothing)[0] is Severity.WARNING


def test_without_gtids_or_a_view_of_the_log_it_is_a_warning() -> None:
    """Nothing can be said then, and that is said."""
    assert set_to("")[0] is Severity.WARNING
    (effect,) = describe_binlog_set(offset("0-7-50"), None, [], CAPTURED)
    assert effect.severity is Severity.WARNING


def test_only_whole_transactions_of_the_newest_epoch_are_captured() -> None:
    """DDL has no END, the last one may lack rows, and repetitions take nothing back."""

    def mark(status: str, gtid: str, epoch: bytes = b"2") -> LogRecord:
        return LogRecord(0, 0, {"epoch": epoch}, {"status": status, "id": gtid})

    records = [
        mark("END", "0-7-900", b"1"),
        mark("BEGIN", "0-7-10"),
        LogRecord(0, 0, {"epoch": b"2"}, {"op": "c"}),
        mark("END", "0-7-10"),
        mark("BEGIN", "0-7-11"),
        mark("BEGIN", "3-7-1"),
        mark("END", "3-7-1"),
        mark("BEGIN", "0-7-10"),
        mark("END", "0-7-10"),
        mark("BEGIN", "0-7-12"),
    ]
    assert read_captured("shop", records).sequences == {"0": 11, "3": 1}


def test_a_reset_names_the_command_that_does_all_in_order() -> None:
    """It reads all again, which needs a new epoch."""
    (effect,) = describe_binlog_reset("shop")
    assert effect.severity is Severity.WARNING
    assert "snapshot --again shop" in effect.text
