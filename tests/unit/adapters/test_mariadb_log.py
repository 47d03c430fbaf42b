"""What the assembler makes of MariaDB's log where it can't go on, and of what has no END."""

from __future__ import annotations

import pytest
from binlog_records import BARRIER, SKIPPED, TABLE, BinlogEntry, BinlogRow, Connector

from adapters.binlog_position import Gtid
from adapters.change_steps import (
    Barrier,
    Doubt,
    EpochStarted,
    SnapshotCompleted,
    SnapshotRow,
    SnapshotStarted,
    SpillChunk,
    SpillDropped,
    Step,
    TableChanged,
    Transaction,
)
from adapters.envelope import Notification, RowChange
from adapters.errors import Fatal
from adapters.log_state import BinlogState, LogState
from adapters.mariadb_envelope import GtidBegin, GtidEnd, MariaDBRecord
from adapters.mariadb_log import MariaDBLog, MariaDBTables
from adapters.mariadb_schema_change import ChangedTable, SchemaChange
from legacy_db.definition import Column, Table

SIGNALS = "signals"
ROW = BinlogRow("c", 1)
GIB = 1 << 30


def make_log(state: LogState | None = None, offset: int = 0) -> MariaDBLog:
    """Make an assembler of a log's beginning, which spills four rows at once."""
    tables = MariaDBTables("erp", frozenset({TABLE}), BARRIER, SIGNALS)
    return MariaDBLog("sales", tables, state or LogState(epoch=1), offset, spill_rows=4)


def feed(log: MariaDBLog, records: list[MariaDBRecord], start: int = 0) -> list[Step]:
    """Feed records under the offsets from `start` on."""
    return [step for at, one in enumerate(records, start) for step in log.feed(one, at, None)]


def make_entry(sequence: int, *rows: BinlogRow, domain: str = "0") -> BinlogEntry:
    """Make a transaction of one event."""
    return BinlogEntry(Gtid(domain, sequence), (rows,) if rows else ())


def write(*entries: BinlogEntry) -> list[MariaDBRecord]:
    """Write the log of transactions and statements."""
    return Connector(list(entries)).write()


def make_row(sequence: int, order: int, lsn: int, row: int = 0) -> RowChange:
    """Make a row of a transaction."""
    return RowChange(
        TABLE, "c", b"1", b"{}", None, txid=sequence, order=order, link=None, lsn=lsn, time_us=5,
        row=row,
    )  # fmt: skip


def test_a_transaction_stands_where_its_first_row_does() -> None:
    """Its number is its GTID's, its time that of its rows; resuming is possible behind it."""
    log = make_log()
    records = write(make_entry(7, ROW, BinlogRow("u", 2)))
    (step,) = feed(log, records)
    rows = [one for one in records if isinstance(one, RowChange)]
    assert step == Transaction(7, rows[0].lsn, rows[0].time_us, tuple(rows), 0, "0")
    state = log.stored_state()
    assert state.binlog == BinlogState({"0": 7}, rows[0].time_us)
    assert (state.lsn, log.resume_offset) == (rows[0].lsn, len(records))


def test_transactions_of_other_tables_count() -> None:
    """They have no rows here, but their numbers are links of the chain."""
    log = make_log()
    feed(log, write(make_entry(7), make_entry(8), make_entry(9, ROW)))
    with pytest.raises(Fatal, match="transaction 11 of GTID domain 0 follows 9"):
        feed(log, write(make_entry(11)), 20)


def test_each_domain_has_numbers_of_its_own() -> None:
    """Two domains interleave without a hole; one that begins in the middle leaves a doubt."""
    entries = [make_entry(7), make_entry(70, ROW, domain="3"), make_entry(8, ROW)]
    log = make_log()
    steps = feed(log, write(*entries, make_entry(1, domain="4"), make_entry(71, domain="3")))
    assert [type(step) for step in steps] == [Doubt, Transaction, Transaction]
    assert log.stored_state().binlog == BinlogState({"0": 8, "3": 71, "4": 1}, 1_000_002)


def test_a_transaction_that_comes_again_is_skipped() -> None:
    """So is its END alone."""
    log = make_log()
    records = write(make_entry(7, ROW), make_entry(8, ROW))
    assert len(feed(log, records)) == 2
    assert feed(log, records, 10) == []
    assert feed(log, [records[-1]], 20) == []


