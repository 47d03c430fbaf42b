"""What the assembler makes of transactions within which a connector started again."""

from __future__ import annotations

import msgspec
import pytest
from change_records import (
    ANNOUNCED,
    RESTARTED,
    feed,
    feed_all,
    make_log,
    make_message,
    make_parts,
    make_row,
    make_transaction,
)

from adapters import change_log
from adapters.change_log import SPILL_ROWS, ChangeLog
from adapters.change_steps import (
    Barrier,
    Doubt,
    SpillChunk,
    Transaction,
)
from adapters.envelope import (
    Begin,
    End,
    Heartbeat,
    LogicalMessage,
    Notification,
)
from adapters.errors import Fatal


def test_rows_sent_again_within_a_transaction_count_once() -> None:
    """A connector that starts again within a transaction repeats BEGIN and rows: no harm."""
    records = make_transaction(7, 100, 200, rows=3)
    (step,) = feed(make_log(), [*records[:3], *records])
    assert isinstance(step, Transaction)
    assert [change.order for change in step.changes] == [1, 2, 3]


def test_a_transaction_whose_end_was_lost_ends_where_the_next_row_says() -> None:
    """Heartbeat, restart and a link behind its rows tell that it was whole, and where it ended."""
    log = make_log()
    lost = make_transaction(7, 100, 200, rows=2)[:-1]
    begin = len(lost) + len(RESTARTED)
    steps = feed(log, [*lost, *RESTARTED, Begin(8)])
    assert (steps, log.resume_offset) == ([], 0)
    (step,) = feed(log, [make_row(8, 1, 200)], begin + 1)
    assert isinstance(step, Transaction)
    assert (step.txid, step.lsn, len(step.changes)) == (7, 200, 2)
    assert (log.state.lsn, log.state.link, log.resume_offset) == (200, 200, begin)
    (step,) = feed(log, [End(8, 300, 1)], begin + 2)
    assert isinstance(step, Transaction)
    assert (step.txid, step.lsn, log.resume_offset) == (8, 300, begin + 3)


def test_the_lost_end_of_a_spilled_transaction_hands_over_what_was_spilled() -> None:
    """Reading resumes behind the spilled rows, and ends the transaction once it is known."""
    log = make_log()
    lost = make_transaction(7, 100, 200, rows=SPILL_ROWS + 1)[:-1]
    records = [*lost, *RESTARTED, Begin(8), make_row(8, 1, 200)]
    (chunk,) = feed(log, records[:-1])
    assert isinstance(chunk, SpillChunk)
    assert log.resume_offset == SPILL_ROWS + 1
    again = ChangeLog("sales", log.stored_state(), log.resume_offset)
    (step,) = feed(again, records[SPILL_ROWS + 1 :], SPILL_ROWS + 1)
    assert isinstance(step, Transaction)
    assert (step.lsn, step.spilled, len(step.changes)) == (200, SPILL_ROWS, 1)
    assert again.stored_state().open is None


def test_a_message_outside_transactions_ends_what_lost_its_end() -> None:
    """Such a message never stands within a transaction: the one before it has ended."""
    log = make_log()
    lost = make_transaction(7, 100, 200)[:-1]
    message = make_message(250, b'{"id":"b1"}', "isthmus.barrier")
    transaction, barrier = feed(log, [*lost, *RESTARTED, message])
    assert isinstance(transaction, Transaction)
    assert (transaction.lsn, barrier) == (250, Barrier("b1", 250, 1))
    assert len(feed(log, make_transaction(8, 250, 300), 5)) == 1


def test_a_barrier_whose_end_was_lost_is_passed() -> None:
    """A barrier alone in its transaction passes at the position that the next one links to."""
    barrier = LogicalMessage("isthmus.barrier", b'{"id":"b1"}', 7, 1, 100, 150, 1)
    message = LogicalMessage("isthmus.barrier", b'{"id":"b2"}', 8, 1, 200, 250, 1)
    log = make_log()
    steps = feed(log, [Begin(7), barrier, *RESTARTED, Begin(8), message, End(8, 300, 1)])
    assert steps == [Barrier("b1", 200, 1), Barrier("b2", 300, 1)]


