"""The connector model: what it writes, in which order, through crashes; judged by our decoder."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from fidelity_shop import NAMES, connect, drain, kinds, make_database, make_table, name_kind

from adapters.change_log import ChangeLog
from adapters.change_steps import SnapshotCompleted, SnapshotRow, Transaction
from adapters.envelope import RowChange, decode_change, read_epoch
from adapters.log_state import LogState
from pipeline.simulate.debezium import (
    DebeziumConnector,
    LogRecord,
    SlotLost,
)
from pipeline.simulate.legacy import LegacyDatabase, Locked
from pipeline.translate.rows import TableCodec


@pytest.fixture
def database() -> LegacyDatabase:
    """Give a database whose items are two, whose lines are none."""
    return make_database()


def assemble(records: list[LogRecord]) -> list[Any]:
    """Put a log through our decoder and assembler, which refuse any hole."""
    log = ChangeLog("shop", LogState(), 0)
    steps: list[Any] = []
    for offset, record in enumerate(records):
        decoded = decode_change(record.value, record.key, record.headers)
        steps += log.feed(decoded, offset, read_epoch(record.headers))
    return steps


def rows_of(steps: list[Any], database: LegacyDatabase) -> dict[str, dict[Any, Any]]:
    """Replay the steps of a log into rows by table, with our codecs."""
    codecs = {name: TableCodec(table) for name, table in database.definitions.items()}
    tables: dict[str, dict[Any, Any]] = {"item": {}, "line": {}}
    changes: list[RowChange] = []
    for step in steps:
        if isinstance(step, SnapshotRow):
            changes.append(step.change)
        elif isinstance(step, Transaction):
            changes += step.changes
    for change in changes:
        codec, rows = codecs[change.table], tables[change.table]
        if change.operation == "t":
            rows.clear()
            continue
        assert change.key is not None
        key = codec.decode_key(change.key)
        if change.operation == "d":
            gone = rows.pop(key)
            assert gone is not None
            rows[None] = gone  # a moved row's unavailable value is taken from here
            continue
        assert change.after is not None
        row, gaps = codec.decode_partly(change.after, lenient=False)
        if gaps.unavailable:
            old = rows[None] if change.old_key is not None else rows[key]
            row = codec.complete(row, gaps, old)
        rows[key] = row
    return {
        name: {key: msgspec.structs.asdict(row) for key, row in rows.items() if key is not None}
        for name, rows in tables.items()
    }


def test_an_initial_snapshot(database: LegacyDatabase) -> None:
    """Notifications surround the rows; a table's last row follows the notice of its end."""
    assert kinds(drain(connect(database))) == [
        "STARTED",
        "DATA_COLLECTIONS_RESOLVED",
        "IN_PROGRESS",
        "r item",
        "TABLE_SCAN_COMPLETED",
        "IN_PROGRESS",
        "TABLE_SCAN_COMPLETED",
        "r item",
        "heartbeat",
        "COMPLETED",
    ]


def test_only_the_modules_tables_and_every_message(database: LegacyDatabase) -> None:
    """A transaction of other tables leaves no trace; a message stands in every module's log."""
    connector = connect(database)
    drain(connector)
    alone = database.begin()
    alone.insert("other", {"id": 1})
    alone.commit()
    both = database.begin()
    both.insert("other", {"id": 2})
    both.insert("line", {"id": 1, "price": 2})
    both.message("note", b"inside")
    database.message("note", b"before")
    both.update("line", (1,), {"id": 3})
    both.commit()
    records = drain(connector)
    assert kinds(records) == ["m note", "BEGIN", "c line", "m note", "d line", "c line", "END"]
    end = msgspec.json.decode(records[-1].value)
    assert end["event_count"] == 4
    assert end["id"] == f"{both.txid}:{database.lsn}"
    assert dict(records[4].headers)["__debezium.newkey"] == b'{"id":3}'
    assert dict(records[5].headers)["__debezium.oldkey"] == b'{"id":1}'


def test_the_chain_of_positions(database: LegacyDatabase) -> None:
    """A row names the END or message before its transaction, null for the first of a snapshot."""
    connector = connect(database)
    drain(connector)
    first, second = database.begin(), database.begin()
    first.insert("item", {"id": 3})
    second.insert("item", {"id": 4})
    early = second.commit()
    first.commit()
    changes = [decode_change(one.value, one.key, one.headers) for one in drain(connector)]
    links = [one.link for one in changes if isinstance(one, RowChange)]
    assert links == [None, early]


def test_a_slot_waits_for_open_transactions(database: LegacyDatabase) -> None:
    """What is open when the slot is made ends first and is in the snapshot, not in the stream."""
    early = database.begin()
    early.insert("item", {"id": 3})
    connector = connect(database)
    assert kinds(drain(connector)) == ["STARTED", "DATA_COLLECTIONS_RESOLVED"]
    between = database.begin()
    between.insert("item", {"id": 4})
    early.commit()
    assert drain(connector) == []
    later = database.begin()
    later.insert("item", {"id": 5})
    between.commit()
    assert kinds(drain(connector)).count("r item") == 4
    later.commit()
    assert kinds(drain(connector)) == ["BEGIN", "c item", "END"]


