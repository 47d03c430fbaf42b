"""Reads a module's change log from Kafka, from the offset that the hub says.

Enters: topic and offset. Leaves: messages in order, committed ones only. Fatal when the log does
not reach back to the offset any more, or is another one than before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.errors import Fatal, Retriable, Unreachable

log = structlog.get_logger()

_TIMEOUT_S = 10.0
_GATHER_S = 0.02
"""How long a batch waits for more once it has its first message."""
_MESSAGES_PER_POLL = 2_000


class ChangeConsumer:
    """One reader of a change log's only partition; nothing but this process's hub says where.

    `open_consumer` makes Kafka's client of its settings; `clock` gives seconds.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        group: str,
        topic: str,
        offset: int,
        record_bytes_max: int,
        *,
        open_consumer: Callable[[dict[str, Any]], Consumer] = Consumer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = topic
        self._group = group
        self._servers = bootstrap_servers
        self._clock = clock
        self._consumer = open_consumer(
            make_consumer_config(bootstrap_servers, group, record_bytes_max)
        )
        try:
            self._assign(offset)
        except BaseException:
            self._consumer.close()
            raise

    def consume(self, records_max: int, bytes_max: int, wait_s: float) -> list[Message]:
        """Return the next messages, at most so many; [] when none came within `wait_s` seconds."""
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        messages = [self._check(first)]
        size = len(first)
        until = self._clock() + _GATHER_S
        while len(messages) < records_max and size < bytes_max and self._clock() < until:
            more = self._consumer.consume(
                min(_MESSAGES_PER_POLL, records_max - len(messages)), _GATHER_S / 4
            )
            messages += [self._check(message) for message in more]
            size += sum(map(len, more))
        return messages

    def commit(self, offset: int) -> None:
        """Tell Kafka how far the hub is: a hint for people who watch the group's lag."""
        self._consumer.commit(offsets=[TopicPartition(self._topic, 0, offset)], asynchronous=True)

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _assign(self, offset: int) -> None:
        partition = TopicPartition(self._topic, 0)
        try:
            metadata = self._consumer.list_topics(self._topic, timeout=_TIMEOUT_S)
            low, high = self._consumer.get_watermark_offsets(partition, timeout=_TIMEOUT_S)
        except KafkaException as error:
            code = error.args[0].code()
            if code in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION}:  # noqa: SLF001 - librdkafka's own names
                raise Retriable(
                    f"no topic {self._topic} yet: `isthmus connectors apply` makes it"
                ) from error
            raise Unreachable(
                f"can't read {self._topic} at {self._servers} ({error.args[0].str()}): is the "
                "broker running, and is [kafka] bootstrap_servers right?"
            ) from error
        partitions = len(metadata.topics[self._topic].partitions)
        if partitions != 1:
            raise Fatal(
                f"{self._topic} has {partitions} partitions: a change log has one, or its order "
                "is lost; delete the topic and let `isthmus connectors apply` make it"
            )
        # low == high: an empty log, or librdkafka's answer where one of its two questions failed (a
        # broker has just come back); the first fetch then tells if the offset is out of range
        if low < high and not low <= offset <= high:
            raise Fatal(
                f"{self._topic} holds offsets {low} to {high}, but the hub goes on at {offset}: "
                "changes are gone (retention, or the topic was made anew); raise `epoch` in the "
                "module's declaration and take a new snapshot"
            )
        self._consumer.assign([TopicPartition(self._topic, 0, offset)])

    def _check(self, message: Message) -> Message:
        error = message.error()
        if error is None:
            return message
        if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001 - as above
            raise Fatal(
                f"{self._topic} does not reach back to the hub's offset any more ({error.str()}): "
                "raise `epoch` in the module's declaration and take a new snapshot"
            )
        raise Retriable(f"{self._topic}: {error.str()}")


def make_consumer_config(
    bootstrap_servers: str, group: str, record_bytes_max: int
) -> dict[str, Any]:
    """Make librdkafka's settings for reading fast: it stops fetching when its queue is full.

    The queue and the fetches are kept small: a huge transaction must not take more memory than a
    small one, and the hub is slower than Kafka anyway. Fetches count compressed bytes, of which
    change events in JSON have a tenth; a larger record is fetched all the same.
    """
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 8_192,
        "fetch.max.bytes": max(4 * 1024 * 1024, record_bytes_max),
        "max.partition.fetch.bytes": 256 * 1024,
        "fetch.queue.backoff.ms": 20,
        "fetch.wait.max.ms": 50,
        "enable.partition.eof": False,
        "log_level": 0,  # it would write a line of its own for each attempt to connect
        "error_cb": _tell_outage,
    }


def _tell_outage(error: KafkaError) -> None:
    """Log that no broker answers: librdkafka goes on trying, and nothing is raised meanwhile."""
    if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's own name
        log.warning("translate.kafka_unreachable", error=error.str())
