"""Reads a change log from Kafka as consumers see it: committed records only, in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition
from fidelity_log import RawRecord

WAIT_SECONDS_MAX = 120.0
_ANSWER_SECONDS_MAX = 60


def read_records(
    brokers: str,
    topic: str,
    until: Callable[[RawRecord], bool],
    *,
    begin: int = 0,
    give_up: Callable[[], bool] = lambda: False,
) -> list[RawRecord]:
    """Read a topic's only partition from an offset to the first record that `until` accepts.

    InterruptedError when `give_up` says so while nothing comes.
    """
    consumer = _open(brokers, topic)
    records: list[RawRecord] = []
    try:
        consumer.assign([TopicPartition(topic, 0, begin)])
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < deadline:
            message = consumer.poll(0.2)
            error = message.error() if message is not None else None
            assert error is None or error.code() == KafkaError._PARTITION_EOF, error
            if message is None or error is not None:
                if give_up():
                    raise InterruptedError
                continue
            headers: Any = message.headers() or []
            records.append(RawRecord(message.key(), message.value() or b"", headers))
            if until(records[-1]):
                return records
    finally:
        consumer.close()
    raise AssertionError(f"not in the log in time; its end: {records[-5:]}")


def list_partitions(brokers: str, topic: str) -> list[int]:
    """List the partitions of a topic."""
    consumer = _open(brokers, topic)
    try:
        return list(
            consumer.list_topics(topic, timeout=_ANSWER_SECONDS_MAX).topics[topic].partitions
        )
    finally:
        consumer.close()


def read_all(brokers: str, topic: str, partition: int = 0) -> list[RawRecord]:
    """Read what a partition holds now."""
    consumer = _open(brokers, topic)
    records: list[RawRecord] = []
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while (message := consumer.poll(_ANSWER_SECONDS_MAX)) and message.error() is None:
            records.append(RawRecord(message.key(), message.value() or b"", ()))
    finally:
        consumer.close()
    return records


def read_high_watermark(brokers: str, topic: str) -> int:
    """Read the offset behind a topic's last record."""
    consumer = _open(brokers, topic)
    try:
        place = TopicPartition(topic, 0)
        return int(consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS_MAX)[1])
    finally:
        consumer.close()


def _open(brokers: str, topic: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"{topic}.reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
