"""A replicator on a real broker and a real PostgreSQL."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from replicate_shop import ITEM, ORDER, PLACED, headers, item, order, placed, value

from pipeline.errors import Fatal, Retriable, Unreachable
from pipeline.replicate.barrier import passed_barrier
from pipeline.replicate.batch import Fenced, Ownership
from pipeline.replicate.consumer import EventsConsumer
from pipeline.replicate.latency import read_latency
from pipeline.replicate.record import Record
from pipeline.replicate.stall import StallWatch
from pipeline.replicate.store import PostgresStore


def make_history(region: Any, numbers: int = 150, versions: int = 4) -> list[Record]:
    """Make a history with several versions, deletes and domain events of each order."""
    records = []
    for version in range(1, versions + 1):
        for number in range(numbers):
            gone = (number + version) % 7 == 0
            state = order(number, version, deleted=gone, lines=(number + version) % 4)
            records.append(region.log.event(ORDER, str(number), version, state))
            if gone:
                records.append(region.log.event(ORDER, str(number), version, None))
            records.append(region.log.event(PLACED, str(number), version, placed(number)))
            records.append(region.log.event(ITEM, f"I{number}", version, item(f"I{number}")))
    return records


def _wait_for(condition: Any, seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _run_beside(replicator: Any) -> tuple[threading.Thread, threading.Event, list[BaseException]]:
    stop, errors = threading.Event(), []

    def run() -> None:
        try:
            replicator.run(stop)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, stop, errors


def test_disorder_and_repetition_change_nothing(region: Any) -> None:
    """Shuffled events, half of them twice, give the store of the events in order."""
    history = make_history(region)
    arrived = history + random.Random(7).sample(history, len(history) // 2)  # noqa: S311
    random.Random(8).shuffle(arrived)  # noqa: S311
    region.produce(arrived)
    region.replicate()
    assert region.read() == region.expect(history)
    letters = region.connection.execute("select * from replication.dead_letter").fetchall()
    assert letters == []


def test_poison_is_set_aside_and_a_barrier_passes(region: Any) -> None:
    """Broken records among good ones are dead letters; the barrier after them is passed."""
    good = [region.log.order(number, 1) for number in range(200)]
    broken = [
        region.log.record(one % 4, value(ORDER, order(one))[:-2], headers(ORDER, str(one), 9))
        for one in (3, 50)
    ]
    barriers = [region.log.barrier("b1", partition) for partition in range(4)]
    region.produce([*good[:100], *broken, *good[100:], *barriers[:3]])
    region.replicate()
    assert not passed_barrier(region.connection, "b1", {region.topic: 4})
    region.produce(barriers[3:])
    region.replicate()
    assert passed_barrier(region.connection, "b1", {region.topic: 4})
    assert region.read() == region.expect([*good, *barriers])
    parked = region.connection.execute("select subject from replication.quarantined").fetchall()
    assert sorted(parked) == [("3",), ("50",)]


def test_a_restart_goes_on_from_the_store_and_not_from_kafka(region: Any) -> None:
    """With the group and its offsets gone, nothing is read twice and nothing is left out."""
    history = make_history(region, versions=2)
    half = len(history) // 2
    region.produce(history[:half])
    region.replicate()
    before = region.offsets()
    admin = AdminClient({"bootstrap.servers": region.kafka})
    admin.delete_consumer_groups([region.group])[region.group].result(60)
    region.produce(history[half:])
    region.replicate()
    assert region.read() == region.expect(history)
    assert {number: epoch for number, (_, epoch) in region.offsets().items()} == {
        number: epoch + 1 for number, (_, epoch) in before.items()
    }
    repeated = region.connection.execute(
        "select sum(next_offset) from replication.offset"
    ).fetchone()
    assert repeated == (len(history),)


def test_a_replicator_that_was_taken_over_stops(region: Any) -> None:
    """A zombie's next batch is refused by the store, and it ends with an error that says why."""
    region.produce([region.log.order(1, 1)])
    thread, stop, errors = _run_beside(region.make())
    _wait_for(lambda: (1,) in region.read()["tables"].get("orders", {}))
    other = PostgresStore(region.url, [])
    other.take_over([(region.topic, number) for number in range(4)])
    other.close()
    region.produce([region.log.order(1, 2)])
    thread.join(60)
    stop.set()
    assert isinstance(errors[0], Fenced)
    assert region.read() == region.expect([region.log.order(1, 1)])


