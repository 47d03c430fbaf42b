"""An event store that is filled as a translator fills it, and a reader of whole topics."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from adapters.contract import Contract, make_contract
from adapters.event import EventKind, IntegrationEvent, make_event_id
from adapters.position import Sequence
from pipeline.hub.migrate import migrate_hub
from pipeline.publish.channel import ensure_topic
from pipeline.settings import Settings, load_settings

MODULE = "sales"
READ_SECONDS_MAX = 60
CONTRACT = make_contract(
    "sales.Thing.v1",
    {
        "type": "record",
        "name": "Thing",
        "namespace": "tests",
        "fields": [{"name": "thing", "type": "string"}, {"name": "number", "type": "long"}],
    },
)
_INSERT = """
insert into hub.event (module, number, kind, id, type, aggregate, subject, sequence, time, source,
                       transaction, fingerprint, payload)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""


class EventStore:
    """The hub of one test: appends numbered events in one transaction, as a translator does."""

    def __init__(self, hub_url: str) -> None:
        self.hub_url = hub_url
        self.last = 0
        migrate_hub(hub_url)
        with self.connect() as hub:
            hub.execute("select hub.ensure_event_partition(current_date)")
            hub.execute("insert into hub.module (module) values (%s)", (MODULE,))
            hub.execute(
                "insert into hub.schema (fingerprint, type, subject, text) values (%s, %s, %s, %s)",
                (CONTRACT.fingerprint, CONTRACT.type, CONTRACT.subject, CONTRACT.text),
            )

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect as the hub's owner; the block is a transaction."""
        return psycopg.connect(self.hub_url)

    def append_states(self, count: int, *, subjects: int = 7, text: str = "thing") -> list[str]:
        """Append state events, round about the subjects; return their ids."""
        return self.append(
            [
                self.make(EventKind.STATE, subject=str(number % subjects), text=text)
                for number in range(count)
            ]
        )

    def append(self, events: list[IntegrationEvent]) -> list[str]:
        """Append events under the next numbers; return their ids."""
        rows = []
        for number, event in enumerate(events, start=self.last + 1):
            sequence = str(Sequence(epoch=1, lsn=number))
            id_ = event.id or make_event_id(event.type, event.subject, sequence)
            rows.append(
                (
                    *(MODULE, number, event.kind, id_, event.type, event.aggregate, event.subject),
                    *(sequence, event.time, event.source, event.transaction, event.fingerprint),
                    event.payload,
                )
            )
        with self.connect() as hub, hub.cursor() as cursor:
            cursor.executemany(_INSERT, rows)
            self.last += len(events)
            cursor.execute(
                "update hub.module set next_number = %s where module = %s", (self.last + 1, MODULE)
            )
        return [row[3] for row in rows]

    def make(self, kind: EventKind, *, subject: str, text: str = "thing") -> IntegrationEvent:
        """Make an event without id and sequence; `append` gives both."""
        payload = encode(CONTRACT, {"thing": text, "number": 1})
        common = {"id": "", "kind": kind, "sequence": "", "source": "/test/sales"}
        time = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
        if kind is EventKind.BARRIER:
            body = {"barrier": subject, "module": MODULE, "position": "p", "quarantined": []}
            return IntegrationEvent(
                **common,  # type: ignore[arg-type]
                type="isthmus.Barrier.v1",
                aggregate="isthmus.Barrier",
                subject=subject,
                time=time,
                payload=msgspec.json.encode(body),
            )
        valued = kind is not EventKind.TOMBSTONE
        return IntegrationEvent(
            **common,  # type: ignore[arg-type]
            type=CONTRACT.type,
            aggregate="sales.Thing",
            subject=subject,
            time=time,
            transaction="762",
            fingerprint=CONTRACT.fingerprint if valued else None,
            payload=payload if valued else None,
        )

    def mark(self) -> int | None:
        """Return the published-up-to mark, None before the first publisher."""
        with self.connect() as hub:
            row = hub.execute(
                "select published_up_to from hub.relay where module = %s", (MODULE,)
            ).fetchone()
        return row[0] if row else None


def encode(contract: Contract, value: dict[str, Any]) -> bytes:
    """Encode a value as an adapter's contract does."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, contract.parsed, value)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Scene:
    """One test's site: settings, event store and topic."""

    folder: Path
    settings: Settings
    store: EventStore
    topic: str

    def read(self, at_least: int, *, isolation: str = "read_committed") -> list[Message]:
        """Read the whole topic, partition by partition."""
        return read_topic(self.settings.bootstrap_servers, self.topic, isolation, at_least)

    def publish(self, *, failpoint: str = "") -> subprocess.Popen[str]:
        """Start `isthmus publish` as a process of its own."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline.cli", "publish"),
                *("--site", str(self.folder), "--module", MODULE),
            ],
            env={**os.environ, "ISTHMUS_FAILPOINT": failpoint},
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def scene(site: Callable[[], Any]) -> Scene:
    """Give a site with an empty event store and an empty topic of four partitions."""
    made = site()
    settings = load_settings(made.folder)
    topic = settings.events_topic(MODULE)
    ensure_topic(
        settings.bootstrap_servers,
        topic,
        partitions=settings.event_partitions,
        record_bytes_max=settings.record_bytes_max,
    )
    return Scene(made.folder, settings, EventStore(settings.hub_url), topic)


def read_topic(bootstrap_servers: str, topic: str, isolation: str, at_least: int) -> list[Message]:
    """Read every record of a topic up to its end, and wait for `at_least` records.

    A committed transaction shows a little later: the broker writes its markers by and by.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "reads-whole-topics",
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )
    with closing(consumer):
        partitions = consumer.list_topics(topic, timeout=READ_SECONDS_MAX).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        messages = []
        ended: set[int | None] = set()
        while len(ended) < len(partitions) or len(messages) < at_least:
            message = consumer.poll(READ_SECONDS_MAX)
            assert message is not None, f"{topic} did not end within {READ_SECONDS_MAX} s"
            error = message.error()
            if error is None:
                messages.append(message)
                ended.discard(message.partition())
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error.str()
                ended.add(message.partition())
    return sorted(messages, key=lambda one: (one.partition(), one.offset()))
