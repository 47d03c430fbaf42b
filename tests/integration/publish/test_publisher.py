"""A publisher on a real broker, registry and hub: order, headers, barriers, fencing, outages."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections import defaultdict
from contextlib import closing
from typing import Any, Self

import pytest
import requests
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from adapters.event import EventKind
from pipeline.errors import Fatal, Unreachable
from pipeline.local_stack.stack import LocalStack
from pipeline.publish.publisher import Publisher
from pipeline.publish.republish import republish
from pipeline.publish.service import build_publisher, run_publishers

MODULE = "sales"


def _headers(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers() or []}


def _ids(messages: list[Message]) -> list[str]:
    return [_headers(message)["ce_id"] for message in messages]


def _drain(publisher: Publisher) -> None:
    while publisher.relay_batch() is not None:
        pass


def _publish_all(settings: Any) -> None:
    publisher = build_publisher(settings, MODULE)
    publisher.take_over()
    _drain(publisher)
    publisher.close()


def test_every_event_arrives_once_in_order_of_its_key(scene: Any) -> None:
    """12,000 events in three Kafka transactions: one record each, sequences rising per key."""
    ids = scene.store.append_states(12_000, subjects=50)
    _publish_all(scene.settings)
    messages = scene.read(12_000)
    assert sorted(_ids(messages)) == sorted(ids)
    sequences = defaultdict(list)
    partitions = defaultdict(set)
    for message in messages:
        sequences[message.key()].append(_headers(message)["ce_sequence"])
        partitions[message.key()].add(message.partition())
    assert all(one == sorted(one) for one in sequences.values())
    assert all(len(one) == 1 for one in partitions.values())
    assert scene.store.mark() == 12_000


def test_confluents_own_deserializer_reads_the_value(scene: Any) -> None:
    """Headers are CloudEvents in binary mode, the value is framed Avro of a registered schema."""
    scene.store.append_states(1, text="grün")
    _publish_all(scene.settings)
    [message] = scene.read(1)
    headers = _headers(message)
    assert headers["ce_type"] == "sales.Thing.v1"
    assert headers["ce_subject"] == message.key().decode() == "0"
    assert headers["ce_time"] == "2026-11-23T08:30:00Z"
    assert headers["content-type"] == "application/avro"
    assert _deserialize(scene, message) == {"thing": "grün", "number": 1}


def test_a_barrier_stands_in_every_partition_behind_all_events_before_it(scene: Any) -> None:
    """And before all events after it; its value says how many partitions there are."""
    before = set(scene.store.append_states(300, subjects=50))
    scene.store.append([scene.store.make(EventKind.BARRIER, subject="b1")])
    after = set(scene.store.append_states(300, subjects=50))
    _publish_all(scene.settings)
    by_partition = defaultdict(list)
    for message in scene.read(604):
        by_partition[message.partition()].append(message)
    assert len(by_partition) == scene.settings.event_partitions
    for messages in by_partition.values():
        [at] = [n for n, one in enumerate(messages) if one.key() == b"b1"]
        assert _headers(messages[at])["ce_type"] == "isthmus.Barrier.v1"
        assert json.loads(messages[at].value())["partitions"] == scene.settings.event_partitions
        assert set(_ids(messages[:at])) <= before
        assert set(_ids(messages[at + 1 :])) <= after


def test_a_tombstone_has_no_value(scene: Any) -> None:
    """Its headers are there all the same."""
    scene.store.append([scene.store.make(EventKind.TOMBSTONE, subject="7")])
    _publish_all(scene.settings)
    [message] = scene.read(1)
    assert (message.key(), message.value()) == (b"7", None)
    assert _headers(message)["ce_type"] == "sales.Thing.v1"


def test_a_second_publisher_fences_the_first(scene: Any) -> None:
    """The first stops with a message that says so, the second loses and repeats nothing."""
    ids = scene.store.append_states(10)
    with (
        closing(build_publisher(scene.settings, MODULE)) as first,
        closing(build_publisher(scene.settings, MODULE)) as second,
    ):
        first.take_over()
        _drain(first)
        second.take_over()
        ids += scene.store.append_states(10)
        with pytest.raises(Fatal, match="another publisher took over"):
            first.relay_batch()
        _drain(second)
    assert sorted(_ids(scene.read(20))) == sorted(ids)
    assert scene.store.mark() == 20


def test_a_mark_that_the_predecessor_moved_late_is_taken_up(scene: Any) -> None:
    """It was fenced after its commit in Kafka; the newer one repeats that batch and goes on."""
    scene.store.append_states(10)
    publisher = build_publisher(scene.settings, MODULE)
    publisher.take_over()
    _move_mark(scene, 6)
    _drain(publisher)
    assert scene.store.mark() == 10
    scene.store.append_states(5)
    _move_mark(scene, 12)
    with pytest.raises(Fatal, match="somebody else moved the published-up-to mark"):
        publisher.relay_batch()
    publisher.close()


def test_a_registry_that_lost_everything_is_told_again(scene: Any) -> None:
    """The hub keeps the schemas' texts, so the next publisher registers them anew."""
    scene.store.append_states(3)
    _publish_all(scene.settings)
    subject = f"{scene.settings.registry_url}/subjects/tests.Thing"
    for suffix in ("", "?permanent=true"):
        requests.delete(subject + suffix, timeout=30).raise_for_status()
    assert requests.get(f"{subject}/versions", timeout=30).status_code == 404
    scene.store.append_states(3)
    _publish_all(scene.settings)
    messages = scene.read(6)
    last = max(messages, key=lambda one: _headers(one)["ce_sequence"])
    assert _deserialize(scene, last) == {"thing": "thing", "number": 1}
    assert len(messages) == 6


