"""What the assembler makes of a change log, and when it stops."""

from __future__ import annotations

import pytest
from change_records import (
    feed,
    make_log,
    make_message,
    make_row,
    make_transaction,
)

from adapters.change_log import SPILL_ROWS, ChangeLog
from adapters.change_steps import (
    Barrier,
    EpochStarted,
    SnapshotCompleted,
    SnapshotRow,
    SpillChunk,
    SpillDropped,
    Transaction,
)
from adapters.envelope import (
    Begin,
    ChangeRecord,
    End,
    Heartbeat,
    LogicalMessage,
    Notification,
)
from adapters.errors import Fatal
from adapters.log_state import LogState, SnapshotState


def test_a_transaction_is_handed_over_whole_at_its_end() -> None:
    """Nothing leaves the assembler before END, then everything does, at END's position."""
    log = make_log()
    records = make_transaction(7, 100, 200, rows=3)
    assert feed(log, records[:-1]) == []
    (step,) = feed(log, records[-1:], 4)
    assert isinstance(step, Transaction)
    assert (step.txid, step.lsn, len(step.changes)) == (7, 200, 3)
    assert (log.state.lsn, log.state.link, log.resume_offset) == (200, 200, 5)


def test_an_open_transaction_is_read_again_from_its_begin() -> None:
    """The offset to resume from stays at BEGIN until END has come."""
    log = make_log()
    feed(log, [Heartbeat(), *make_transaction(7, 100, 200, rows=3)[:-1]])
    assert log.resume_offset == 1
    assert log.stored_state().open is None


def test_a_transaction_that_was_translated_before_is_skipped_whole() -> None:
    """A repeated transaction yields nothing and moves nothing, whatever its rows link to."""
    log = make_log()
    assert len(feed(log, make_transaction(7, 100, 200))) == 1
    assert feed(log, make_transaction(7, 100, 200), 3) == []
    assert feed(log, [End(7, 200, 1)], 6) == []
    assert log.state.lsn == 200


def test_a_missing_transaction_breaks_the_chain() -> None:
    """A row that names another position before it than the last one stops the translator."""
    log = make_log()
    with pytest.raises(Fatal, match="transactions are missing"):
        feed(log, make_transaction(8, 150, 200))


def test_a_missing_row_is_found_by_the_order_and_by_the_count() -> None:
    """A gap in the order, or fewer changes than END says, stops the translator."""
    with pytest.raises(Fatal, match="changes are missing"):
        feed(make_log(), [Begin(7), make_row(7, 1, 100), make_row(7, 3, 100)])
    with pytest.raises(Fatal, match="has 1 of its 2 changes"):
        feed(make_log(), [Begin(7), make_row(7, 1, 100), End(7, 200, 2)])


def test_a_row_outside_a_transaction_stops_the_translator() -> None:
    """Without BEGIN nobody knows where the row belongs."""
    with pytest.raises(Fatal, match="outside its BEGIN and END"):
        feed(make_log(), [make_row(7, 1, 100)])


def test_an_abandoned_transaction_must_come_again() -> None:
    """BEGIN of another one drops it; if it never comes again, the chain shows the hole."""
    log = make_log()
    records = [Begin(7), make_row(7, 1, 100), *make_transaction(6, 90, 95), Begin(7)]
    assert feed(log, records) == []
    with pytest.raises(Fatal, match="neither its rest nor its END"):
        feed(make_log(), [Begin(7), make_row(7, 1, 100), *make_transaction(8, 200, 300)])
    with pytest.raises(Fatal, match="neither its rest nor its END"):
        feed(make_log(), [Begin(7), make_row(7, 1, 100), make_message(150)])


def test_messages_are_links_and_positions() -> None:
    """A heartbeat moves the position, and the next transaction links to it."""
    log = make_log()
    assert feed(log, [make_message(150), *make_transaction(7, 150, 200)])[0].lsn == 200  # type: ignore[union-attr]
    assert feed(log, [make_message(150)], 4) == []
    assert log.state.lsn == 200


