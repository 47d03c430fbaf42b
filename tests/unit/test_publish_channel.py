"""What the channel makes of a fatal error that the client's binding has lost."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.errors import Fatal, Retriable
from pipeline.publish.batch import Record
from pipeline.publish.channel import Channel

FENCED = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
NOT_NOW = KafkaException(KafkaError(KafkaError._STATE, "a transaction is open"))


class LossyProducer:
    """Serves callbacks as the binding does when an exception was set and is gone."""

    def __init__(self, kept: KafkaException) -> None:
        self._kept = kept
        self._begun = False

    def init_transactions(self, timeout: float) -> None:
        """Take over."""

    def begin_transaction(self) -> None:
        """Begin the first one; answer with what the client keeps after that."""
        if self._begun:
            raise self._kept
        self._begun = True

    def produce(self, topic: str, **record: Any) -> None:
        """Queue a record."""

    def flush(self, timeout: float) -> int:
        """Lose the exception, if there is time for callbacks."""
        if timeout:
            raise SystemError("returned NULL without setting an exception")
        return 0

    def abort_transaction(self, timeout: float) -> None:
        """Abort."""

    def purge(self) -> None:
        """Drop what is queued."""


@pytest.mark.parametrize(("kept", "expected"), [(FENCED, Fatal), (NOT_NOW, Retriable)])
def test_a_lost_fatal_error_is_asked_for(kept: KafkaException, expected: type[Exception]) -> None:
    """A fence stays a fence; anything else is tried again, and nothing is committed."""
    producer = LossyProducer(kept)
    channel = Channel(
        bootstrap_servers="nowhere",
        topic="shop.sales.events",
        transactional_id="shop.sales.publisher",
        record_bytes_max=1_000,
        open_producer=lambda _config: producer,  # type: ignore[arg-type,return-value]
    )
    channel.open()
    with pytest.raises(expected):
        channel.send([Record(number=1, key=b"1", value=b"", headers=[])], lambda: None)
