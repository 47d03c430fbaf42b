"""What the connector model loses and repeats at a restart within a transaction, if asked to.

The integration test holds the same to the real connector's, behind every record of a log.
"""

from __future__ import annotations

import msgspec
import pytest
from fidelity_shop import connect, drain, kinds, make_database

from pipeline.simulate.debezium import ConnectorFailed
from pipeline.simulate.debezium_losses import EndedTransaction
from pipeline.simulate.legacy import LegacyDatabase
from pipeline.simulate.oracle import Loss


@pytest.fixture
def database() -> LegacyDatabase:
    """Give a database whose items are two, whose lines are none."""
    return make_database()


LOSSES = [
    # what is written, what a restart behind the first n changes leaves of it in the log
    ("key", 1, ["d line", "c line"]),
    ("key", 2, ["d line", "c line", "c line"]),
    ("copy", 1, ["c line", "c line"]),
    ("copy", 2, ["c line", "c line", "c line", "c line", "c line"]),
    ("copy", 3, ["c line", "c line", "c line", "c line", "c line"]),
    ("later copy", 2, ["c line", "c line", "c line"]),
    ("later copy", 3, ["c line", "c line", "c line", "c line", "c line"]),
    ("truncate", 1, ["t item", "t item", "t line", "c line"]),
]


@pytest.mark.parametrize(("case", "done", "expected"), LOSSES)
def test_what_restarts_lose(
    database: LegacyDatabase, case: str, done: int, expected: list[str]
) -> None:
    """Without `exact_restarts` it loses and repeats what the real one does, and counts what is."""
    connector = connect(database, exact_restarts=False)
    setup = database.begin()
    setup.insert("line", {"id": 9})
    setup.commit()
    drain(connector)
    writer = database.begin()
    if case == "key":
        writer.update("line", (9,), {"id": 10})
    if case == "later copy":
        writer.insert("line", {"id": 20})
    if case.endswith("copy"):
        writer.copy("line", [{"id": number} for number in range(3)])
    if case == "truncate":
        writer.truncate("item", "line")
    writer.insert("line", {"id": 30})
    writer.commit()
    log = connector.poll(1 + done)
    connector.stop()
    connector.start()
    log += drain(connector)
    assert [kind for kind in kinds(log) if " " in kind] == expected
    assert msgspec.json.decode(log[-1].value)["event_count"] == len(expected)


def test_a_restart_before_messages(database: LegacyDatabase) -> None:
    """Without `exact_restarts`, messages between an END and the next BEGIN are lost.

    They wait for it; one that stands right before it comes, behind that END once more.
    """
    connector = connect(database, exact_restarts=False)
    drain(connector)
    for number in (1, 2):
        writer = database.begin()
        writer.insert("line", {"id": number})
        writer.commit()
    drain(connector)
    connector.stop()
    connector.start()
    database.message("note", b"lost")
    assert kinds(drain(connector)) == ["SKIPPED"]
    assert connector.is_idle
    end = database.message("note", b"right before")
    writer = database.begin()
    writer.insert("line", {"id": 3})
    writer.commit()
    log = drain(connector)
    assert kinds(log) == ["END", "m note", "BEGIN", "c line", "END"]
    assert msgspec.json.decode(log[0].value)["id"].endswith(f":{end}")


def test_a_restart_behind_a_begin(database: LegacyDatabase) -> None:
    """Without `exact_restarts`, rows up to one that was written right behind a commit are lost."""
    connector = connect(database, exact_restarts=False)
    drain(connector)
    first, second = database.begin(), database.begin()
    first.insert("line", {"id": 1})
    second.insert("line", {"id": 2})
    second.commit()
    first.insert("line", {"id": 3})
    first.insert("line", {"id": 4})
    first.commit()
    log = connector.poll(4)
    connector.stop()
    connector.start()
    log += drain(connector)
    assert kinds(log) == ["BEGIN", "c line", "END", "BEGIN", "SKIPPED", "c line", "END"]
    assert log[-2].key == b'{"id":4}'


def test_a_restart_behind_a_truncate(database: LegacyDatabase) -> None:
    """Behind a TRUNCATE of tables that begins its transaction it fails, until it is put back."""
    connector = connect(database, exact_restarts=False)
    drain(connector)
    writer = database.begin()
    writer.truncate("item", "line")
    writer.commit()
    log = connector.poll(3)
    connector.stop()
    connector.start()
    for _ in range(2):
        with pytest.raises(ConnectorFailed):
            drain(connector)
        connector.crash()
        connector.start()
    connector.crash()
    connector.rewind()
    connector.start()
    log += drain(connector)
    assert kinds(log) == [
        "BEGIN",
        "t item",
        "t line",
        "SKIPPED",
        "BEGIN",
        "t item",
        "t line",
        "END",
    ]


def test_mariadb_begins_again(database: LegacyDatabase) -> None:
    """With `repeats_begin`, a restart within a transaction writes its BEGIN once more."""
    connector = connect(database, repeats_begin=True)
    drain(connector)
    writer = database.begin()
    writer.copy("line", [{"id": number} for number in range(2)])
    writer.commit()
    connector.poll(2)
    connector.stop()
    connector.start()
    assert kinds(drain(connector)) == ["SKIPPED", "BEGIN", "c line", "END"]


