"""What a batch of the event store becomes in Kafka; pure.

Enters: stored events in number order, the published-up-to mark, registry ids by fingerprint and
the topic's partitions. Leaves: Kafka records, or Fatal where going on would lose an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from adapters.event import EventKind, IntegrationEvent, make_headers
from adapters.serde import frame
from pipeline.errors import Fatal

BY_KEY = -1
"""The partition that says: the partitioner decides by the key (librdkafka's PARTITION_UA)."""

RECORD_OVERHEAD_BYTES = 256
"""What Kafka adds to one record in a batch of its own, generously."""


class StoredEvent(msgspec.Struct, frozen=True):
    """An event and its number in the module's event store."""

    number: int
    event: IntegrationEvent


class Record(msgspec.Struct, frozen=True):
    """One Kafka record; `partition` is BY_KEY but for barriers, `number` is the event's."""

    number: int
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int = BY_KEY


def check_numbers(module: str, mark: int, events: Sequence[StoredEvent], last: int) -> None:
    """Fatal unless the numbers follow the mark without a gap and there are some up to `last`."""
    expected = mark + 1
    for stored in events:
        if stored.number != expected:
            raise _gap(module, expected, f"the next one is {stored.number}")
        expected += 1
    if not events and last > mark:
        raise _gap(module, expected, f"numbers up to {last} are given out")


def plan_records(
    module: str,
    events: Iterable[StoredEvent],
    *,
    schema_ids: Mapping[str, int],
    partitions: int,
    record_bytes_max: int,
) -> list[Record]:
    """Make the records of stored events, in order; a barrier gives one for every partition.

    Fatal names an event that is larger than `record_bytes_max` allows or has no schema.
    """
    records: list[Record] = []
    for stored in events:
        if stored.event.kind is EventKind.BARRIER:
            records += _make_barrier_records(stored, partitions)
            continue
        record = _make_record(module, stored, schema_ids)
        if len(record.value or b"") > record_bytes_max // 2:
            _check_size(module, stored, record, record_bytes_max)
        records.append(record)
    return records


def _make_record(module: str, stored: StoredEvent, schema_ids: Mapping[str, int]) -> Record:
    event = stored.event
    value = None
    if event.payload is not None:
        if event.fingerprint is None or event.fingerprint not in schema_ids:
            raise Fatal(
                f"event {stored.number} of {module} ({event.type}) has a payload whose schema "
                f"(fingerprint {event.fingerprint}) is not in hub.schema: restore the hub"
            )
        value = frame(schema_ids[event.fingerprint], event.payload)
    return Record(stored.number, event.subject.encode(), value, make_headers(event))


def _make_barrier_records(stored: StoredEvent, partitions: int) -> list[Record]:
    body = msgspec.json.decode(stored.event.payload or b"{}", type=dict)
    value = msgspec.json.encode({**body, "partitions": partitions})
    headers = make_headers(stored.event)
    key = stored.event.subject.encode()
    return [Record(stored.number, key, value, headers, one) for one in range(partitions)]


def _gap(module: str, expected: int, found: str) -> Fatal:
    return Fatal(
        f"hub.event of {module} has no number {expected} ({found}): the event store is written "
        "without gaps, so rows were removed or the hub is an old copy; restore the hub, or set "
        "hub.relay.published_up_to by hand once you know that nothing is lost"
    )


def _check_size(module: str, stored: StoredEvent, record: Record, limit_bytes: int) -> None:
    """Fatal for what Kafka would refuse; key and headers are far below half of any limit."""
    headers = sum(len(name) + len(value) + 4 for name, value in record.headers)
    size_bytes = len(record.key) + len(record.value or b"") + headers + RECORD_OVERHEAD_BYTES
    if size_bytes <= limit_bytes:
        return
    event = stored.event
    raise Fatal(
        f"event {stored.number} of {module} ({event.type}, subject {event.subject}, sequence "
        f"{event.sequence}) takes {size_bytes:,} bytes and the limit is {limit_bytes:,}: raise "
        "[kafka] record_bytes_max together with the broker's, Connect's and the topic's limit"
    )
