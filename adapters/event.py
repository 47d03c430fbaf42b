"""The integration event: a CloudEvent in Kafka's binary mode with an Avro value.

Enters: what a translator decided about one aggregate. Leaves: an immutable event with its dedup
key, and its headers. The value is Avro; the registry's id is put in front on publishing.
"""

from __future__ import annotations

import enum
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

CONTENT_TYPE = b"application/avro"


class EventKind(enum.IntEnum):
    """What an entry of the event store is."""

    STATE = 0
    DOMAIN = 1
    TOMBSTONE = 2
    BARRIER = 3


class IntegrationEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one aggregate.

    `type` is e.g. `sales.Order.v1`; `aggregate` e.g. `sales.Order`; `subject` the aggregate's id
    and Kafka key; `sequence` the text of adapters.position.Sequence; `time` the commit time at the
    source; `payload` Avro without prefix, None for tombstones and barriers; `fingerprint` that of
    the contract's schema, None without payload. A barrier's subject is the barrier's id.
    """

    id: str
    kind: EventKind
    type: str
    aggregate: str
    subject: str
    sequence: str
    time: datetime
    source: str
    transaction: str | None = None
    region: str | None = None
    traceparent: str | None = None
    fingerprint: str | None = None
    payload: bytes | None = None


def make_event_id(type_: str, subject: str, sequence: str) -> str:
    """Make the dedup key: the same change of the same aggregate gives the same id, for ever."""
    return blake2b(f"{type_}\n{subject}\n{sequence}".encode(), digest_size=16).hexdigest()


def make_headers(event: IntegrationEvent) -> list[tuple[str, bytes]]:
    """Make the Kafka headers of an event, as CloudEvents 1.0 in binary mode."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_type", event.type.encode()),
        ("ce_source", event.source.encode()),
        ("ce_subject", event.subject.encode()),
        ("ce_time", event.time.isoformat().replace("+00:00", "Z").encode()),
        ("ce_sequence", event.sequence.encode()),
    ]
    if event.fingerprint is not None:
        headers.append(("ce_dataschema", f"urn:isthmus:schema:{event.fingerprint}".encode()))
        headers.append(("content-type", CONTENT_TYPE))
    if event.transaction is not None:
        headers.append(("ce_transaction", event.transaction.encode()))
    if event.region is not None:
        headers.append(("ce_region", event.region.encode()))
    if event.traceparent is not None:
        headers.append(("ce_traceparent", event.traceparent.encode()))
    return headers
