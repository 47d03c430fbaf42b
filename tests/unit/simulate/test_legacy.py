"""The legacy model: visibility, locks, savepoints, positions, definitions, restores."""

from __future__ import annotations

from decimal import Decimal

import pytest

from legacy_db.definition import Column, Table
from pipeline.simulate.legacy import DuplicateKey, LegacyDatabase, Locked, SessionLost
from pipeline.simulate.legacy_wal import WalMessage, WalTransaction

ITEM = Table(
    "erp",
    "item",
    (
        Column("id", "integer", nullable=False, attnum=1),
        Column("code", "character(4)", nullable=True, attnum=2),
        Column("price", "numeric(8,2)", nullable=True, attnum=3),
        Column("note", "text", nullable=True, attnum=4),
    ),
    ("id",),
)
LINE = Table(
    "erp",
    "line",
    (
        Column("item", "integer", nullable=False, attnum=1),
        Column("no", "integer", nullable=False, attnum=2),
    ),
    ("item", "no"),
)


@pytest.fixture
def database() -> LegacyDatabase:
    """Give a database of two tables with one item."""
    made = LegacyDatabase([ITEM, LINE], out_of_line=[("item", "note")], out_of_line_length=10)
    setup = made.begin()
    setup.insert("item", {"id": 1, "code": "a", "price": "1.5", "note": "x" * 20})
    setup.commit()
    return made


def row(identity: int) -> dict[str, object]:
    """Make an item."""
    return {"id": identity, "code": "b", "price": Decimal(2), "note": None}


def transactions(database: LegacyDatabase) -> list[WalTransaction]:
    """List the committed transactions of the log."""
    return [entry for entry in database.wal if isinstance(entry, WalTransaction)]


def test_values_are_stored_as_postgresql_stores_them(database: LegacyDatabase) -> None:
    """Characters are padded and numerics have their scale; columns not given are null."""
    writer = database.begin()
    writer.insert("item", {"id": 2})
    writer.commit()
    assert database.tables["item"] == {
        (1,): {"id": 1, "code": "a   ", "price": Decimal("1.50"), "note": "x" * 20},
        (2,): {"id": 2, "code": None, "price": None, "note": None},
    }


def test_only_commits_are_seen(database: LegacyDatabase) -> None:
    """A transaction sees its own changes and what others have committed, at once."""
    first, second = database.begin(), database.begin()
    first.insert("item", row(2))
    assert first.select("item", (2,)) is not None
    assert second.select("item", (2,)) is None
    assert second.keys("item") == [(1,)]
    first.commit()
    assert second.keys("item") == [(1,), (2,)]


def test_a_row_of_an_open_transaction_is_locked(database: LegacyDatabase) -> None:
    """Insert, update, delete of a key that another open transaction has written: Locked."""
    first, second = database.begin(), database.begin()
    first.update("item", (1,), {"id": 5})
    for key in ((1,), (5,)):
        with pytest.raises(Locked):
            second.insert("item", row(key[0]))
        with pytest.raises(Locked):
            second.update("item", key, {"code": "c"})
        with pytest.raises(Locked):
            second.delete("item", key)
    with pytest.raises(Locked):
        second.truncate("item")
    assert not second.has_written
    first.rollback()
    assert second.update("item", (1,), {"code": "c"})
    assert not second.delete("item", (5,))
    with pytest.raises(DuplicateKey):
        second.insert("item", row(1))


def test_a_truncated_table_is_locked(database: LegacyDatabase) -> None:
    """Nobody else writes a table that an open transaction has truncated."""
    first, second = database.begin(), database.begin()
    first.truncate("item", "line")
    first.insert("item", row(1))
    with pytest.raises(Locked):
        second.insert("line", {"item": 1, "no": 1})
    with pytest.raises(Locked):
        database.add_column("line", "more", "text")
    first.commit()
    assert database.tables["item"] == {(1,): {**row(1), "code": "b   "}}
    second.insert("line", {"item": 1, "no": 1})


def test_a_table_is_held_without_a_row(database: LegacyDatabase) -> None:
    """An update or delete that finds no row keeps others from truncating, until it is undone."""
    first, second = database.begin(), database.begin()
    first.savepoint()
    assert not first.update("line", (7, 7), {"no": 8})
    assert not first.has_written
    with pytest.raises(Locked):
        second.truncate("line")
    first.rollback_to_savepoint()
    second.truncate("line")
    assert not first.has_written
    assert second.has_written


