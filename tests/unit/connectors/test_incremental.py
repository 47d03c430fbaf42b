"""Asking Debezium to read a table again, and what it tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from connectors.declaration import Declaration
from connectors.errors import Configuration, Fatal, Unreachable
from connectors.health.log_end import LogReader, LogRecord
from connectors.incremental import Ask, find_module, follow, make_data, signal_table

SALES = Declaration(
    "sales", "postgresql", "h", 1, "d", "u", "p", "erp", ("ord_hdr", "ord_lin"),
    config=(("signal.data.collection", "erp.sales_signal"),),
)  # fmt: skip


def note(type_: str, **data: str) -> LogRecord:
    """Make a notification."""
    body = {"aggregate_type": "Incremental Snapshot", "type": type_, "additional_data": data}
    return LogRecord(0, 0, {}, body)


def row(snapshot: str) -> LogRecord:
    """Make a row that a snapshot read."""
    return LogRecord(0, 0, {}, {"op": "r", "source": {"table": "ord_lin", "snapshot": snapshot}})


class Log:
    """A change log that says what it is told to, then nothing more."""

    def __init__(self, *records: LogRecord) -> None:
        self._records = records

    def follow(self, topic: str, begin: int, wait_s: float) -> Iterator[LogRecord | None]:
        """Yield the records, then None for ever."""
        del topic, begin, wait_s
        yield from self._records
        while True:
            yield None


def hear_all(ask: Ask, *records: LogRecord) -> list[Any]:
    """Follow a log to the end of what was asked for."""
    clock = iter(range(1_000))
    log = cast("LogReader", Log(*records))
    return list(follow(log, "t", 0, ask, clock=lambda: float(next(clock))))


def test_only_rows_of_the_incremental_snapshot_are_counted() -> None:
    """Rows of an initial snapshot are not what was asked for."""
    heard = hear_all(
        Ask.EXECUTE,
        row("first"),
        note("STARTED"),
        row("incremental"),
        row("incremental"),
        note("TABLE_SCAN_COMPLETED", status="SUCCEEDED"),
        note("COMPLETED"),
    )
    assert (heard[-1].rows, heard[-1].type) == (2, "COMPLETED")


def test_a_table_that_was_not_read_is_an_error() -> None:
    """Debezium completes a snapshot of a table without a key, too: it has read nothing."""
    refused = note("TABLE_SCAN_COMPLETED", status="NO_PRIMARY_KEY", scanned_collection="erp.x")
    with pytest.raises(Fatal, match=r"erp\.x was not read: NO_PRIMARY_KEY"):
        hear_all(Ask.EXECUTE, note("STARTED"), refused, note("COMPLETED"))


def test_a_snapshot_that_somebody_stopped_is_no_success() -> None:
    """Whoever waits for it hears how far it came; whoever stopped it has what he wanted."""
    with pytest.raises(Fatal, match="stopped after 1 rows"):
        hear_all(Ask.EXECUTE, note("STARTED"), row("incremental"), note("ABORTED"))
    assert hear_all(Ask.STOP, note("ABORTED"))[-1].type == "ABORTED"


def test_a_signal_that_nobody_answers_ends_the_waiting() -> None:
    """It says where to look."""
    with pytest.raises(Unreachable, match="signal table published"):
        hear_all(Ask.EXECUTE)


def test_a_condition_is_sent_with_its_table() -> None:
    """The snapshot is incremental always, a blocking one would be a whole new one."""
    data = json.loads(make_data(SALES, "ord_lin", "ord_no = 7"))
    assert data == {
        "type": "incremental",
        "data-collections": ["erp.ord_lin"],
        "additional-conditions": [{"data-collection": "erp.ord_lin", "filter": "ord_no = 7"}],
    }


def test_the_module_of_a_table_is_found() -> None:
    """A table that no module captures is named."""
    assert find_module({"sales": SALES}, "ord_hdr") == "sales"
    with pytest.raises(Configuration, match="no declared module captures x"):
        find_module({"sales": SALES}, "x")


def test_without_a_signal_table_it_is_said_how_to_have_one() -> None:
    """The message has the line of the declaration, and which command makes the table."""
    bare = Declaration("sales", "postgresql", "h", 1, "d", "u", "p", "erp", ("a",))
    with pytest.raises(Configuration, match=r"apply`, which makes erp\.sales_signal"):
        signal_table(bare)