def test_an_interrupted_transaction_goes_on_or_comes_again() -> None:
    """After a restart its next row, or its BEGIN behind older ones, takes it up: once."""
    whole = make_transaction(7, 100, 200, rows=2)
    (step,) = feed(make_log(), [*whole[:2], *RESTARTED, *whole[2:]])
    assert isinstance(step, Transaction)
    assert len(step.changes) == 2
    older = make_transaction(6, 90, 95)
    (step,) = feed(make_log(), [*whole[:2], *RESTARTED, *older, *whole])
    assert isinstance(step, Transaction)
    assert len(step.changes) == 2
    with pytest.raises(Fatal, match="neither its rest nor its END"):
        feed(make_log(), [*whole[:2], *RESTARTED, *make_transaction(8, 100, 150)])


def test_a_transaction_that_comes_in_parts_is_whole() -> None:
    """The rest of its rows counts from 1 again: all parts together are the transaction."""
    first, second, third = make_parts(3, 2, 2)
    log = make_log()
    assert feed(log, [*first, *ANNOUNCED]) == []
    assert log.resume_offset == 0
    (step,) = feed(log, [*second, *ANNOUNCED, *third], len(first) + len(ANNOUNCED))
    assert isinstance(step, Transaction)
    assert [change.lsn for change in step.changes] == list(range(111, 118))  # type: ignore[attr-defined]
    assert (step.lsn, log.state.lsn, log.state.open) == (200, 200, None)
    assert log.resume_offset == 9 + 2 * len(ANNOUNCED) + 2


def test_a_transaction_of_parts_goes_on_without_begin_where_it_can() -> None:
    """A part whose rows lie behind all commits goes on with the next number."""
    first, second = make_parts(3, 3)
    restarted = Notification("Initial Snapshot", "SKIPPED", {})
    (step,) = feed(make_log(), [*first, *ANNOUNCED, *second[:2], restarted, *second[2:]])
    assert isinstance(step, Transaction)
    assert len(step.changes) == 6


def test_the_end_of_a_transaction_of_parts_may_come_alone() -> None:
    """All of its rows had been sent: only BEGIN and END are left, with a count of none."""
    (first,) = make_parts(3)
    (step,) = feed(make_log(), [*first[:-1], *ANNOUNCED, Begin(7), End(7, 200, 0)])
    assert isinstance(step, Transaction)
    assert len(step.changes) == 3


def test_a_spilled_transaction_comes_in_parts_too() -> None:
    """What was spilled stays, and reading resumes behind it."""
    first, second = make_parts(SPILL_ROWS + 1, 2)
    records = [*first, *ANNOUNCED, *second]
    log = make_log()
    (chunk,) = feed(log, records[:-1])
    assert isinstance(chunk, SpillChunk)
    assert log.resume_offset == SPILL_ROWS + 1
    again = ChangeLog("sales", log.stored_state(), log.resume_offset)
    (step,) = feed(again, records[SPILL_ROWS + 1 :], SPILL_ROWS + 1)
    assert isinstance(step, Transaction)
    assert (step.spilled, len(step.changes)) == (SPILL_ROWS, 3)


def test_rows_of_one_copy_may_be_cut_in_two() -> None:
    """They share a position: the first row tells whether they go on or come again."""
    rows = [make_row(7, n, 100, lsn=111, key=b"%d" % n) for n in range(1, 4)]
    rest = make_row(7, 1, 100, lsn=111, key=b"4")
    goes_on = [Begin(7), *rows, *ANNOUNCED, Begin(7), rest, End(7, 200, 1)]
    comes_again = [Begin(7), *rows, *ANNOUNCED, Begin(7), *rows, End(7, 200, 3)]
    for records, count in ((goes_on, 4), (comes_again, 3)):
        (step,) = feed(make_log(), records)
        assert isinstance(step, Transaction)
        assert len(step.changes) == count


def test_a_transaction_of_parts_that_comes_again_counts_once() -> None:
    """A connector that goes back to its beginning sends it whole."""
    first, second = make_parts(3, 2)
    (whole,) = make_parts(5)
    (step,) = feed(make_log(), [*first, *ANNOUNCED, *second[:-1], *ANNOUNCED, *whole])
    assert isinstance(step, Transaction)
    assert [change.lsn for change in step.changes] == list(range(111, 116))


def test_a_missing_part_is_a_hole() -> None:
    """The count of the last part and the order within each part are checked."""
    first, second = make_parts(3, 3)
    with pytest.raises(Fatal, match="has 2 of its 3 changes"):
        feed(make_log(), [*first, *ANNOUNCED, *second[:3], second[-1]])
    with pytest.raises(Fatal, match="changes are missing"):
        feed(make_log(), [*first, *ANNOUNCED, second[0], *second[2:]])