def test_a_server_that_counts_anew_is_refused() -> None:
    """An old number with a new time is no repetition; without rows it may be either."""
    log = make_log()
    feed(log, write(make_entry(7, ROW)))
    assert feed(log, [GtidBegin(Gtid("0", 1)), GtidEnd(Gtid("0", 1), 0)], 10) == []
    late = Connector([make_entry(2, ROW)], time_us=2_000_000).write()
    with pytest.raises(Fatal, match=r"RESET MASTER.*raise `epoch`"):
        feed(log, late, 20)


def test_a_binary_log_that_begins_anew_is_refused() -> None:
    """A new number at an old place: positions must rise."""
    log = make_log(LogState(epoch=1, lsn=50, binlog=BinlogState({"0": 7}, 1)))
    with pytest.raises(Fatal, match="stands before what was read already"):
        feed(log, [GtidBegin(Gtid("0", 8)), make_row(8, 1, 50)])


def test_statements_have_no_end() -> None:
    """DDL, of whatever database, ends where the next transaction begins; TRUNCATE at once."""
    other = BinlogEntry(Gtid("0", 7), statement="create table other.x (id int)")
    truncate = BinlogEntry(Gtid("0", 8), statement="t")
    log = make_log()
    records = write(other, truncate, make_entry(9, ROW))
    (first,) = feed(log, records[:4])
    assert isinstance(first, Transaction)
    assert [change.operation for change in first.changes] == ["t"]
    assert log.resume_offset == 4
    assert len(feed(log, [*records[2:4], *records[4:]], 4)) == 1  # a restart sends it again


@pytest.mark.parametrize("is_huge", [False, True])
def test_rows_without_an_end_are_void(*, is_huge: bool) -> None:
    """ROLLBACK says so, and spilled ones are dropped; without it, it was an XA transaction."""
    rows = [BinlogRow("c", key) for key in range(5 if is_huge else 1)]
    spilled: list[type] = [SpillChunk, SpillDropped] if is_huge else []
    begun = write(make_entry(7, *rows))[:-1]
    after = write(make_entry(8), make_entry(9, ROW))
    rolled_back = SchemaChange("ROLLBACK", (), read=False)
    steps = feed(make_log(), [*begun, rolled_back, *after])
    assert [type(step) for step in steps] == [*spilled, Transaction]
    steps = feed(make_log(), [*begun, *after])
    assert [type(step) for step in steps] == [*spilled, Doubt, Transaction]
    doubt = steps[-2]
    assert isinstance(doubt, Doubt)
    assert (doubt.txid, doubt.lsn) == (7, begun[1].lsn)  # type: ignore[union-attr]
    assert "XA" in (doubt.reason or "")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([make_row(7, 1, 1)], "stands outside its BEGIN and END"),
        ([GtidBegin(Gtid("0", 7)), make_row(8, 1, 1)], "stands outside its BEGIN and END"),
        ([GtidBegin(Gtid("0", 7)), make_row(7, 2, 1)], "change 2 follows change 0"),
        ([GtidEnd(Gtid("0", 7), 0)], "without its BEGIN"),
        ([GtidBegin(Gtid("0", 7)), GtidEnd(Gtid("0", 7), 1)], "0 of its 1 changes"),
    ],
)
def test_a_log_with_a_hole_is_refused(records: list[MariaDBRecord], message: str) -> None:
    """BEGIN, END, their count and the numbers in between must agree."""
    with pytest.raises(Fatal, match=message):
        feed(make_log(), records)


def test_a_restart_behind_a_row_leaves_a_doubt() -> None:
    """What a connector sends after it is counted anew: no count proves the whole."""
    entries = [make_entry(7, ROW, BinlogRow("u", 2), BinlogRow("d", 3))]
    connector = Connector(entries)
    steps = feed(make_log(), connector.write([2]))
    assert [type(step) for step in steps] == [Transaction, Doubt]
    assert steps[1] == Doubt(7, steps[0].lsn, 3)  # type: ignore[union-attr]
    assert len(steps[0].changes) == 3  # type: ignore[union-attr]
    (step,) = feed(make_log(), Connector(entries).write([1]))  # behind BEGIN nothing can be lost
    assert isinstance(step, Transaction)


def test_a_restart_behind_end_repeats_it_without_rows() -> None:
    """That is a repetition of a whole transaction."""
    log = make_log()
    records = Connector([make_entry(7, ROW), make_entry(8, ROW)]).write([3])
    assert [type(one) for one in records[2:6]] == [GtidEnd, Notification, GtidBegin, GtidEnd]
    assert [type(step) for step in feed(log, records)] == [Transaction, Transaction]


