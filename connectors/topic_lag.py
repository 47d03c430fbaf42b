"""How much of a topic its consumer groups have not read, and how old that is.

Enters: Kafka's brokers, a topic, the site. Leaves: Unread. A group's committed offsets are a hint
(hub and stores know better), and never ahead of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from connectors.circumstances import Unread
from connectors.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUEST_TIMEOUT_S = 15.0


def read_unread(
    bootstrap_servers: str,
    topic: str,
    partitions: int,
    site: str,
    *,
    clock: Callable[[], float] = time.time,
) -> Unread | None:
    """Read what the site's slowest groups have left of a topic; None when nobody reads it."""
    try:
        committed = _read_committed(bootstrap_servers, topic, partitions, site)
        if not committed:
            return None
        slowest = {
            partition: min(offsets.get(partition, 0) for offsets in committed.values())
            for partition in range(partitions)
        }
        return _measure(bootstrap_servers, topic, slowest, tuple(sorted(committed)), clock)
    except KafkaException as error:
        words = str(error.args[0].str())
        raise Unreachable(f"cannot read how far {topic} was read: {words}") from error


def _read_committed(
    bootstrap_servers: str, topic: str, partitions: int, site: str
) -> dict[str, dict[int, int]]:
    """Read the committed offsets of the site's groups that read the topic."""
    admin: Any = AdminClient({"bootstrap.servers": bootstrap_servers})
    listing = admin.list_consumer_groups(request_timeout=REQUEST_TIMEOUT_S)
    groups = listing.result(REQUEST_TIMEOUT_S).valid
    names = [one.group_id for one in groups if one.group_id.startswith(f"{site}.")]
    committed = {}
    for name in names:
        wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
        futures = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(name, wanted)], request_timeout=REQUEST_TIMEOUT_S
        )
        answer = futures[name].result(REQUEST_TIMEOUT_S)
        offsets = {one.partition: one.offset for one in answer.topic_partitions if one.offset >= 0}
        if offsets:
            committed[name] = offsets
    return committed


def _measure(
    bootstrap_servers: str,
    topic: str,
    offsets: dict[int, int],
    groups: tuple[str, ...],
    clock: Callable[[], float],
) -> Unread:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "isthmus-connectors",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        records, oldest = 0, clock() * 1000
        for begin, high in _find_begins(consumer, topic, offsets):
            records += high - begin.offset
            consumer.assign([begin])
            written_ms = read_time_ms(consumer.poll(REQUEST_TIMEOUT_S), topic)
            oldest = oldest if written_ms is None else min(oldest, written_ms)
    finally:
        consumer.close()
    return Unread(groups, records, int(clock() * 1000 - oldest))


def read_time_ms(message: Message | None, topic: str) -> float | None:
    """Read when a record was written; None behind the last one.

    Unreachable without an answer: records of unknown age are not young ones.
    """
    if message is None:
        raise Unreachable(f"cannot read how far {topic} was read: no answer from Kafka")
    error = message.error()
    if error is None:
        return float(message.timestamp()[1])
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
        return None
    raise Unreachable(f"cannot read how far {topic} was read: {error.str()}")


def _find_begins(
    consumer: Consumer, topic: str, offsets: dict[int, int]
) -> Iterator[tuple[TopicPartition, int]]:
    """Give the partitions that hold unread records: the first one, and the end."""
    for partition, offset in offsets.items():
        low, high = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=REQUEST_TIMEOUT_S
        )
        # low == high: librdkafka's answer, too, where one of its two questions failed
        begin = max(low, offset) if low < high else offset
        if begin < high:
            yield TopicPartition(topic, partition, begin), high