@pytest.mark.parametrize(
    ("done", "expected", "orders"),
    [
        (1, ["BEGIN", "d line", "c line", "c line", "END"], [1, 2, 3]),
        (2, ["BEGIN", "c line", "END"], [1]),
        (3, ["BEGIN", "c line", "END"], [1]),
        (4, ["BEGIN", "END"], []),
        (5, ["BEGIN", "END"], []),
    ],
)
def test_mariadb_counts_anew(
    database: LegacyDatabase, done: int, expected: list[str], orders: list[int]
) -> None:
    """MariaDB's numbers the rest from 1 and counts it alone; an END comes again, empty."""
    connector = connect(database, repeats_begin=True, counts_anew=True, exact_restarts=False)
    setup = database.begin()
    setup.insert("line", {"id": 9})
    setup.commit()
    drain(connector)
    writer = database.begin()
    writer.update("line", (9,), {"id": 10})
    writer.insert("line", {"id": 11})
    writer.commit()
    connector.poll(done)
    connector.stop()
    connector.start()
    log = drain(connector)
    assert kinds(log) == ["SKIPPED", *expected]
    values = [msgspec.json.decode(record.value) for record in log[2:]]
    assert [value["transaction"]["total_order"] for value in values[:-1]] == orders
    assert values[-1]["event_count"] == len(orders)


def test_mariadb_truncates_again(database: LegacyDatabase) -> None:
    """Started again behind a TRUNCATE, MariaDB's writes it once more."""
    connector = connect(database, repeats_begin=True, counts_anew=True)
    drain(connector)
    writer = database.begin()
    writer.truncate("line")
    writer.commit()
    connector.poll(2)
    connector.stop()
    connector.start()
    assert kinds(drain(connector)) == ["SKIPPED", "BEGIN", "t line", "END"]


def test_mariadb_is_cut_where_it_loses_nothing(database: LegacyDatabase) -> None:
    """Unless it shall lose, no poll of MariaDB's ends between the records of a moved row."""
    connector = connect(database, repeats_begin=True, counts_anew=True)
    drain(connector)
    writer = database.begin()
    writer.update("item", (1,), {"id": 11})
    writer.update("item", (2,), {"id": 12})
    writer.commit()
    assert kinds(connector.poll(2)) == ["BEGIN", "d item", "c item"]
    connector.stop()
    connector.start()
    assert kinds(drain(connector)) == ["SKIPPED", "BEGIN", "d item", "c item", "END"]


@pytest.mark.parametrize(
    ("done", "expected"),
    [(2, ["BEGIN", "c line", "END"]), (4, ["BEGIN", "END"])],
)
def test_mariadb_starts_twice(database: LegacyDatabase, done: int, expected: list[str]) -> None:
    """A second start before anything but its notice was written goes on at the same place."""
    connector = connect(database, repeats_begin=True, counts_anew=True)
    drain(connector)
    for number in range(2):
        writer = database.begin()
        writer.copy("line", [{"id": 2 * number}, {"id": 2 * number + 1}])
        writer.commit()
        connector.poll(4 * (1 - number) + done * number)
    connector.stop()
    for _ in range(2):
        connector.start()
        assert kinds(connector.poll(1)) == ["SKIPPED"]
        connector.stop()
    connector.start()
    assert kinds(drain(connector)) == ["SKIPPED", *expected]


@pytest.mark.parametrize(("done", "lost"), [(1, [1, 2]), (2, []), (0, [])])
def test_what_was_lost_is_told(database: LegacyDatabase, done: int, lost: list[int]) -> None:
    """The oracle is told which changes of an ended transaction stand nowhere in the log."""
    connector = connect(database, exact_restarts=False)
    drain(connector)
    writer = database.begin()
    writer.copy("line", [{"id": number} for number in range(3)])
    writer.insert("line", {"id": 30})
    end = writer.commit()
    connector.poll(1 + done)
    connector.stop()
    connector.start()
    assert connector.take_ended() == []
    drain(connector)
    ended = connector.take_ended()
    assert [(one.lsn, [unit.change.key for unit in one.left_out]) for one in ended] == (
        [(end, [(key,) for key in lost])] if lost else []
    )
    assert connector.take_ended() == []


def test_an_oracle_excuses_what_was_lost(database: LegacyDatabase) -> None:
    """Exactly the aggregates of lost rows, from then on, also under keys that these get later."""
    connector = connect(database, exact_restarts=False)
    drain(connector)
    writer = database.begin()
    writer.copy("line", [{"id": number} for number in range(2)])
    lost_at = writer.commit()
    connector.poll(2)
    connector.stop()
    connector.start()
    drain(connector)
    loss = Loss()
    (ended,) = connector.take_ended()
    loss.note(ended)
    assert [loss.touches(number, lost_at) for number in (0, 1)] == [False, True]
    assert not loss.touches(1, lost_at - 1)
    loss.note(EndedTransaction(lost_at + 9, (), (("line", (1,), (7,)), ("line", (0,), (8,)))))
    assert [loss.touches(number, lost_at + 9) for number in (7, 8)] == [True, False]
    assert not loss.touches(7, lost_at)