def test_a_second_member_of_the_group_shares_the_work(region: Any) -> None:
    """Partitions move between members while events flow, and nothing is lost or repeated."""
    history = make_history(region, numbers=60, versions=6)
    third = len(history) // 3
    first = _run_beside(region.make())
    region.produce(history[:third])
    second = _run_beside(region.make())
    region.produce(history[third : 2 * third])
    _wait_for(lambda: any(epoch > 1 for _, epoch in region.offsets().values()))
    region.produce(history[2 * third :])
    expected = region.expect(history)
    _wait_for(lambda: region.read() == expected)
    for thread, stop, errors in (first, second):
        stop.set()
        thread.join(60)
        assert errors == []
    assert sum(offset for offset, _ in region.offsets().values()) == len(history)


def test_a_hole_in_the_topic_is_never_jumped_over(region: Any) -> None:
    """When the next record was removed by retention, the replicator stops and says what to do."""
    region.produce([region.log.order(number, 1) for number in range(8)])
    region.replicate()
    region.connection.execute("update replication.offset set next_offset = 1000")
    with pytest.raises(Fatal, match="rebuild the region's store"):
        region.replicate()


def test_a_stop_finishes_the_batch_and_leaves(region: Any) -> None:
    """After a stop the offsets are those of what was written, and the group is left at once."""
    thread, stop, errors = _run_beside(region.make())
    history = make_history(region, numbers=100)
    region.produce(history[:300])
    _wait_for(lambda: region.offsets() and sum(one for one, _ in region.offsets().values()) > 0)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert errors == []
    region.produce(history[300:])
    region.replicate()
    assert region.read() == region.expect(history)


def test_a_store_that_goes_away_is_waited_for(region: Any) -> None:
    """When the server ends the connection, the replicator connects again and goes on."""
    thread, stop, errors = _run_beside(region.make())
    region.produce([region.log.order(1, 1)])
    _wait_for(lambda: (1,) in region.read()["tables"].get("orders", {}))
    region.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'isthmus replicate' and datname = current_database()"
    )
    records = [region.log.order(1, 2), region.log.order(2, 1)]
    region.produce(records)
    _wait_for(lambda: region.read() == region.expect(records))
    stop.set()
    thread.join(60)
    assert errors == []


def _open_consumer(region: Any, take_over: Any, **options: Any) -> EventsConsumer:
    return EventsConsumer(
        bootstrap_servers=region.kafka,
        group=region.group,
        topics=[region.topic],
        take_over=take_over,
        handover=threading.Lock(),
        record_bytes_max=1_000_000,
        **options,
    )