def test_a_barrier_outside_transactions_passes_at_its_own_position() -> None:
    """It comes once, also when its record comes twice."""
    log = make_log()
    message = make_message(150, b'{"id":"b1"}', "isthmus.barrier")
    assert feed(log, [message, message]) == [Barrier("b1", 150, 1)]


def test_a_barrier_inside_a_transaction_passes_at_its_end() -> None:
    """It counts as a change of the transaction and follows it."""
    message = make_message(150, b'{"id":"b1"}', "isthmus.barrier", txid=7)
    records: list[ChangeRecord] = [
        Begin(7),
        LogicalMessage(message.prefix, message.content, 7, 1, 100, 150, 1),
        make_row(7, 2, 100),
        End(7, 200, 2),
    ]
    transaction, barrier = feed(make_log(), records)
    assert isinstance(transaction, Transaction)
    assert barrier == Barrier("b1", 200, 1)


def test_rubbish_in_place_of_a_barrier_is_no_barrier() -> None:
    """A message of the barrier's prefix without an id only moves the position."""
    log = make_log()
    assert feed(log, [make_message(150, b"\xff", "isthmus.barrier")]) == []
    assert log.state.lsn == 150


def test_a_huge_transaction_is_spilled_in_chunks() -> None:
    """Beyond SPILL_ROWS rows leave the memory, and reading resumes behind them."""
    log = make_log()
    records = make_transaction(7, 100, 200, rows=SPILL_ROWS + 2)
    (chunk,) = feed(log, records[:-1])
    assert isinstance(chunk, SpillChunk)
    assert (chunk.first, len(chunk.changes)) == (0, SPILL_ROWS)
    stored = log.stored_state().open
    assert stored is not None
    assert (stored.spilled, stored.order) == (SPILL_ROWS, SPILL_ROWS)
    assert log.resume_offset == SPILL_ROWS + 1
    again = ChangeLog("sales", log.stored_state(), log.resume_offset)
    (step,) = feed(again, records[SPILL_ROWS + 1 :], SPILL_ROWS + 1)
    assert isinstance(step, Transaction)
    assert (step.spilled, len(step.changes)) == (SPILL_ROWS, 2)


def test_a_spilled_duplicate_is_dropped_at_its_end() -> None:
    """A huge transaction that was translated before leaves no spilled rows behind."""
    log = make_log(LogState(epoch=1, lsn=300, link=300))
    steps = feed(log, make_transaction(7, 100, 200, rows=SPILL_ROWS))
    assert [type(step) for step in steps] == [SpillChunk, SpillDropped]


def test_snapshot_rows_never_move_the_position() -> None:
    """They land, also in the middle of a transaction, and are not part of it."""
    records = make_transaction(7, 100, 200)
    snapshot_row = make_row(0, 0, None, "r")
    steps = feed(make_log(), [records[0], snapshot_row, *records[1:]])
    assert [type(step) for step in steps] == [SnapshotRow, Transaction]


def test_a_snapshot_is_complete_when_debezium_says_so() -> None:
    """Its tables are told with it, and the first transaction after it may link to anything."""

    def notify(type_: str, **data: str) -> Notification:
        return Notification("Initial Snapshot", type_, data)

    log = make_log()
    scanned = notify(
        "TABLE_SCAN_COMPLETED",
        scanned_collection="erp.t",
        total_rows_scanned="0",
        status="SUCCEEDED",
    )
    steps = feed(log, [notify("STARTED"), scanned, notify("COMPLETED")])
    assert steps[-1] == SnapshotCompleted(1, {"t": 0})
    assert log.state.snapshot is SnapshotState.COMPLETE
    assert len(feed(log, make_transaction(7, 177, 200), 3)) == 1


def test_a_new_epoch_starts_positions_anew_and_an_old_one_is_refused() -> None:
    """A higher epoch forgets position and chain; a lower one stops the translator."""
    log = make_log()
    assert log.feed(Begin(7), 0, 2) == [EpochStarted(2)]
    assert (log.state.epoch, log.state.lsn, log.state.link) == (2, 0, None)
    with pytest.raises(Fatal, match="goes back from epoch 2 to 1"):
        log.feed(Begin(8), 1, 1)