def test_exactly_once_goes_on_within_a_transaction(database: LegacyDatabase) -> None:
    """A crash forgets the chunk that was not committed and goes on at its first record."""
    connector = connect(database)
    drain(connector)
    writer = database.begin()
    writer.copy("line", [{"id": number} for number in range(4)])
    writer.commit()
    log = connector.poll(3)
    connector.commit_offsets()
    assert kinds(connector.poll(2)) == ["c line", "c line"]
    connector.crash()
    assert connector.poll(9) == []
    connector.start()
    connector.heartbeat(with_message=False)
    log += drain(connector)
    assert kinds(log) == [
        *("BEGIN", "c line", "c line", "SKIPPED", "heartbeat", "c line", "c line", "END")
    ]
    orders = [msgspec.json.decode(one.value)["transaction"]["total_order"] for one in log
              if name_kind(one) == "c line"]  # fmt: skip
    assert orders == [1, 2, 3, 4]


def test_a_crash_within_a_snapshot_begins_it_again(database: LegacyDatabase) -> None:
    """Before its last row is committed, a snapshot starts over; after it, it is complete."""
    connector = connect(database)
    connector.poll(5)
    connector.commit_offsets()
    connector.crash()
    connector.start()
    assert kinds(connector.poll(8))[-1] == "r item"
    connector.commit_offsets()
    connector.crash()
    connector.start()
    assert kinds(drain(connector)) == ["SKIPPED"]


def test_a_restored_database_has_no_slot(database: LegacyDatabase) -> None:
    """After a restore only a new snapshot goes on, under its epoch."""
    connector = connect(database)
    drain(connector)
    database.restore(database.lsn)
    with pytest.raises(SlotLost):
        connector.poll(1)
    connector.resnapshot(2)
    records = drain(connector)
    assert {read_epoch(record.headers) for record in records} == {2}
    assert kinds(records)[0] == "STARTED"


def act(database: LegacyDatabase, source: random.Random, opened: list[Any]) -> None:
    """Take one random step of one session."""
    if len(opened) < 4:
        opened.append(database.begin())
    session = source.choice(opened)
    table, key = source.choice(NAMES), (source.randrange(8),)
    match source.randrange(9):
        case 0 | 1:
            if session.select(table, key) is None:
                session.insert(table, {"id": key[0], "price": source.random(), "note": "n" * 9})
        case 2 | 3:
            session.update(table, key, {"price": source.random()})
        case 4:
            new = source.randrange(8)
            if session.select(table, (new,)) is None:
                session.update(table, key, {"id": new})
        case 5:
            session.delete(table, key)
        case 6:
            if source.random() < 0.2:
                session.truncate("item", "line")
            session.message("note", b"in")
            database.message("note", b"out")
        case 7:
            source.choice((session.savepoint, session.rollback_to_savepoint))()
        case _:
            opened.remove(session)
            source.choice((session.commit, session.commit, session.rollback))()


def step_log(connector: DebeziumConnector, source: random.Random, log: list[LogRecord]) -> None:
    """Poll one chunk into the log; with exactly-once the chunk is lost or there with its offset.

    Without it offsets are committed late, and here only between transactions: the assembler
    refuses a log that repeats a part of a transaction.
    """
    chunk = connector.poll(source.randrange(1, 9))
    if connector.exactly_once and source.random() < 0.1:
        connector.crash()
        return
    log += chunk
    if connector.exactly_once or (chunk and name_kind(chunk[-1]) == "END"):
        connector.commit_offsets()


@pytest.mark.parametrize("exactly_once", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_random_logs_are_whole(seed: int, exactly_once: bool) -> None:  # noqa: FBT001
    """Through crashes, repeats and restarts, our assembler rebuilds the database from the log."""
    source = random.Random(seed)  # noqa: S311 - a schedule, no secret
    database = LegacyDatabase([make_table(name) for name in NAMES], out_of_line=[("item", "note")])
    connector = connect(database, exactly_once=exactly_once)
    log: list[LogRecord] = []
    opened: list[Any] = []
    for _ in range(600):
        try:
            act(database, source, opened)
        except Locked:
            opened.pop(0).rollback()
        match source.randrange(30):
            case 0:
                connector.crash()
            case 1:
                connector.stop()
            case 2:
                connector.heartbeat()
            case _:
                connector.start()
                step_log(connector, source, log)
    for session in opened:
        session.commit()
    connector.start()
    log += drain(connector)
    steps = assemble(log)
    assert any(isinstance(step, SnapshotCompleted) for step in steps)
    found = rows_of(steps, database)
    assert found == {name: database.tables[name] for name in found}
