"""Kafka's side of capture: the topics of the change logs and of the events.

Enters: a broker list. Leaves: what topics are there, as values of connectors.plan; or topics, made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from connectors.config import EPOCH_HEADER
from connectors.errors import Configuration, Unreachable
from connectors.plan import Topic

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUEST_TIMEOUT_S = 15.0
_TAILS = (100, 10_000, 1_000_000)
"""Offsets looked at, from the end; the first is enough unless it holds transaction markers only."""


class TopicAdmin:
    """Reads and makes topics of one Kafka cluster."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._admin = AdminClient(
            {"bootstrap.servers": bootstrap_servers, "client.id": "isthmus-connectors"},
            # librdkafka would print its own connection errors; ours say it once
            logger=_silent(),
        )

    def read(self, names: Iterable[str]) -> dict[str, Topic]:
        """Read those of the named topics that are there; Unreachable when no broker answers."""
        known = self._list()
        there = [name for name in names if name in known]
        if not there:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
        futures = self._admin.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
        return {
            resource.name: Topic(
                len(known[resource.name].partitions),
                {key: entry.value for key, entry in self._wait(future, resource.name).items()},
            )
            for resource, future in futures.items()
        }

    def list_names(self, prefix: str) -> list[str]:
        """List the topics whose names begin so."""
        return sorted(name for name in self._list() if name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Delete a topic with all of its records; one that is gone is left so."""
        future = self._admin.delete_topics([name], request_timeout=REQUEST_TIMEOUT_S)[name]
        try:
            future.result(REQUEST_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Configuration(f"cannot delete topic {name}: {_words(error)}") from error

    def read_last_epoch(self, name: str) -> int | None:
        """Read the epoch of the last record of a change log; None when it is empty."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": "isthmus-connectors",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            },
            logger=_silent(),
        )
        try:
            low, high = consumer.get_watermark_offsets(
                TopicPartition(name, 0), timeout=REQUEST_TIMEOUT_S
            )
            # not low: librdkafka makes low == high of one answer of two, and the log seems empty
            tails = [high - tail for tail in _TAILS if high - tail > low]
            for begin in (*tails, OFFSET_BEGINNING):
                epoch = self._scan_epochs(consumer, TopicPartition(name, 0, begin))
                if epoch is not None:
                    return epoch
        except KafkaException as error:
            raise Unreachable(f"cannot read the end of {name}: {_words(error)}") from error
        finally:
            consumer.close()
        return None

    @staticmethod
    def _scan_epochs(consumer: Consumer, begin: TopicPartition) -> int | None:
        """Read from `begin` to the end; the last epoch seen."""
        consumer.assign([begin])
        epoch = None
        while True:
            message = consumer.poll(REQUEST_TIMEOUT_S)
            if message is None:
                raise Unreachable(f"cannot read the end of {begin.topic}: no answer from Kafka")
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's only name
                    return epoch
                raise Unreachable(f"cannot read the end of {begin.topic}: {error.str()}")
            value = dict(message.headers() or []).get(EPOCH_HEADER)
            if value is not None:
                epoch = int(value)

    def create(self, name: str, wanted: Topic) -> None:
        """Create a topic; one that somebody else has just made is left as it is."""
        topic = NewTopic(name, wanted.partitions, config=dict(wanted.settings))
        future = self._admin.create_topics([topic], request_timeout=REQUEST_TIMEOUT_S)[name]
        try:
            future.result(REQUEST_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Configuration(f"cannot create topic {name}: {_words(error)}") from error

    def change_settings(self, name: str, settings: dict[str, str]) -> None:
        """Set settings of a topic; the others stay as they are."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        futures = self._admin.incremental_alter_configs(
            [resource], request_timeout=REQUEST_TIMEOUT_S
        )
        for future in futures.values():
            self._wait(future, name)

    def _list(self) -> dict[str, Any]:
        """List all topics; Unreachable when no broker answers."""
        try:
            return dict(self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics)
        except KafkaException as error:
            raise Unreachable(
                f"no Kafka broker answers at {self._servers}: {_words(error)}: is it running? "
                "(`isthmus status`)"
            ) from error

    def _wait(self, future: Any, name: str) -> Any:
        try:
            return future.result(REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise Configuration(f"topic {name}: {_words(error)}") from error


def _words(error: KafkaException) -> str:
    return str(error.args[0].str())


def _silent() -> Any:
    import logging  # noqa: PLC0415

    logger = logging.getLogger("isthmus.kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