def test_without_a_restart_a_transaction_without_its_end_is_a_hole() -> None:
    """Heartbeats alone do not excuse a missing END, nor does a restart before its last row."""
    lost = make_transaction(7, 100, 200, rows=2)[:-1]
    following = make_transaction(8, 200, 300)
    for records in ([*lost, Heartbeat(), *following], [*lost[:2], *RESTARTED, lost[2], *following]):
        with pytest.raises(Fatal, match="neither its rest nor its END"):
            feed(make_log(), records)


def test_a_transaction_that_lost_its_end_still_has_to_follow_the_chain() -> None:
    """Its rows name the position before it, as any other's."""
    lost = make_transaction(7, 150, 200)[:-1]
    with pytest.raises(Fatal, match="transaction 7 follows position 150"):
        feed(make_log(), [*lost, *RESTARTED, *make_transaction(8, 200, 300)])


def test_a_restart_within_a_transaction_leaves_a_doubt_about_it() -> None:
    """It is told behind the transaction, at its position, wherever the rest of it comes."""
    first, second = make_parts(3, 2)
    restarted = len(first)
    steps = feed_all(make_log(), [*first, *ANNOUNCED, *second])
    assert [type(step) for step in steps] == [Transaction, Doubt]
    assert steps[1] == Doubt(7, 200, restarted)
    goes_on = [*first, ANNOUNCED[0], make_row(7, 4, 100, lsn=114), End(7, 200, 4)]
    assert feed_all(make_log(), goes_on)[1:] == [Doubt(7, 200, restarted)]
    endless = [*make_transaction(7, 100, 200, rows=2)[:-1], *RESTARTED]
    steps = feed_all(make_log(), [*endless, *make_transaction(8, 200, 300)])
    assert [step for step in steps if isinstance(step, Doubt)] == [Doubt(7, 200, 4)]


def test_a_restart_between_transactions_leaves_none() -> None:
    """Behind END nothing can be left out."""
    records = [*make_transaction(7, 100, 200), *RESTARTED, *make_transaction(8, 200, 300)]
    assert [type(step) for step in feed_all(make_log(), records)] == [Transaction, Transaction]


def test_a_doubt_is_remembered_with_the_open_transaction() -> None:
    """A translator that goes on behind spilled rows, after the restart, still tells of it."""
    first, second = make_parts(SPILL_ROWS - 1, SPILL_ROWS)
    records = [*first, *ANNOUNCED, *second]
    log = make_log()
    feed_all(log, records[:-1])
    assert log.resume_offset > len(first)
    again = ChangeLog("sales", log.stored_state(), log.resume_offset)
    steps = feed_all(again, records[log.resume_offset :], log.resume_offset)
    assert steps[-1] == Doubt(7, 200, len(first))


@pytest.mark.parametrize("spill_rows", [3, 100])
def test_a_page_of_rows_that_is_sent_again_counts_once_though_it_was_spilled(
    spill_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of one COPY share a position: the first one is known again when it has left memory."""
    monkeypatch.setattr(change_log, "SPILL_ROWS", spill_rows)
    page = [make_row(7, n, 100, "c", key=b'{"id":%d}' % n) for n in range(1, 6)]
    log = make_log()
    steps = feed(log, [Begin(7), *page, *ANNOUNCED, Begin(7), *page[:4], *ANNOUNCED])
    steps += feed(log, [Begin(7), *page, End(7, 200, 5)], 20)
    spilled = [row for step in steps if isinstance(step, SpillChunk) for row in step.changes]
    last = steps[-1]
    assert isinstance(last, Transaction)
    assert [*spilled, *last.changes] == page


def test_two_truncates_of_one_table_are_not_the_same() -> None:
    """They say the same at two positions: behind a restart the second one is the rest."""
    first, second = (
        msgspec.structs.replace(make_row(7, 1, 100, "t", lsn=lsn), key=None, after=None)
        for lsn in (110, 120)
    )
    again = msgspec.structs.replace(second, order=2)
    row = make_row(7, 2, 100, lsn=130)
    sent = [Begin(7), first, again, *ANNOUNCED, Begin(7), second, row, End(7, 200, 2)]
    (step,) = feed(make_log(), sent)
    assert isinstance(step, Transaction)
    assert [change.lsn for change in step.changes] == [110, 120, 120, 130]
