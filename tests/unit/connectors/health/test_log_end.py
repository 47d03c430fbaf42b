"""The end of a change log, read while somebody writes to it all the time."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from connectors.health import log_end
from connectors.health.facts import LogFacts
from connectors.health.log_end import LogReader

END = 50
READ_MAX = 1_000


class Record:
    """A record of an offset."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None:
        """Nothing is wrong with it."""

    def offset(self) -> int:
        """Return its offset."""
        return self._offset

    def value(self) -> bytes:
        """Return a document that tells the offset."""
        return b'{"op":"r","source":{"table":"t"}}'

    def timestamp(self) -> tuple[int, int]:
        """Return a kind and a time."""
        return 1, self._offset

    def headers(self) -> None:
        """There are none."""


class EndlessConsumer:
    """A client of a log to which a record is added whenever one is read: it has no end."""

    def __init__(self, *_settings: Any, **_more: Any) -> None:
        self._offsets = iter(count())

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Begin to read at an offset."""
        self._offsets = iter(range(partitions[0].offset, partitions[0].offset + READ_MAX))

    def unassign(self) -> None:
        """Read nothing more."""

    def poll(self, _seconds: float) -> Record:
        """Return the next record; a reader that goes on for ever is stopped."""
        try:
            return Record(next(self._offsets))
        except StopIteration:
            raise AssertionError("read on and on in a log that is being written to") from None


def test_the_last_record_is_that_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that writes all the while does not keep the status waiting until it is done."""
    monkeypatch.setattr(log_end, "Consumer", EndlessConsumer)
    reader = LogReader("127.0.0.1:1")
    last = reader.read_last("log", LogFacts(0, END, None))
    assert last is not None
    assert last.offset == END - 1
