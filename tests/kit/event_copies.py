"""Copies of a site's events, put into their topic by hand: same headers, any order.

Enters: settings, a module, ids of aggregates. Leaves: the copies behind all newer records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from pipeline.settings import Settings

SECONDS_MAX = 60.0
Order = Callable[[Sequence[Message]], Sequence[Message]]


def copy_events(settings: Settings, module: str, subjects: Collection[str], order: Order) -> int:
    """Send the records of some aggregates again, in the order of `order`; return how many."""
    topic = settings.events_topic(module)
    chosen = order([one for one in read_topic(settings, topic) if _subject(one) in subjects])
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for message in chosen:
        producer.produce(
            topic,
            value=message.value(),
            key=message.key(),
            headers=message.headers(),
            partition=message.partition() or 0,
        )
    assert producer.flush(SECONDS_MAX) == 0
    return len(chosen)


def read_topic(settings: Settings, topic: str) -> list[Message]:
    """Read all committed records that a topic has now, partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": "tests",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    with closing(consumer):
        found = consumer.list_topics(topic, timeout=SECONDS_MAX).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in found])
        messages: list[Message] = []
        ended: set[int | None] = set()
        deadline = time.monotonic() + SECONDS_MAX
        while len(ended) < len(found):
            assert time.monotonic() < deadline, f"{topic} can't be read to its end"
            for message in consumer.consume(500, timeout=1.0):
                if message.error() is None:
                    messages.append(message)
                else:
                    ended.add(message.partition())
    return sorted(messages, key=lambda one: (one.partition() or 0, one.offset() or 0))


def _subject(message: Message) -> str:
    value = dict(message.headers() or []).get("ce_subject")
    return value.decode() if isinstance(value, bytes) else ""