def _close(consumer: EventsConsumer) -> None:
    closing = threading.Thread(target=consumer.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()


def test_a_consumer_closes_while_an_assignment_waits(region: Any) -> None:
    """Partitions that were assigned but never fetched are given back, and nothing is taken over."""
    taken: list[Any] = []
    consumer = _open_consumer(region, taken.append)
    admin = AdminClient({"bootstrap.servers": region.kafka})

    def assignment() -> Any:
        described = admin.describe_consumer_groups([region.group])[region.group].result(60)
        return [one.assignment.topic_partitions for one in described.members]

    _wait_for(lambda: any(assignment()))
    _close(consumer)
    assert assignment() == []
    assert taken == []


def test_a_store_that_fails_while_taken_over_leaves_the_consumer_whole(region: Any) -> None:
    """The failure leaves by `fetch`, and the consumer can be closed after it."""

    def fail(places: Any) -> Any:
        raise Retriable(f"{len(places)} partitions could not be taken over")

    region.produce([region.log.order(1, 1)])
    consumer = _open_consumer(region, fail)
    with pytest.raises(Retriable, match="4 partitions could not"):
        _wait_for(lambda: consumer.fetch(0.5).records)
    _close(consumer)


class _NotedWatch(StallWatch):
    """A watch that tells what was noted; its clock stands until it is put forward."""

    def __init__(self) -> None:
        self.now = 0.0
        self.noted: dict[Any, int] = {}
        super().__init__(lambda: self.now)

    def note(self, place: Any, reached: int) -> None:
        """Note and remember."""
        self.noted[place] = reached
        super().note(place, reached)


def _take_from_the_start(places: Any) -> Any:
    return {place: Ownership(1, 0) for place in places}


def test_partitions_of_which_nothing_comes_are_noticed(region: Any) -> None:
    """A client that lost track of its partitions is given up, with the place where it stands."""
    clients: list[Consumer] = []

    def open_client(*arguments: Any, **options: Any) -> Consumer:
        clients.append(Consumer(*arguments, **options))
        return clients[-1]

    region.produce([region.log.order(1, 1)])
    watch = _NotedWatch()
    consumer = _open_consumer(region, _take_from_the_start, open_consumer=open_client, watch=watch)
    _wait_for(lambda: consumer.fetch(0.5).records)
    clients[0].pause(clients[0].assignment())
    region.produce([region.log.order(number, 1) for number in range(2, 40)])
    watch.now = 46.0
    assert consumer.fetch(0.1).records == []  # once could be chance
    watch.now = 92.0
    with pytest.raises(Retriable, match=r"nothing comes of 4 partitions although Kafka has more"):
        consumer.fetch(0.1)
    _close(consumer)


def test_what_was_aborted_or_is_open_is_no_stall(region: Any) -> None:
    """Nor what is not committed yet: a partition ends where nobody sees more of it."""
    producer = Producer({"bootstrap.servers": region.kafka, "transactional.id": region.group})
    producer.init_transactions(60)
    region.produce([region.log.order(1, 1)])
    producer.begin_transaction()
    for partition in range(4):
        producer.produce(region.topic, b"half", b"key", partition=partition)
    producer.flush(60)
    producer.abort_transaction(60)
    watch = _NotedWatch()
    consumer = _open_consumer(region, _take_from_the_start, watch=watch)
    seen: list[Record] = []

    def are_at_the_end() -> bool:
        seen.extend(consumer.fetch(0.5).records)
        return sorted(watch.noted.values()) == [2, 2, 2, 3]  # the record, half, and the marker

    _wait_for(are_at_the_end)
    producer.begin_transaction()
    producer.produce(region.topic, b"open", b"key", partition=0)
    producer.flush(60)
    for minute in range(1, 4):
        watch.now = 60.0 * minute
        assert consumer.fetch(0.1).records == []
    assert len(seen) == 1
    _close(consumer)
    producer.abort_transaction(60)


def test_latency_is_measured_from_the_commit_at_the_source(region: Any) -> None:
    """The histogram holds every applied event, with percentiles in order."""
    region.produce([region.log.order(number, 1) for number in range(50)])
    region.replicate()
    since, until = region.connection.execute(
        "select now() - interval '10 min', now() + interval '1 min'"
    ).fetchone()
    summary = read_latency(region.connection, since, until)
    assert summary.events == 50
    assert 0 < summary.ms_p50 <= summary.ms_p95 <= summary.ms_p99 <= summary.ms_max


def test_a_broker_that_is_not_there_is_said_at_once(region: Any) -> None:
    """Without a broker a replicator ends with one message, for exit code 3."""
    region.kafka = "127.0.0.1:1"
    with pytest.raises(Unreachable, match=r"can't reach Kafka at 127\.0\.0\.1:1"):
        region.replicate()


def test_a_store_that_is_not_there_is_said_at_once(region: Any) -> None:
    """Without a store a replicator ends with one message, without the password."""
    region.url = "postgresql://store_eu:secret@127.0.0.1:1/eu"
    with pytest.raises(Unreachable, match=r"can't reach the store eu at 127\.0\.0\.1:1") as caught:
        region.replicate()
    assert "secret" not in str(caught.value)