def test_a_savepoint_takes_back_rows_changes_and_locks(database: LegacyDatabase) -> None:
    """Rolled back to a savepoint, nothing of what followed is left but a gap in the positions."""
    first, second = database.begin(), database.begin()
    first.insert("line", {"item": 1, "no": 1})
    first.savepoint()
    first.truncate("line")
    first.insert("line", {"item": 2, "no": 1})
    first.update("item", (1,), {"id": 9})
    first.message("note", b"gone")
    assert first.rollback_to_savepoint()
    second.update("item", (1,), {"code": "z"})
    second.insert("line", {"item": 2, "no": 1})
    assert first.rollback_to_savepoint()
    first.insert("line", {"item": 3, "no": 1})
    first.commit()
    second.commit()
    assert set(database.tables["line"]) == {(1, 1), (2, 1), (3, 1)}
    assert [change.operation for change in transactions(database)[1].changes] == ["c", "c"]


def test_positions_interleave(database: LegacyDatabase) -> None:
    """Positions of changes are handed out when they are made, ENDs rise in commit order."""
    first, second = database.begin(), database.begin()
    first.insert("item", row(2))
    second.insert("item", row(3))
    second.copy("line", [{"item": 3, "no": number} for number in range(3)])
    first.update("item", (2,), {"code": "q"})
    database.message("note", b"between")
    second.commit()
    first.commit()
    message, early, late = database.wal[-3:]
    assert isinstance(message, WalMessage)
    assert isinstance(early, WalTransaction)
    assert isinstance(late, WalTransaction)
    assert (early.txid, late.txid) == (second.txid, first.txid)
    assert late.begin_lsn < early.begin_lsn < message.lsn < early.lsn < late.lsn
    assert len({change.lsn for change in early.changes[1:]}) == 1


def test_nothing_written_leaves_nothing(database: LegacyDatabase) -> None:
    """Empty, rolled back and wholly taken back transactions do not appear in the log."""
    before, lsn = len(database.wal), database.lsn
    database.begin().commit()
    lost = database.begin()
    lost.delete("item", (1,))
    lost.rollback()
    undone = database.begin()
    undone.savepoint()
    undone.delete("item", (1,))
    undone.rollback_to_savepoint()
    undone.commit()
    assert len(database.wal) == before
    assert database.lsn > lsn
    with pytest.raises(SessionLost):
        undone.commit()


def test_unchanged_long_values_are_unavailable(database: LegacyDatabase) -> None:
    """An update that leaves an out-of-line value as it is does not log it; a given one it does."""
    writer = database.begin()
    writer.update("item", (1,), {"price": 3})
    writer.update("item", (1,), {"id": 4})
    writer.update("item", (4,), {"note": "x" * 20})
    writer.update("item", (4,), {"note": "short"})
    writer.update("item", (4,), {"price": 4})
    writer.commit()
    changes = transactions(database)[-1].changes
    assert [change.unavailable for change in changes] == [("note",), ("note",), (), (), ()]
    assert [change.old_key for change in changes] == [None, (1,), None, None, None]


def test_a_column_is_added_and_dropped(database: LegacyDatabase) -> None:
    """Rows have the new column as null at once, changes carry the definition of their time."""
    database.add_column("item", "extra", "text")
    writer = database.begin()
    writer.update("item", (1,), {"extra": "e"})
    with pytest.raises(Locked):
        database.drop_column("item", "extra")
    writer.commit()
    database.drop_column("item", "extra")
    (change,) = transactions(database)[-1].changes
    assert change.table is not None
    assert change.table.columns[-1].name == "extra"
    assert "extra" not in database.tables["item"][1,]
    assert database.history[-2].tables["item"][1,]["extra"] == "e"


def test_every_committed_state_is_kept(database: LegacyDatabase) -> None:
    """The state at an END is what was committed up to it, however much came later."""
    lsns = []
    for identity in (2, 3):
        writer = database.begin()
        writer.insert("item", row(identity))
        lsns.append(writer.commit())
    writer = database.begin()
    writer.truncate("item")
    lsns.append(writer.commit())
    assert [len(database.state_at(lsn)["item"]) for lsn in lsns] == [2, 3, 0]
    assert database.history[-1].deltas == {"item": {(1,): None, (2,): None, (3,): None}}


def test_a_restored_database_goes_back(database: LegacyDatabase) -> None:
    """After a restore later commits never were, sessions are lost, positions are used again."""
    to = database.lsn
    writer = database.begin()
    writer.insert("item", row(2))
    first = writer.commit()
    database.add_column("line", "more", "text")
    lost = database.begin()
    database.restore(to)
    with pytest.raises(SessionLost):
        lost.insert("item", row(3))
    again = database.begin()
    again.insert("item", row(7))
    assert again.commit() == first
    assert again.txid == writer.txid
    assert set(database.tables["item"]) == {(1,), (7,)}
    assert database.definitions["line"] is LINE
    assert database.timeline == 2
