"""What every store of a region does with a batch, in memory or in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from replicate_shop import (
    ALL_PARTITIONS,
    CONTRACTS,
    ORDER,
    PLACED,
    PROJECTIONS,
    TABLES,
    TOPIC,
    KnownSchemas,
    Log,
    contents,
    headers,
    order,
    placed,
    read_tables,
    value,
)

from pipeline.replicate.barrier import passed_barrier, read_quarantined
from pipeline.replicate.batch import Fenced, TopicPartition, WriteResult
from pipeline.replicate.core import Planner
from pipeline.replicate.loop import Store, write_records
from pipeline.replicate.memory import MemoryStore
from pipeline.replicate.migrate import migrate_store
from pipeline.replicate.record import Record
from pipeline.replicate.store import PostgresStore


@dataclass
class Region:
    """A store under test, with the partitions taken over, and a planner before it."""

    store: Store
    read: Callable[[], dict[str, Any]]
    read_dead_letters: Callable[[], list[tuple[Any, ...]]]
    epochs: dict[TopicPartition, int]
    log: Log
    planner: Planner

    def write(self, *records: Record) -> WriteResult:
        """Write records as one batch."""
        return write_records(self.planner, self.store, records, self.epochs)

    def orders(self) -> dict[tuple[int], Any]:
        """Return the rows of orders."""
        rows: dict[tuple[int], Any] = self.read()["tables"].get("orders", {})
        return rows

    def lines(self) -> set[tuple[int, int]]:
        """Return the keys of order lines."""
        return set(self.read()["tables"].get("order_lines", {}))


def _make_region(store: Store, read: Any, read_dead_letters: Any) -> Region:
    epochs = {place: owned.epoch for place, owned in store.take_over(ALL_PARTITIONS).items()}
    planner = Planner(PROJECTIONS, CONTRACTS, KnownSchemas())
    return Region(store, read, read_dead_letters, epochs, Log(), planner)


@pytest.fixture(scope="module")
def module_store_url(module_databases: Callable[[], dict[str, str]]) -> str:
    """Give a migrated store with the shop's tables."""
    url = module_databases()["ISTHMUS_STORE_EU_URL"]
    migrate_store(url, None)
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
    return url


@pytest.fixture
def store_url(module_store_url: str) -> str:
    """Give that store, empty."""
    with psycopg.connect(module_store_url) as connection:
        connection.execute(
            "truncate orders, order_lines, items, replication.offset, replication.aggregate,"
            " replication.barrier, replication.inbox, replication.domain_event,"
            " replication.dead_letter, replication.latency"
        )
    return module_store_url


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def region(request: pytest.FixtureRequest) -> Iterator[Region]:
    """Give a region on each kind of store."""
    if request.param == "memory":
        memory = MemoryStore()
        yield _make_region(
            memory,
            lambda: contents(memory),
            lambda: [(one.aggregate, one.subject) for one in memory.dead_letters.values()],
        )
        return
    url = request.getfixturevalue("store_url")
    store = PostgresStore(url, PROJECTIONS)
    with psycopg.connect(url, autocommit=True) as connection:
        yield _make_region(
            store,
            lambda: read_tables(connection),
            lambda: connection.execute(
                "select aggregate, subject from replication.dead_letter order by 1, 2"
            ).fetchall(),
        )
    store.close()


def test_a_state_becomes_rows_of_its_tables(region: Region) -> None:
    """An order is there with all its columns and lines, exactly."""
    result = region.write(region.log.order(1, 5))
    state = order(1, 5)
    del state["deleted"]
    lines = state.pop("lines")
    assert result.applied == 1
    assert region.orders() == {(1,): state}
    assert region.read()["tables"]["order_lines"] == {
        (1, one["line_number"]): {"order_id": 1, **one} for one in lines
    }


def test_the_last_event_of_a_batch_wins(region: Region) -> None:
    """Several events of one aggregate in a batch leave the newest, in any order."""
    batch = [region.log.order(1, position, lines=position) for position in (2, 4, 3)]
    region.write(*batch)
    assert region.orders()[1,]["total"] == order(1, 4)["total"]
    assert region.lines() == {(1, line) for line in range(4)}


