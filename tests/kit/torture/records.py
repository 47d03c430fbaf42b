"""Reads what a topic has now, as a reader of committed records sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from confluent_kafka import Consumer, Message, TopicPartition

READ_SECONDS_MAX = 900.0


def read_topic(servers: str, topic: str) -> Iterator[Message]:
    """Read all committed records that a topic has now, each partition in its order."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "torture-verdict",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    with closing(consumer):
        found = consumer.list_topics(topic, timeout=60.0).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in found])
        ended: set[int | None] = set()
        deadline = time.monotonic() + READ_SECONDS_MAX
        while len(ended) < len(found):
            if time.monotonic() > deadline:
                raise AssertionError(f"{topic} can't be read to its end")
            for message in consumer.consume(5_000, timeout=0.5):
                if message.error() is None:
                    yield message
                else:
                    ended.add(message.partition())
