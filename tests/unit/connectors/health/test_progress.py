"""How far a snapshot is, told from a few records of the log."""

from __future__ import annotations

import pytest

from connectors.health.facts import LogFacts
from connectors.health.log_end import LogRecord
from connectors.health.progress import (
    Current,
    SnapshotProgress,
    TableProgress,
    count_rows,
    find_current,
    make_chunk,
)

Log = list[LogRecord]


def row(offset: int, table: str, run: bytes = b"2") -> LogRecord:
    """Make a row that a snapshot read."""
    body = {"op": "r", "source": {"table": table, "ts_ms": 5}}
    return LogRecord(offset, 0, {"__debezium.context.runId": run}, body)


def note(offset: int, table: str, type_: str = "IN_PROGRESS") -> LogRecord:
    """Make a notification; Debezium puts no start of its connector into its headers."""
    data = {"current_collection_in_progress": f"erp.{table}"} if table else {}
    body = {"aggregate_type": "Initial Snapshot", "type": type_, "additional_data": data}
    return LogRecord(offset, 0, {}, body)


def make_log(tables: dict[str, int]) -> Log:
    """Make a log: an older run, then a snapshot of so many rows of each table."""
    log: Log = [row(offset, "old", b"1") for offset in range(100)]
    for table, count in tables.items():
        log.append(note(len(log), table))
        log += [row(len(log) + number, table) for number in range(count)]
    return log


@pytest.mark.parametrize("tables", [{"a": 1}, {"a": 500, "b": 1, "c": 77}, {"z": 3, "a": 4_000}])
def test_rows_are_counted_without_reading_the_log(tables: dict[str, int]) -> None:
    """The rows of each table of the last run are counted, in order, by looking at few records."""
    log, looked = make_log(tables), 0

    def look(offset: int) -> LogRecord | None:
        nonlocal looked
        looked += 1
        window = log[offset : offset + 20]
        return next((one for one in window if one.table), window[0] if window else None)

    counted = count_rows(look, LogFacts(0, len(log), None), b"2")
    assert list(counted) == list(tables)
    assert all(abs(counted[table] - count) <= 1 for table, count in tables.items())
    assert looked < 20 * (len(tables) + 1)


@pytest.mark.parametrize("behind", ["", "c"])
def test_what_is_read_now_is_told_by_the_end_of_the_log(behind: str) -> None:
    """A log that ends in a notification tells rows all the same, and which table is read now."""
    log = make_log({"a": 30, "b": 10})
    last = len(log)
    if behind:
        log += [note(last, "", "TABLE_SCAN_COMPLETED"), note(last + 1, behind)]
    assert find_current(log[-60:]) == Current(b"2", last, behind or "b")


def test_an_earlier_start_is_none_of_this_snapshot() -> None:
    """What stands before STARTED was written by an earlier start of the connector."""
    log = [row(0, "a"), note(1, "", "STARTED"), note(2, "a")]
    assert find_current(log) == Current(None, 0, "a")


def test_an_empty_log_has_no_rows() -> None:
    """Before the first row there is nothing to count."""
    assert count_rows(lambda _offset: None, LogFacts(0, 0, None), b"2") == {}


def test_a_snapshot_is_never_whole_before_it_is_done() -> None:
    """Estimates may be too low: the bar stays below its end while a table is read."""
    done = TableProgress("a", 10, 5, done=True)
    assert SnapshotProgress("initial", (done, TableProgress("b", 900, 10))).fraction < 1.0
    assert TableProgress("b", 900, 10).fraction < 1.0
    assert done.fraction == 1.0


def test_a_chunk_tells_how_far_the_key_is() -> None:
    """Where the key is a number, the last one of the greatest is the progress of its table."""
    data = {
        "current_collection_in_progress": "erp.ord_lin",
        "last_processed_key": "250,3",
        "maximum_key": "1000,9",
    }
    chunk = make_chunk(data, ["ord_lin", "shipmt"])
    assert [(one.table, one.part) for one in chunk] == [("ord_lin", 0.25), ("shipmt", 0.0)]
    assert make_chunk({**data, "last_processed_key": "x"}, ["ord_lin"])[0].part is None