def test_an_older_event_never_overwrites(region: Region) -> None:
    """What is older than the stored state, or the same again, changes nothing."""
    region.write(region.log.order(1, 5), region.log.order(2, 1))
    before = region.read()
    result = region.write(region.log.order(1, 4, lines=7), region.log.order(1, 5, lines=1))
    assert (result.applied, result.stale) == (0, 1)
    assert region.read() == before


def test_stale_and_new_events_may_share_a_batch(region: Region) -> None:
    """Of a batch only the aggregates that are newer are merged."""
    region.write(region.log.order(1, 5), region.log.order(2, 1), region.log.order(4, 9))
    result = region.write(
        region.log.order(1, 4, deleted=True), region.log.order(2, 2, lines=1),
        region.log.order(3, 1), region.log.order(4, 3, lines=5),
    )  # fmt: skip
    assert (result.applied, result.stale) == (2, 2)
    assert region.orders()[1,]["total"] == order(1, 5)["total"]
    assert region.lines() == {(1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1)}


def test_a_line_that_is_gone_from_the_state_is_removed(region: Region) -> None:
    """The lines of an order are those of its newest state."""
    region.write(region.log.order(1, 1, lines=4), region.log.order(2, 1, lines=3))
    region.write(region.log.order(1, 2, lines=1))
    assert region.lines() == {(1, 0), (2, 0), (2, 1), (2, 2)}


def test_a_deleted_aggregate_is_not_revived_by_an_old_update(region: Region) -> None:
    """After a delete and its tombstone, an update from before it changes nothing."""
    region.write(region.log.order(1, 1), region.log.order(2, 1))
    deleted = region.log.order(1, 3, deleted=True)
    tombstone = region.log.event(ORDER, "1", 3, None)
    region.write(deleted, tombstone)
    assert set(region.orders()) == {(2,)}
    assert region.lines() == {(2, 0), (2, 1)}
    assert region.write(region.log.order(1, 2)).stale == 1
    assert set(region.orders()) == {(2,)}
    region.write(region.log.order(1, 4))
    assert set(region.orders()) == {(1,), (2,)}


def test_an_update_and_a_delete_in_one_batch_leave_nothing(region: Region) -> None:
    """An order that is made and deleted within a batch is never there, but its sequence is."""
    region.write(region.log.order(1, 1), region.log.order(1, 2, deleted=True))
    assert region.read()["tables"] == {}
    assert region.read()["guard"]["shop.Order", "1"][1] is True


def test_a_domain_event_is_stored_once(region: Region) -> None:
    """A repeated domain event, in the same batch or in a later one, is dropped by its id."""
    events = [region.log.event(PLACED, "1", 5, placed(1)) for _ in range(3)]
    assert region.write(*events[:2]).domain_events == 1
    assert region.write(events[2]).domain_events == 0
    assert len(region.read()["domain_events"]) == 1


def test_poison_stops_nothing_else(region: Region) -> None:
    """Every kind of broken record becomes a dead letter; the others are applied."""
    good = headers(ORDER, "1", 2)
    body = value(ORDER, order(1, 2))
    unknown = [one for one in good if one[0] != "ce_dataschema"]
    bad = [
        region.log.record(0, b"\x01" + body[1:], good),
        region.log.record(0, b"\0", good),
        region.log.record(0, b"\0\0\0\0\x63" + body[5:], unknown),
        region.log.record(0, b"\0\0\0\0\x02" + body[5:], unknown),
        region.log.record(0, body[:-1], good),
        region.log.record(0, body + b"x", good),
        region.log.record(0, body, [one for one in good if one[0] != "ce_sequence"]),
        region.log.record(0, body, [("ce_type", b"shop.Unknown.v1"), *good[3:]]),
        region.log.record(0, body, []),
        region.log.record(0, b"no json", [("ce_type", b"isthmus.Barrier.v1")]),
    ]
    result = region.write(region.log.order(2, 1), *bad, region.log.order(3, 1))
    assert result.dead_letters == len(bad)
    assert set(region.orders()) == {(2,), (3,)}
    letters = region.read_dead_letters()
    assert letters.count(("shop.Order", "1")) == 7
    assert (None, None) in letters


