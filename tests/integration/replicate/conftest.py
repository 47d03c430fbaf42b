"""A region of the shop on real servers: a topic, a store, and replicators to run on them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from replicate_shop import (
    CONTRACTS,
    PARTITIONS,
    PROJECTIONS,
    TABLES,
    KnownSchemas,
    Log,
    contents,
    read_tables,
)

from pipeline.local_stack.stack import LocalStack
from pipeline.replicate.consumer import EventsConsumer
from pipeline.replicate.core import Planner
from pipeline.replicate.loop import Replicator, Store, write_records
from pipeline.replicate.memory import MemoryStore
from pipeline.replicate.migrate import migrate_store
from pipeline.replicate.record import Record
from pipeline.replicate.store import PostgresStore
from pipeline.replicate.threads import Lock

RECORD_BYTES_MAX = 16 * 1024 * 1024
KAFKA_SECONDS_MAX = 60


@dataclass
class ShopRegion:
    """One region: replicators of it run in this process, or in others by `command`."""

    kafka: str
    topic: str
    group: str
    url: str
    connection: psycopg.Connection[Any]
    log: Log

    def produce(self, records: Iterable[Record]) -> None:
        """Append records to the topic, as a publisher does."""
        producer = Producer({"bootstrap.servers": self.kafka, "enable.idempotence": True})
        for record in records:
            headers: Any = list(record.headers)
            subject = dict(record.headers).get("ce_subject") or b""
            producer.produce(
                self.topic, record.value, subject, partition=record.partition, headers=headers,
                on_delivery=_raise_failed,
            )  # fmt: skip
            producer.poll(0)
        assert producer.flush(KAFKA_SECONDS_MAX) == 0

    def make(self, group: str | None = None) -> Replicator:
        """Make a replicator of this region."""

        def open_consumer(store: Store, handover: Lock) -> EventsConsumer:
            return EventsConsumer(
                bootstrap_servers=self.kafka,
                group=group or self.group,
                topics=[self.topic],
                take_over=store.take_over,
                handover=handover,
                record_bytes_max=RECORD_BYTES_MAX,
            )

        return Replicator(
            "eu",
            planner=Planner(PROJECTIONS, CONTRACTS, KnownSchemas()),
            open_store=lambda: PostgresStore(self.url, PROJECTIONS),
            open_consumer=open_consumer,
        )

    def replicate(self, idle_seconds_max: float = 3.0) -> None:
        """Replicate here until the region has all that the topic has."""
        self.make().run(threading.Event(), idle_seconds_max=idle_seconds_max)

    def read(self) -> dict[str, Any]:
        """Read what the store holds."""
        return read_tables(self.connection)

    def expect(self, records: Iterable[Record]) -> dict[str, Any]:
        """Return what a store must hold after these records, in the form of `read`."""
        store = MemoryStore()
        epochs = dict.fromkeys(((one.topic, one.partition) for one in records), 1)
        store.take_over(list(epochs))
        planner = Planner(PROJECTIONS, CONTRACTS, KnownSchemas())
        for record in records:
            write_records(planner, store, [record], epochs)
        held = contents(store)
        held["barriers"] = {(barrier, self.topic, one) for barrier, _, one in held["barriers"]}
        return held

    def offsets(self) -> dict[int, tuple[int, int]]:
        """Return next offset and epoch of each partition."""
        rows = self.connection.execute(
            "select partition, next_offset, owner_epoch from replication.offset"
        ).fetchall()
        return {number: (offset, epoch) for number, offset, epoch in rows}


def _raise_failed(error: Any, message: Any) -> None:
    del message
    assert error is None, error


@pytest.fixture
def region(stack: LocalStack, databases: Callable[[], dict[str, str]]) -> Iterator[ShopRegion]:
    """Give a region with an empty topic of four partitions and an empty store."""
    del stack
    variables = databases()
    kafka, url = variables["ISTHMUS_KAFKA"], variables["ISTHMUS_STORE_EU_URL"]
    name = f"t{secrets.token_hex(4)}"
    topic = f"{name}.shop.events"
    admin = AdminClient({"bootstrap.servers": kafka})
    created = admin.create_topics(
        [NewTopic(topic, PARTITIONS, 1, config={"max.message.bytes": str(RECORD_BYTES_MAX)})]
    )
    created[topic].result(KAFKA_SECONDS_MAX)
    migrate_store(url, None)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        yield ShopRegion(kafka, topic, f"{name}.eu", url, connection, Log())
    admin.delete_topics([topic])[topic].result(KAFKA_SECONDS_MAX)
