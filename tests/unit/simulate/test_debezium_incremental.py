"""Incremental snapshots of the connector model: windows, chunks, crashes."""

from __future__ import annotations

import msgspec
import pytest
from fidelity_shop import NAMES, connect, drain, kinds, make_table, name_kind

from legacy_db.definition import Column, Table
from pipeline.simulate.debezium import LogRecord
from pipeline.simulate.legacy import LegacyDatabase, Locked

SIGNAL = Table(
    "erp",
    "signal",
    tuple(
        Column(name, "text", nullable=name != "id", attnum=number)
        for number, name in enumerate(("id", "type", "data"), 1)
    ),
    ("id",),
)


@pytest.fixture
def signalled() -> LegacyDatabase:
    """Give a database with a signal table and four items."""
    made = LegacyDatabase([*(make_table(name) for name in NAMES), SIGNAL])
    setup = made.begin()
    setup.copy("item", [{"id": number} for number in range(4)])
    setup.commit()
    return made


def test_an_incremental_snapshot(signalled: LegacyDatabase) -> None:
    """Chunks stand between the BEGIN and the row of the signal that closes their window."""
    connector = connect(signalled, signal_table="signal", chunk_rows=3)
    drain(connector)
    connector.incremental_snapshot(["item", "line"])
    log = drain(connector)
    window = ["BEGIN", "c signal", "END", "BEGIN"]
    assert kinds(log) == [
        *("BEGIN", "STARTED", "DATA_COLLECTIONS_RESOLVED", "IN_PROGRESS", "c signal", "END"),
        *(*window, "r item", "r item", "r item", "IN_PROGRESS", "c signal", "END"),
        *(*window, "r item", "TABLE_SCAN_COMPLETED", "TABLE_SCAN_COMPLETED", "COMPLETED"),
        *("c signal", "END", *window, "c signal", "END"),
    ]
    read = msgspec.json.decode(log[10].value)
    assert read["source"]["lsn"] is None
    assert read["source"]["snapshot"] == "incremental"
    assert read["transaction"] is None


def test_changes_within_a_window_win(signalled: LegacyDatabase) -> None:
    """A row that the stream changes while a chunk waits for a lock is left out of the chunk."""
    connector = connect(signalled, signal_table="signal", chunk_rows=3)
    drain(connector)
    writer = signalled.begin()
    writer.truncate("item")
    writer.insert("item", {"id": 1})
    connector.incremental_snapshot(["item"])
    assert kinds(drain(connector)) == ["BEGIN", "STARTED", "DATA_COLLECTIONS_RESOLVED"]
    writer.commit()
    other = signalled.begin()
    other.insert("item", {"id": 2})
    other.commit()
    log = kinds(drain(connector))
    assert "r item" not in log
    assert log[-1] == "END"
    assert "COMPLETED" in log


def test_a_crash_within_an_incremental_snapshot(signalled: LegacyDatabase) -> None:
    """It goes on behind the last row in the log; the signal whose rows are there is taken."""
    connector = connect(signalled, signal_table="signal", chunk_rows=3)
    drain(connector)
    connector.incremental_snapshot(["item"])
    log: list[LogRecord] = []
    while kinds(log).count("r item") < 2:
        log += connector.poll(1)
        connector.commit_offsets()
    connector.crash()
    connector.start()
    log += drain(connector)
    keys = [record.key for record in log if name_kind(record) == "r item"]
    assert keys == [b'{"id":%d}' % number for number in range(4)]
    begins = [place for place, kind in enumerate(kinds(log)) if kind == "SKIPPED"]
    assert kinds(log[begins[0] :])[:3] == ["SKIPPED", "IN_PROGRESS", "END"]


def test_a_window_stays_open_while_others_write(signalled: LegacyDatabase) -> None:
    """What commits between reading and closing wins; TRUNCATE and ALTER wait, a crash lets them."""
    connector = connect(signalled, signal_table="signal", chunk_rows=3)
    drain(connector)
    connector.incremental_snapshot(["item"])
    log: list[LogRecord] = []
    while "IN_PROGRESS" not in kinds(log):
        log += connector.poll(1)
    writer = signalled.begin()
    writer.update("item", (1,), {"note": "newer"})
    with pytest.raises(Locked):
        writer.truncate("item")
    writer.commit()
    with pytest.raises(Locked):
        signalled.add_column("item", "extra", "text")
    log += drain(connector)
    keys = [record.key for record in log if name_kind(record) == "r item"]
    assert keys == [b'{"id":%d}' % number for number in (0, 2, 3)]
    connector.incremental_snapshot(["item"])
    while kinds(log)[-1] != "IN_PROGRESS":
        log += connector.poll(1)
    connector.crash()
    signalled.add_column("item", "extra", "text")