def test_a_removed_number_stops_the_publisher(scene: Any) -> None:
    """What stands before the gap is not sent either: the store is not what was written."""
    scene.store.append_states(5)
    with scene.store.connect() as hub:
        hub.execute("delete from hub.event where number = 3")
    publisher = build_publisher(scene.settings, MODULE)
    with pytest.raises(Fatal, match="no number 3 "):
        publisher.run(threading.Event())
    assert scene.read(0) == []


def test_a_hub_restored_from_an_old_copy_stops_the_publisher(scene: Any) -> None:
    """The mark is beyond what the hub has ever numbered: new events would be passed over."""
    scene.store.append_states(5)
    _publish_all(scene.settings)
    with scene.store.connect() as hub:
        hub.execute("update hub.module set next_number = 3")
    with pytest.raises(Fatal, match="it is an old copy"):
        build_publisher(scene.settings, MODULE).run(threading.Event())


def test_a_record_that_the_broker_refuses_stops_the_publisher(scene: Any) -> None:
    """A topic with a smaller limit than ours: the message says what to raise."""
    admin = AdminClient({"bootstrap.servers": scene.settings.bootstrap_servers})
    admin.delete_topics([scene.topic])[scene.topic].result(30)
    _create_small_topic(admin, scene.topic)
    scene.store.append_states(1, text="".join(chr(0x4E00 + n) for n in range(5_000)))
    with pytest.raises(Fatal, match=r"refused a record for .* raise max\.message\.bytes"):
        build_publisher(scene.settings, MODULE).run(threading.Event())
    assert scene.store.mark() == 0


def test_old_events_are_sent_again_with_the_same_ids(scene: Any) -> None:
    """The mark stays, barriers are left out, numbers that are not there are passed over."""
    ids = scene.store.append_states(250)
    scene.store.append([scene.store.make(EventKind.BARRIER, subject="b1")])
    _publish_all(scene.settings)
    assert republish(scene.settings, MODULE, [*range(11, 252), 9_999]) == 240
    messages = [one for one in scene.read(494) if one.key() != b"b1"]
    assert sorted(_ids(messages)) == sorted(ids + ids[10:])
    assert scene.store.mark() == 251


def test_a_lost_hub_connection_is_made_again(scene: Any) -> None:
    """The publisher goes on at the mark without anybody's help."""
    ids = scene.store.append_states(10)
    with _Running(scene) as running:
        running.wait_for_mark(10)
        with scene.store.connect() as hub:
            hub.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'isthmus publish sales' and datname = current_database()"
            )
        ids += scene.store.append_states(10)
        running.wait_for_mark(20)
    assert set(_ids(scene.read(20))) == set(ids)


def test_a_broker_that_is_away_is_waited_for(scene: Any, stack: LocalStack) -> None:
    """Killed with SIGKILL while events come: they are all there when it is back, in order."""
    ids = scene.store.append_states(10)
    with _Running(scene) as running:
        running.wait_for_mark(10)
        stack.kill("kafka")
        ids += scene.store.append_states(3_000)
        stack.start("kafka")
        running.wait_for_mark(3_010)
    assert set(_ids(scene.read(3_010))) == set(ids)


def test_a_site_without_a_broker_is_unreachable(scene: Any) -> None:
    """It fails at the start instead of waiting for what may be a wrong address."""
    settings = dataclasses.replace(scene.settings, bootstrap_servers="127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"is the broker at 127\.0\.0\.1:1 running"):
        run_publishers(settings, [MODULE], threading.Event())


def _deserialize(scene: Any, message: Message) -> Any:
    with SchemaRegistryClient({"url": scene.settings.registry_url}) as client:
        context = SerializationContext(message.topic(), MessageField.VALUE)
        return AvroDeserializer(client)(message.value(), context)


def _move_mark(scene: Any, number: int) -> None:
    with scene.store.connect() as hub:
        hub.execute("update hub.relay set published_up_to = %s", (number,))


def _create_small_topic(admin: AdminClient, topic: str) -> None:
    """Create it as soon as the broker has forgotten the one of that name."""
    deadline = time.monotonic() + 30
    while topic in admin.list_topics(timeout=30).topics:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    new = NewTopic(topic, 4, 1, config={"max.message.bytes": "2000"})
    admin.create_topics([new])[topic].result(30)


class _Running:
    """A publisher in a thread."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._stop = threading.Event()
        publisher = build_publisher(scene.settings, MODULE)
        self._thread = threading.Thread(target=publisher.run, args=(self._stop,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait_for_mark(self, number: int) -> None:
        deadline = time.monotonic() + 60
        while self._scene.store.mark() != number:
            assert self._thread.is_alive()
            assert time.monotonic() < deadline, f"the mark stays at {self._scene.store.mark()}"
            time.sleep(0.05)