def test_a_barrier_is_noted_for_its_partition(region: Region) -> None:
    """A barrier is remembered by partition, once, beside the events of its batch."""
    for partition in (0, 1, 1):
        region.write(region.log.barrier("b1", partition), region.log.order(1, 1))
    assert region.read()["barriers"] == {("b1", TOPIC, 0), ("b1", TOPIC, 1)}


def test_a_second_owner_fences_the_first(region: Region) -> None:
    """Who was taken over writes nothing any more, not even for the partitions that it kept."""
    region.write(region.log.order(1, 1))
    region.store.take_over(ALL_PARTITIONS[:1])
    records = [region.log.event(ORDER, subject, 1, order(int(subject))) for subject in "2345"]
    with pytest.raises(Fenced, match="another replicator took over"):
        region.write(*records)
    assert set(region.orders()) == {(1,)}


def test_a_new_owner_begins_where_the_last_one_ended(region: Region) -> None:
    """Taking over gives the next offset of every partition."""
    region.write(region.log.order(1, 1), region.log.order(1, 2))
    owned = region.store.take_over(ALL_PARTITIONS)
    assert {place[1]: one.next_offset for place, one in owned.items()} == region.log.next_offsets
    assert all(one.epoch == 2 for one in owned.values())


@pytest.mark.stack
def test_a_row_that_the_database_refuses_is_found_among_good_ones(store_url: str) -> None:
    """Each refused row of a large batch is dead-lettered alone, with the constraint's name."""
    with psycopg.connect(store_url, autocommit=True) as connection:
        store = PostgresStore(store_url, PROJECTIONS)
        region = _make_region(store, lambda: read_tables(connection), list)
        records = [region.log.order(number, 1) for number in range(300)]
        for number in (7, 250):
            state = {**order(number, 2), "customer": "refused"}
            records.append(region.log.event(ORDER, str(number), 2, state))
        result = region.write(*records)
        letters = connection.execute(
            "select subject, reason, state from replication.dead_letter order by subject"
        ).fetchall()
        assert (result.applied, result.dead_letters) == (300, 2)
        assert [one[0] for one in letters] == ["250", "7"]
        assert "orders_customer_check" in letters[0][1]
        assert len(region.orders()) == 300
        assert read_quarantined(connection) == {("shop.Order", "7"), ("shop.Order", "250")}
        region.write(region.log.order(7, 3))
        assert read_quarantined(connection) == {("shop.Order", "250")}
        store.close()


@pytest.mark.stack
def test_a_barrier_is_passed_when_every_partition_has_it(store_url: str) -> None:
    """A region has passed a barrier with the last of the topic's partitions, not before."""
    with psycopg.connect(store_url, autocommit=True) as connection:
        store = PostgresStore(store_url, PROJECTIONS)
        region = _make_region(store, lambda: read_tables(connection), list)
        for partition in range(4):
            assert not passed_barrier(connection, "b", {TOPIC: 4})
            region.write(region.log.barrier("b", partition, ["sales.Order 9"]))
        assert passed_barrier(connection, "b", {TOPIC: 4})
        assert not passed_barrier(connection, "b", {TOPIC: 4, "test.other.events": 4})
        assert read_quarantined(connection, "b") == {(None, "sales.Order 9")}
        store.close()


@pytest.mark.stack
def test_a_dead_letter_keeps_payload_and_headers(store_url: str) -> None:
    """What is needed to look at a record and replay it stands in its dead letter."""
    with psycopg.connect(store_url, autocommit=True) as connection:
        store = PostgresStore(store_url, PROJECTIONS)
        region = _make_region(store, lambda: read_tables(connection), list)
        record = region.log.record(2, b"\0broken\xff", [*headers(ORDER, "1", 2), ("x", b"\xff\0")])
        region.write(record)
        row = connection.execute(
            "select topic, partition, record_offset, payload, headers::text, reason, state"
            " from replication.dead_letter"
        ).fetchone()
        assert row is not None
        assert row[:4] == (TOPIC, 2, 0, b"\0broken\xff")
        assert dict(json.loads(row[4]))["ce_subject"] == "1"
        assert dict(json.loads(row[4]))["x"] == "\\xff\\x00"
        assert f"{TOPIC}[2] offset 0" in row[5]
        assert row[6] == "open"
        store.close()
