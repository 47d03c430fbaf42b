"""The publisher's way into Kafka: whole batches, each in one Kafka transaction.

Enters: records. Leaves: nothing, or all of them committed. The transactional id fences a second
publisher (Fatal); everything that may pass leaves as Retriable, after which `open` is called again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.errors import Fatal, IsthmusError, Retriable, Unreachable
from pipeline.publish.batch import Record

ANSWER_SECONDS_MAX = 15.0
COMMIT_SECONDS_MAX = 60.0
TRANSACTION_MS_MAX = 60_000
QUEUE_KBYTES_MAX = 128 * 1024
_LOG_LEVEL = 0
"""librdkafka writes no lines of its own: every error comes to us as an exception as well."""

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - librdkafka's own name for it
    KafkaError.INVALID_PRODUCER_EPOCH,
    getattr(KafkaError, "PRODUCER_FENCED", KafkaError._FENCED),  # noqa: SLF001 - as above
}


class Channel:
    """A transactional producer for one topic; one at a time per transactional id."""

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        topic: str,
        transactional_id: str,
        record_bytes_max: int,
        open_producer: Callable[[dict[str, Any]], Producer] = Producer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.topic = topic
        self._open_producer = open_producer
        self._clock = clock
        self._transactional_id = transactional_id
        self._config = {
            "bootstrap.servers": bootstrap_servers,
            "client.id": transactional_id,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_MS_MAX,
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "message.max.bytes": record_bytes_max,
            "queue.buffering.max.kbytes": QUEUE_KBYTES_MAX,
            "linger.ms": 5,
            "retry.backoff.ms": 10,
            "retry.backoff.max.ms": 500,
            "reconnect.backoff.max.ms": 1_000,
            "delivery.report.only.error": True,
            "on_delivery": self._note_failure,
            "log_level": _LOG_LEVEL,
        }
        self._producer: Producer | None = None
        self._failure: KafkaError | None = None

    def open(self) -> None:
        """Take over the transactional id; what the one before left open is aborted."""
        self.close()
        producer = self._open_producer(self._config)
        try:
            producer.init_transactions(ANSWER_SECONDS_MAX)
        except KafkaException as error:
            raise self._explain(error, "take over the transactional id") from error
        self._producer = producer

    def close(self) -> None:
        """Let go of the producer; an open transaction is left to the next one to abort."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None

    def count_partitions(self) -> int:
        """Return how many partitions the topic has now."""
        return count_partitions(self._opened(), self.topic)

    def send(self, records: Iterable[Record], before_commit: Callable[[], None]) -> None:
        """Send records in one Kafka transaction and commit it; `before_commit` sees all sent."""
        producer = self._opened()
        self._failure = None
        try:
            producer.begin_transaction()
            for record in records:
                self._produce(producer, record)
            self._flush(producer)
            before_commit()
            self._commit(producer)
        except KafkaException as error:
            self._abort(producer, error)
            raise self._explain(error, "send events") from error

    def _opened(self) -> Producer:
        if self._producer is None:
            self.open()
        if self._producer is None:
            raise Unreachable(f"no producer for {self.topic}")
        return self._producer

    def _produce(self, producer: Producer, record: Record) -> None:
        headers: Any = record.headers
        while True:
            try:
                producer.produce(
                    self.topic,
                    value=record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=headers,
                )
            except BufferError:  # the queue is full: let some go
                _serve(producer, lambda: producer.poll(0.1))
                self._raise_failure()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    self._failure = error.args[0]
                raise
            else:
                return

    def _flush(self, producer: Producer) -> None:
        deadline = self._clock() + COMMIT_SECONDS_MAX
        while _serve(producer, lambda: producer.flush(1.0)) > 0:
            self._raise_failure()
            if self._clock() > deadline:
                raise KafkaException(
                    KafkaError(KafkaError._TIMED_OUT, "records wait to be acknowledged")  # noqa: SLF001 - librdkafka's own name
                )
        self._raise_failure()

    def _commit(self, producer: Producer) -> None:
        deadline = self._clock() + COMMIT_SECONDS_MAX
        while True:
            try:
                producer.commit_transaction(ANSWER_SECONDS_MAX)
            except KafkaException as error:
                if not error.args[0].retriable() or self._clock() > deadline:
                    raise
            else:
                return

    def _note_failure(self, error: KafkaError | None, _message: Any) -> None:
        # the first failure is the cause, those after it are its consequences
        if error is not None and self._failure is None:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise KafkaException(self._failure)

    def _abort(self, producer: Producer, error: KafkaException) -> None:
        """Abort what is open; where that fails too, the next `open` does it."""
        if error.args[0].fatal():
            self.close()
            return
        producer.purge()
        try:
            producer.abort_transaction(ANSWER_SECONDS_MAX)
        except KafkaException:
            self.close()

    def _explain(self, error: KafkaException, doing: str) -> IsthmusError:
        cause: KafkaError = error.args[0]
        if cause.code() in _FENCED:
            return Fatal(
                f"another publisher took over {self.topic} (transactional id "
                f"{self._transactional_id}), or this one slept over {TRANSACTION_MS_MAX // 1000} "
                "s: one is enough; start it again only if no other runs"
            )
        if KafkaError.MSG_SIZE_TOO_LARGE in {cause.code(), self._failure and self._failure.code()}:
            return Fatal(
                f"the broker refused a record for {self.topic} as too large ({cause.str()}): raise "
                "max.message.bytes of the topic and message.max.bytes of the broker to [kafka] "
                f"record_bytes_max ({self._config['message.max.bytes']:,})"
            )
        self.close()
        return Retriable(f"could not {doing} on {self.topic}: {cause.str()} ({cause.name()})")


def ensure_topic(
    bootstrap_servers: str, topic: str, *, partitions: int, record_bytes_max: int
) -> int:
    """Make the topic if it is absent; return its partitions. Unreachable without a broker."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": _LOG_LEVEL})
    try:
        return count_partitions(admin, topic)
    except _Absent:
        pass  # made below
    except Retriable as error:
        raise Unreachable(f"{error}: is the broker at {bootstrap_servers} running?") from error
    config = {"max.message.bytes": str(record_bytes_max)}
    new = NewTopic(topic, num_partitions=partitions, replication_factor=-1, config=config)
    try:
        admin.create_topics([new], operation_timeout=ANSWER_SECONDS_MAX)[topic].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise Unreachable(f"can't create {topic}: {error.args[0].str()}") from error
    return partitions


class _Absent(Retriable):
    """The topic is not there (any more)."""


def count_partitions(client: Producer | AdminClient, topic: str) -> int:
    """Return how many partitions a topic has; Retriable when it or the broker is not there."""
    try:
        found = client.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic]
    except KafkaException as error:
        raise Retriable(f"the broker did not answer for {topic}: {error.args[0].str()}") from error
    if found.error is not None:
        raise _Absent(f"no topic {topic}: {found.error.str()}")
    return len(found.partitions)


def _serve(producer: Producer, call: Callable[[], int]) -> int:
    """Serve callbacks; a fatal error that comes beside a delivery report leaves as itself.

    The binding sets the fatal error as an exception and then runs other callbacks all the same:
    what it raises has the error as its cause, or has lost it.
    """
    try:
        return call()
    except SystemError as error:
        if isinstance(error.__cause__, KafkaException):
            raise error.__cause__ from None
        # within a transaction this always fails: with the fatal error, which the client keeps
        producer.begin_transaction()
        raise
