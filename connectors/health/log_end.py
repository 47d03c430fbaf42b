"""The end of a module's change log: its offsets, its last records, and a snapshot's notifications.

Enters: a broker list. Leaves: facts of the log; records are decoded only as far as that needs.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # as topics

from connectors.config import EPOCH_HEADER
from connectors.errors import Unreachable
from connectors.health.facts import LogFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REQUEST_TIMEOUT_S = 15.0
_NO_OFFSET = -1
# the library has no types for these three
_EARLIEST = cast("Callable[[], OffsetSpec]", OffsetSpec.earliest)
_LATEST = cast("Callable[[], OffsetSpec]", OffsetSpec.latest)
_NEWEST = cast("Callable[[], OffsetSpec]", OffsetSpec.max_timestamp)


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as far as it is looked at here; `body` is its value, {} when it is no object."""

    offset: int
    timestamp_ms: int
    headers: dict[str, bytes]
    body: dict[str, Any] = field(repr=False)

    @property
    def source_ms(self) -> int | None:
        """When what it says was committed in the legacy database."""
        source = self.body.get("source")
        return int(source["ts_ms"]) if isinstance(source, dict) and source.get("ts_ms") else None

    @property
    def table(self) -> str | None:
        """The table of a row that a snapshot read."""
        source = self.body.get("source")
        return source.get("table") if self.body.get("op") == "r" and source else None

    @property
    def notification(self) -> tuple[str, str, dict[str, str]] | None:
        """A notification's kind, type and data."""
        kind, type_ = self.body.get("aggregate_type"), self.body.get("type")
        if not isinstance(kind, str) or not isinstance(type_, str):
            return None
        return kind, type_, self.body.get("additional_data") or {}

    @property
    def end_lsn(self) -> int | None:
        """The position of a transaction's END."""
        if self.body.get("status") != "END":
            return None
        return int(str(self.body.get("id")).rpartition(":")[2])

    @property
    def transaction_mark(self) -> tuple[str, str] | None:
        """BEGIN or END, and the id of its transaction."""
        status = self.body.get("status")
        return (status, str(self.body.get("id"))) if status in ("BEGIN", "END") else None

    @property
    def epoch(self) -> bytes | None:
        """The epoch of the declaration by which it was written."""
        return self.headers.get(EPOCH_HEADER)

    @property
    def run(self) -> bytes | None:
        """Which start of the connector wrote it."""
        return self.headers.get("__debezium.context.runId")


class LogReader:
    """Reads change logs of one Kafka cluster; close it."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        settings: dict[str, str | int | float | bool] = {
            "bootstrap.servers": bootstrap_servers,
            "client.id": "isthmus-connectors",
        }
        self._admin = AdminClient(settings, logger=_silent())
        self._consumer = Consumer(
            {
                **settings,
                "group.id": "isthmus-connectors",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "fetch.message.max.bytes": 1_000_000,
            },
            logger=_silent(),
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def read_ends(self, topics: Iterable[str]) -> dict[str, LogFacts]:
        """Read the offsets of the logs and when each was written last; absent ones are left out."""
        # asked for the offsets of a topic that is not there, the client may wait for its leader
        known = self._list_topics()
        partitions = [TopicPartition(topic, 0) for topic in topics if topic in known]
        if not partitions:
            return {}
        low = self._list(partitions, _EARLIEST())
        high = self._list(partitions, _LATEST())
        newest = self._list(partitions, _NEWEST())
        written = self._list(partitions, _LATEST(), IsolationLevel.READ_UNCOMMITTED)
        return {
            topic: LogFacts(
                low[topic][0], offset, newest.get(topic, (0, None))[1], written[topic][0]
            )
            for topic, (offset, _) in high.items()
            if topic in low and topic in written
        }

    def _list_topics(self) -> set[str]:
        try:
            return set(self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics)
        except KafkaException as error:
            raise Unreachable(
                f"no Kafka broker answers at {self._servers}: {error.args[0].str()}: is it "
                "running? (`isthmus status`)"
            ) from error

    def _list(
        self,
        partitions: list[TopicPartition],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[str, tuple[int, int | None]]:
        futures = self._admin.list_offsets(
            dict.fromkeys(partitions, spec),
            isolation_level=isolation,
            request_timeout=REQUEST_TIMEOUT_S,
        )
        found = {}
        for partition, future in futures.items():
            try:
                result = future.result(REQUEST_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise Unreachable(
                    f"cannot read the end of {partition.topic} at {self._servers}: "
                    f"{error.args[0].str()}"
                ) from error
            time = result.timestamp if result.timestamp and result.timestamp > 0 else None
            found[partition.topic] = (result.offset, time)
        return {topic: one for topic, one in found.items() if one[0] != _NO_OFFSET}

    def read(
        self, topic: str, begin: int, end: int, records_max: int | None = None
    ) -> Iterator[LogRecord]:
        """Read from an offset up to another one, or so many records; Unreachable without an answer.

        `end` is the log's end of a moment: a log that is being written to may have none that lasts.
        """
        self._consumer.assign([TopicPartition(topic, 0, begin)])
        count = 0
        try:
            while records_max is None or count < records_max:
                message = self._consumer.poll(REQUEST_TIMEOUT_S)
                if message is None:
                    raise Unreachable(f"cannot read {topic}: no answer from Kafka {self._servers}")
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                        return
                    raise Unreachable(f"cannot read {topic}: {error.str()}")
                if (message.offset() or 0) >= end:
                    return
                count += 1
                yield _make_record(message)
        finally:
            self._consumer.unassign()

    def follow(self, topic: str, begin: int, wait_s: float) -> Iterator[LogRecord | None]:
        """Read from an offset on without end; None at the end of the log, each `wait_s` at most."""
        self._consumer.assign([TopicPartition(topic, 0, begin)])
        try:
            while True:
                message = self._consumer.poll(wait_s)
                if message is None or message.error() is not None:
                    yield None
                else:
                    yield _make_record(message)
        finally:
            self._consumer.unassign()

    def read_last(self, topic: str, ends: LogFacts) -> LogRecord | None:
        """Read the last record; None for an empty log."""
        whole = ends.high - ends.low
        for back in (4, 200, 10_000, 1_000_000, whole):  # transaction markers take offsets, too
            begin = max(ends.low, ends.high - back)
            last = None
            for last in self.read(topic, begin, ends.high):  # noqa: B007 - the last one is wanted
                pass
            if last is not None or begin == ends.low:
                return last
        return None


def _make_record(message: Message) -> LogRecord:
    value, offset = message.value(), message.offset()
    try:
        body = json.loads(value) if value is not None else {}
    except ValueError:
        body = {}
    headers = {name: content for name, content in _headers(message) if isinstance(content, bytes)}
    return LogRecord(
        -1 if offset is None else offset,
        message.timestamp()[1],
        headers,
        body if isinstance(body, dict) else {},
    )


def _headers(message: Message) -> list[tuple[str, bytes | str | None]]:
    headers = message.headers()
    return headers if isinstance(headers, list) else []


def _silent() -> logging.Logger:
    logger = logging.getLogger("isthmus.kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
