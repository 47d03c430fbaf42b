"""A record of an events topic and what its CloudEvents headers say.

Enters: headers as Kafka gives them. Leaves: an `Envelope`; Poison names the header that is wrong.
Values of headers never stand in messages: a subject may be somebody's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from pipeline.errors import Poison

BARRIER_TYPE = "isthmus.Barrier.v1"

Headers = list[tuple[str, bytes | None]]

_REQUIRED = ("ce_type", "ce_id", "ce_subject", "ce_sequence", "ce_time", "ce_source")
_SEQUENCE = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{8}").fullmatch


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as consumed; `value` is None for a tombstone."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Headers

    @property
    def place(self) -> str:
        """Name where the record stands, for messages."""
        return f"{self.topic}[{self.partition}] offset {self.offset}"


class Envelope(NamedTuple):
    """The headers that a replicator uses; `sequence` sorts as text, `time` is aware."""

    type: str
    id: str
    subject: str
    sequence: str
    time: datetime
    source: str
    transaction: str | None


class Barrier(NamedTuple):
    """The body of a barrier: `position` is a sequence's text, `quarantined` the parked subjects."""

    barrier: str
    module: str
    position: str
    partitions: int
    quarantined: list[str]


def read_envelope(headers: Mapping[str, Any]) -> Envelope:
    """Read the headers of an event; Poison names what is missing or wrong."""
    try:
        sequence = headers["ce_sequence"]
        if _SEQUENCE(sequence) is None:
            raise Poison("header ce_sequence is not a sequence")
        transaction = headers.get("ce_transaction")
        envelope = Envelope(
            headers["ce_type"].decode(),
            headers["ce_id"].decode(),
            headers["ce_subject"].decode(),
            sequence.decode(),
            _parse_time(headers["ce_time"]),
            headers["ce_source"].decode(),
            None if transaction is None else transaction.decode(),
        )
    except (KeyError, AttributeError, TypeError) as error:
        missing = [name for name in _REQUIRED if headers.get(name) is None]
        raise Poison(f"missing headers: {', '.join(missing)}") from error
    except UnicodeDecodeError as error:
        raise Poison("a CloudEvents header is not UTF-8") from error
    if not envelope.id or not envelope.subject:
        raise Poison("header ce_id or ce_subject is empty")
    if "\0" in envelope.subject or "\0" in envelope.id:
        raise Poison("header ce_id or ce_subject has a NUL character")
    return envelope


def read_barrier(value: bytes | None) -> Barrier:
    """Read the JSON of a barrier; Poison when it is anything else."""
    if value is None:
        raise Poison("a barrier without a value")
    try:
        body = msgspec.json.decode(value)
        barrier = Barrier(
            barrier=body["barrier"],
            module=body["module"],
            position=body["position"],
            partitions=body["partitions"],
            quarantined=[one if isinstance(one, str) else msgspec.json.encode(one).decode()
                         for one in body.get("quarantined", [])],
        )  # fmt: skip
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise Poison("a barrier's value is not the JSON of a barrier") from error
    texts = (barrier.barrier, barrier.module, barrier.position)
    if not all(isinstance(one, str) and one for one in texts) or "\0" in "".join(texts):
        raise Poison("a barrier's id, module or position is no text")
    if not isinstance(barrier.partitions, int):
        raise Poison("a barrier's number of partitions is no number")
    return barrier


@lru_cache(maxsize=65_536)
def _parse_time(value: bytes) -> datetime:
    """Read ce_time; events of one transaction share it, so the cache nearly always hits."""
    try:
        time = datetime.fromisoformat(value.decode())
    except (ValueError, UnicodeDecodeError) as error:
        raise Poison("header ce_time is not a time in RFC 3339") from error
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
