"""What the assembler makes of an incremental snapshot: rows as of their place in the log."""

from __future__ import annotations

import msgspec
from change_records import feed, make_row, make_transaction

from adapters.change_log import ChangeLog
from adapters.change_steps import IncrementalRow, SnapshotRow, Transaction
from adapters.envelope import Begin, ChangeRecord, End, Notification, RowChange, decode_change
from adapters.log_state import LogState

SIGNAL = "signal"


def make_log() -> ChangeLog:
    """Make an assembler that knows its signal table and stands at position 100."""
    return ChangeLog("sales", LogState(epoch=1, lsn=100, link=100), 0, SIGNAL)


def make_signal(txid: int, link: int, lsn: int, type_: str) -> list[ChangeRecord]:
    """Make the transaction of one row in the signal table."""
    row = make_row(txid, 1, link, "c")
    after = msgspec.json.encode({"id": "1-open", "type": type_, "data": ""})
    signal = msgspec.structs.replace(row, table=SIGNAL, after=after)
    return [Begin(txid), signal, End(txid, lsn, 1)]


def make_read(table: str = "t") -> RowChange:
    """Decode a row that an incremental snapshot read, as Debezium 3.7 writes it: without an lsn."""
    value = {
        "before": None,
        "after": {"id": 1},
        "source": {
            "snapshot": "incremental",
            "sequence": '["100","110"]',
            "ts_us": 5,
            "table": table,
            "lsn": None,
        },
        "transaction": None,
        "op": "r",
    }
    row = decode_change(msgspec.json.encode(value), b'{"id":1}', None)
    assert isinstance(row, RowChange)
    return row


def with_rows(window: list[ChangeRecord], *rows: RowChange) -> list[ChangeRecord]:
    """Put rows where Debezium puts them: behind the BEGIN of the signal that closes the window."""
    return [window[0], *rows, *window[1:]]


def test_a_row_is_as_of_its_place_and_moves_no_position() -> None:
    """It stands between BEGIN and END, but is of the state before, and is not counted."""
    log = make_log()
    steps = feed(log, make_signal(7, 100, 200, "snapshot-window-open"))
    closing = with_rows(make_signal(8, 200, 300, "snapshot-window-close"), make_read())
    steps += feed(log, closing, 3)
    assert steps == [IncrementalRow(make_read(), 200)]
    assert (log.state.lsn, log.state.link) == (300, 300)


def test_a_row_of_the_initial_snapshot_is_another_step() -> None:
    """It has a position of its own, by which it lands."""
    row = msgspec.structs.replace(make_read(), incremental=False, lsn=90)
    assert feed(make_log(), [row]) == [SnapshotRow(row)]


def test_rows_of_the_signal_table_are_links_but_no_changes() -> None:
    """What a transaction changed beside them is translated; they are not."""
    log = make_log()
    both: list[ChangeRecord] = [
        *make_signal(7, 100, 200, "execute-snapshot")[:2],
        make_row(7, 2, 100),
        End(7, 200, 2),
    ]
    (step,) = feed(log, both)
    assert isinstance(step, Transaction)
    assert [change.table for change in step.changes] == ["t"]
    assert feed(log, make_signal(8, 200, 300, "anything else"), 4) == []
    assert len(feed(log, make_transaction(9, 300, 400), 7)) == 1


def test_what_is_read_of_the_signal_table_is_no_row() -> None:
    """A pattern that names all tables of the schema names it, too."""
    log = make_log()
    window = make_signal(7, 100, 200, "snapshot-window-close")
    assert feed(log, with_rows(window, make_read(SIGNAL))) == []
    assert log.state.lsn == 200


def test_it_runs_until_it_is_completed_or_aborted() -> None:
    """Notifications say whether an incremental snapshot runs; those of another kind do not."""
    log = make_log()
    running = []
    for type_ in ("STARTED", "TABLE_SCAN_COMPLETED", "COMPLETED", "IN_PROGRESS", "ABORTED"):
        feed(log, [Notification("Incremental Snapshot", type_, {})])
        running.append(log.state.incremental)
    assert running == [True, True, False, True, False]
    feed(log, [Notification("Initial Snapshot", "IN_PROGRESS", {})])
    assert not log.state.incremental


def test_a_whole_snapshot_ends_it() -> None:
    """Whoever takes a new snapshot may never tell the end of the incremental one."""
    log = make_log()
    feed(log, [Notification("Incremental Snapshot", "STARTED", {})])
    feed(log, [Notification("Initial Snapshot", "STARTED", {})], 1)
    assert not log.state.incremental
