"""The Kafka side: fetches records of the partitions that this member of the region's group has.

Enters: topics. Leaves: `Fetched` batches, small when idle and large when behind. Where to begin
is asked of the store (take_over); offsets committed to Kafka are a hint for onlookers only.
"""

# ruff: noqa: SLF001 - the client names its own errors with a leading underscore
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.errors import Configuration, Fatal, Retriable, Unreachable
from pipeline.replicate.batch import Ownership
from pipeline.replicate.batch import TopicPartition as Place
from pipeline.replicate.record import Record
from pipeline.replicate.stall import StallWatch
from pipeline.replicate.threads import Lock

BATCH_RECORDS_MAX = 20_000
BATCH_BYTES_MAX = 64 * 1024 * 1024
CHUNK_RECORDS_MAX = 2_000
"""Records are taken in chunks of this size, so that a batch passes its bytes by little."""
OFFSETS_SECONDS = 1.0
"""Kafka is told so often how far a region is; the broker writes each time."""

_QUEUE_KBYTES = 256 * 1024
_METADATA_SECONDS = 10.0
_END_SECONDS = 5.0
_WAITS = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})
_RECOVERS = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
    }
)
_WRONG = frozenset(
    {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
    | {KafkaError._AUTHENTICATION}
)

TakeOver = Callable[[Sequence[Place]], Mapping[Place, Ownership]]
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records that were fetched while the partitions were owned under `generation`."""

    generation: int
    epochs: Mapping[Place, int]
    records: list[Record]
    bytes: int


class EventsConsumer:
    """A member of a consumer group; `handover` is held while a batch is written.

    The group rebalances eagerly: when partitions are taken away, this member gives up all of them
    after the batch at hand is written, and batches that wait are of an old generation.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        group: str,
        topics: Sequence[str],
        take_over: TakeOver,
        handover: Lock,
        record_bytes_max: int,
        open_consumer: Callable[..., Consumer] = Consumer,
        clock: Callable[[], float] = time.monotonic,
        watch: StallWatch | None = None,
    ) -> None:
        self.generation = 0
        self._clock = clock
        self._watch = watch or StallWatch(clock)
        self._closing = False
        self._failure: Exception | None = None
        self._epochs: dict[Place, int] = {}
        self._take_over = take_over
        self._handover = handover
        self._missing: set[str] = set()
        self._pending: dict[Place, int] = {}
        self._pending_lock = threading.Lock()
        self._send_at = 0.0
        kafka_log = _KafkaLog()
        self._consumer = open_consumer(
            _configure(bootstrap_servers, group, record_bytes_max), logger=kafka_log
        )
        try:
            self._consumer.list_topics(timeout=_METADATA_SECONDS)
        except KafkaException as error:
            self._consumer.close()
            raise Unreachable(
                f"can't reach Kafka at {bootstrap_servers} ({error.args[0].str()}): "
                "is it running, and is [kafka] bootstrap_servers right?"
            ) from error
        kafka_log.answered = True
        self._consumer.subscribe(list(topics), on_assign=self._assign, on_revoke=self._revoke,
                                 on_lost=self._revoke)  # fmt: skip

    def fetch(self, timeout_seconds: float) -> Fetched:
        """Wait for the first record, then take what is there already, within the bounds."""
        if self._clock() >= self._send_at:
            self._send_offsets()
        records: list[Record] = []
        size = self._take(records, 1, timeout_seconds)
        drained = not records
        while records and len(records) < BATCH_RECORDS_MAX and size < BATCH_BYTES_MAX:
            room = (BATCH_BYTES_MAX - size) * len(records) // max(size, 1) + 1
            wanted = min(CHUNK_RECORDS_MAX, BATCH_RECORDS_MAX - len(records), room)
            before = len(records)
            size += self._take(records, wanted, 0.0)
            if len(records) == before:
                drained = True
                break
        reached = {(one.topic, one.partition): one.offset + 1 for one in records}
        for place, offset in reached.items():
            self._watch.note(place, offset)
        if drained:  # else records of silent partitions may wait behind those of others
            self._look_for_stalled()
        return Fetched(self.generation, dict(self._epochs), records, size)

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Commit offsets to the group, for onlookers; the store has them already.

        The fetching thread sends them, once a second: the client holds a lock while it consumes,
        and another thread's commit could wait for it for ever.
        """
        with self._pending_lock:
            self._pending.update(offsets)

    def _send_offsets(self) -> None:
        with self._pending_lock:
            pending, self._pending = self._pending, {}
        self._send_at = self._clock() + OFFSETS_SECONDS
        if not pending:
            return
        wanted = [TopicPartition(*place, offset) for place, offset in pending.items()]
        try:
            self._consumer.commit(offsets=wanted, asynchronous=True)
        except KafkaException as error:
            _log.warning("offsets not committed to kafka", reason=error.args[0].str())

    def close(self) -> None:
        """Leave the group, once the fetching thread has ended."""
        self._closing = True
        self._send_offsets()
        self._consumer.close()

    def _take(self, records: list[Record], count: int, timeout_seconds: float) -> int:
        size, generation = 0, self.generation
        messages = self._consumer.consume(count, timeout_seconds)
        if self._failure is not None:
            raise self._failure
        if generation != self.generation:
            records.clear()  # of partitions that were given up in between
        for message in messages:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                self._watch.note(_place(message), message.offset() or 0)
                continue
            if error is not None:
                self._judge(error, message.topic())
                continue
            value = message.value()
            size += 0 if value is None else len(value)
            records.append(_make_record(message, value))
        return size

    def _look_for_stalled(self) -> None:
        """Ask the broker for the ends of silent partitions; Retriable when some stand still."""
        ends = []
        for place in self._watch.list_silent():
            try:
                found = self._consumer.get_watermark_offsets(
                    TopicPartition(*place), timeout=_END_SECONDS
                )
            except KafkaException:  # it can't be reached: that is no fault of this client
                self._watch.postpone()
                return
            if found is not None:
                ends.append((place, found[1]))
        stalled = self._watch.judge(ends)
        if stalled:
            (topic, partition), one = stalled[0].place, stalled[0]
            raise Retriable(
                f"nothing comes of {len(stalled)} partitions although Kafka has more (the first is "
                f"{topic}[{partition}], at {one.reached} of {one.end}): beginning anew"
            )

    def _judge(self, error: KafkaError, topic: str | None) -> None:
        """Raise what an error event means; those that librdkafka recovers from pass."""
        code = error.code()
        if code in _WAITS:
            if topic not in self._missing:
                _log.warning("waiting for a topic that does not exist yet", topic=topic)
                self._missing.add(topic or "")
            return
        if code == KafkaError._AUTO_OFFSET_RESET:
            raise Fatal(
                f"the records that this region's store needs next are no longer in {topic} "
                f"({error.str()}): retention removed them, or the topic was made anew; "
                "rebuild the region's store from the hub"
            )
        if code in _WRONG:
            raise Configuration(f"Kafka does not let us read {topic}: {error.str()}")
        if error.fatal():
            raise Fatal(f"Kafka's client can't go on: {error.str()}")
        if code not in _RECOVERS:
            raise Retriable(f"reading {topic or 'Kafka'} failed: {error.str()}")

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:  # an assignment that waited to be fetched; to take it now hangs for ever
            consumer.unassign()
            return
        try:
            taken = self._own([(one.topic, one.partition) for one in partitions])
        except Exception as error:  # noqa: BLE001 - kept for `fetch`: a client that an exception passed never closes
            self._failure = error
            consumer.unassign()
            return
        for one in partitions:
            one.offset = taken[one.topic, one.partition].next_offset
        consumer.assign(partitions)
        self._watch.restart({place: owned.next_offset for place, owned in taken.items()})

    def _own(self, places: Sequence[Place]) -> Mapping[Place, Ownership]:
        with self._handover:
            taken = self._take_over(places)
            self.generation += 1
            self._epochs = {place: owned.epoch for place, owned in taken.items()}
        if taken:
            _log.info("partitions assigned", partitions=len(taken), epochs=self._named())
        return taken

    def _revoke(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        with self._handover:  # waits until the batch at hand is written
            self.generation += 1
            self._epochs = {}
        consumer.unassign()
        self._watch.restart({})

    def _named(self) -> dict[str, int]:
        return {f"{topic}[{number}]": epoch for (topic, number), epoch in self._epochs.items()}


def _place(message: Message) -> Place:
    topic, partition = message.topic(), message.partition()
    assert topic is not None and partition is not None  # noqa: S101, PT018 - also those of an end have them
    return topic, partition


def _make_record(message: Message, value: bytes | None) -> Record:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    headers: Any = message.headers()
    assert topic is not None and partition is not None and offset is not None  # noqa: S101, PT018 - a record has them
    return Record(topic, partition, offset, value, headers or [])


class _KafkaLog:
    """Passes librdkafka's own log lines on to ours."""

    answered = False
    """Until the broker has, the error that is raised says it once, and not each attempt."""

    def log(self, level: int, text: str, *args: Any) -> None:
        """Log a line with the level of the standard library."""
        if not self.answered:
            return
        _log.log(max(level, 10), "kafka client", detail=text % args if args else text)


def _configure(bootstrap_servers: str, group: str, record_bytes_max: int) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group,
        "client.id": f"isthmus-{group}",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # a hole is never jumped over
        "partition.assignment.strategy": "roundrobin",  # eager: all stop, then all begin
        "session.timeout.ms": 10_000,  # how long partitions of a killed member stand still
        "heartbeat.interval.ms": 2_000,
        # a rebalance waits no longer than this for a member that sends heartbeats and does nothing
        "max.poll.interval.ms": 120_000,
        "enable.partition.eof": True,  # where it ends behind the markers of transactions
        "topic.metadata.refresh.interval.ms": 10_000,
        "allow.auto.create.topics": False,
        # as measured: with defaults librdkafka rests for a second when its queue was full
        "queued.min.messages": 200_000,
        "queued.max.messages.kbytes": _QUEUE_KBYTES,
        "fetch.queue.backoff.ms": 20,
        "fetch.max.bytes": max(64 * 1024 * 1024, record_bytes_max),
        "message.max.bytes": max(1_000_000, record_bytes_max),
        "max.partition.fetch.bytes": max(8 * 1024 * 1024, record_bytes_max),
    }