def test_places_may_begin_anew_in_a_transaction_but_not_over_a_restart() -> None:
    """Behind 4 GiB the binary log's own numbers do; then a restart can't be followed."""
    begin = GtidBegin(Gtid("0", 7))
    rows = [make_row(7, 1, 3 * GIB), make_row(7, 2, GIB)]
    (step,) = feed(make_log(), [begin, *rows, GtidEnd(Gtid("0", 7), 2)])
    assert isinstance(step, Transaction)
    assert (step.lsn, step.changes) == (3 * GIB, tuple(rows))
    with pytest.raises(Fatal, match="longer than 4 GiB"):
        feed(make_log(), [begin, *rows, SKIPPED, begin])


def test_own_tables_are_never_mirrored() -> None:
    """Barriers pass behind the transaction; what else happens to own tables is nothing."""
    own = [BinlogRow(operation, 5, BARRIER) for operation in "cud"]
    rows = [*own, BinlogRow("c", 1, SIGNALS)]
    steps = feed(make_log(), write(make_entry(7, *rows)))
    assert [type(step) for step in steps] == [Barrier]
    both = feed(make_log(), write(make_entry(7, ROW, own[0])))
    assert [type(step) for step in both] == [Transaction, Barrier]
    assert both[0].lsn == both[1].lsn  # type: ignore[union-attr]
    rubbish = RowChange(
        BARRIER, "c", b"1", b'{"id":[1]}', None, txid=7, order=1, link=None, lsn=1, time_us=1
    )
    assert feed(make_log(), [GtidBegin(Gtid("0", 7)), rubbish, GtidEnd(Gtid("0", 7), 1)]) == []


def test_a_new_epoch_starts_numbers_and_places_anew() -> None:
    """What was open, and spilled, is void; an older epoch is refused."""
    log = make_log()
    rows = [BinlogRow("c", key) for key in range(5)]
    feed(log, write(make_entry(7, *rows))[:-1])
    steps = log.feed(GtidBegin(Gtid("0", 1)), 9, 2)
    assert steps == [SpillDropped(7), EpochStarted(2)]
    assert len(feed(log, [make_row(1, 1, 1), GtidEnd(Gtid("0", 1), 1)], 10)) == 1
    with pytest.raises(Fatal, match="goes back from epoch 2 to 1"):
        log.feed(GtidBegin(Gtid("0", 2)), 12, 1)


def test_a_snapshot_may_be_followed_by_any_number() -> None:
    """Its rows have places; numbers begin anew behind it."""
    log = make_log(LogState(epoch=1, lsn=5, binlog=BinlogState({"0": 3}, 1)))
    read = RowChange(TABLE, "r", b"1", b"{}", None, txid=None, order=0, link=None, lsn=9, time_us=1)
    steps = feed(
        log,
        [
            Notification("Initial Snapshot", "STARTED", {}),
            SchemaChange("create table t", (make_definition(),), read=True),
            read,
            Notification("Initial Snapshot", "COMPLETED", {}),
            *write(make_entry(70, ROW)),
        ],
    )
    kinds = [SnapshotStarted, TableChanged, SnapshotRow, SnapshotCompleted, Transaction]
    assert [type(step) for step in steps] == kinds


def make_definition(*, dropped: bool = False, schema: str = "erp") -> ChangedTable:
    """Make what DDL tells of the captured table."""
    columns = (Column("id", "integer", nullable=False, attnum=1, native="int"),)
    definition = None if dropped else Table(schema, TABLE, columns, ("id",))
    return ChangedTable(schema, TABLE, definition, {"id": None})


def test_a_changed_table_is_told_at_its_place() -> None:
    """A table of another database with the same name is another table."""
    begin = GtidBegin(Gtid("0", 7))
    log = make_log()
    (step,) = feed(log, [begin, SchemaChange("alter", (make_definition(),), read=False)])
    assert isinstance(step, TableChanged)
    assert step.definition.name == TABLE
    assert log.resume_offset == 0
    assert (
        feed(log, [begin, SchemaChange("alter", (make_definition(schema="x"),), read=False)]) == []
    )
    assert feed(log, [SchemaChange("drop", (make_definition(dropped=True),), read=True)]) == []
    with pytest.raises(Fatal, match="table t was dropped"):
        feed(log, [SchemaChange("drop", (make_definition(dropped=True),), read=False)])


def test_rows_of_the_statement_that_makes_a_table_follow_it() -> None:
    """CREATE TABLE ... SELECT is a transaction with both, and has an END."""
    records = write(make_entry(7, ROW))
    ddl = SchemaChange("create table t select", (make_definition(),), read=False)
    steps = feed(make_log(), [records[0], ddl, *records[1:]])
    assert [type(step) for step in steps] == [TableChanged, Transaction]
