"""What a batch of stored events becomes in Kafka (pipeline.publish.batch)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from adapters.event import EventKind, IntegrationEvent
from pipeline.errors import Fatal
from pipeline.publish.batch import BY_KEY, Record, StoredEvent, check_numbers, plan_records


def _make_stored(number: int, kind: EventKind = EventKind.STATE, **changes: object) -> StoredEvent:
    fields: dict[str, object] = {
        "id": f"id-{number}",
        "kind": kind,
        "type": "sales.Order.v1",
        "aggregate": "sales.Order",
        "subject": str(number % 3),
        "sequence": f"00000001-{number:016x}-00000000-00000000",
        "time": datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
        "source": "/retail/sales",
        "fingerprint": "f1",
        "payload": b"avro",
    }
    return StoredEvent(number, IntegrationEvent(**{**fields, **changes}))  # type: ignore[arg-type]


def _plan(
    *events: StoredEvent, record_bytes_max: int = 1_000_000, partitions: int = 4
) -> list[Record]:
    return plan_records(
        "sales",
        events,
        schema_ids={"f1": 258},
        partitions=partitions,
        record_bytes_max=record_bytes_max,
    )


def test_a_state_event_is_keyed_by_its_subject_and_framed_with_the_registrys_id() -> None:
    """The value is a zero byte, the id in four bytes, big-endian, and the stored payload."""
    [record] = _plan(_make_stored(7))
    assert (record.key, record.partition) == (b"1", BY_KEY)
    assert record.value == b"\x00\x00\x00\x01\x02avro"
    assert dict(record.headers)["ce_id"] == b"id-7"


def test_records_keep_the_order_of_the_numbers() -> None:
    """Nothing is sorted or merged, also not two events of one subject."""
    records = _plan(*(_make_stored(number) for number in range(1, 8)))
    assert [record.number for record in records] == list(range(1, 8))


def test_a_tombstone_has_headers_and_no_value() -> None:
    """A compacted copy of the topic forgets the aggregate, a consumer still reads ce_type."""
    [record] = _plan(_make_stored(1, EventKind.TOMBSTONE, payload=None, fingerprint=None))
    assert record.value is None
    assert dict(record.headers)["ce_type"] == b"sales.Order.v1"


def test_a_barrier_goes_to_every_partition_and_says_how_many_there_are() -> None:
    """Between the events before it and those after it, with its own JSON value."""
    body = {"barrier": "b1", "module": "sales", "position": "x", "quarantined": []}
    barrier = _make_stored(
        2,
        EventKind.BARRIER,
        type="isthmus.Barrier.v1",
        subject="b1",
        fingerprint=None,
        payload=json.dumps(body).encode(),
    )
    records = _plan(_make_stored(1), barrier, _make_stored(3), partitions=3)
    assert [(one.number, one.partition) for one in records] == [
        (1, BY_KEY),
        (2, 0),
        (2, 1),
        (2, 2),
        (3, BY_KEY),
    ]
    assert json.loads(records[1].value or b"") == {**body, "partitions": 3}
    assert dict(records[1].headers)["ce_type"] == b"isthmus.Barrier.v1"


def test_an_event_over_the_limit_is_fatal_and_named() -> None:
    """The message says which event, how large it is and what to raise."""
    with pytest.raises(Fatal, match=r"event 5 of sales .*subject 2.*limit is 1,000: raise"):
        _plan(_make_stored(5, payload=b"x" * 900), record_bytes_max=1_000)


def test_a_payload_without_a_known_schema_is_fatal() -> None:
    """No id can be put in front, so nobody could read it."""
    with pytest.raises(Fatal, match=r"event 5 .*fingerprint f9.*restore the hub"):
        _plan(_make_stored(5, fingerprint="f9"))


@pytest.mark.parametrize(
    ("numbers", "missing"), [([4, 5], 3), ([3, 5], 4), ([3, 4, 4], 5), ([], 3)]
)
def test_a_gap_in_the_numbers_is_fatal(numbers: list[int], missing: int) -> None:
    """The store is written without gaps, so one means that rows were lost."""
    with pytest.raises(Fatal, match=f"no number {missing} "):
        check_numbers("sales", 2, [_make_stored(one) for one in numbers], 5)


def test_numbers_that_follow_the_mark_are_fine() -> None:
    """Also where the batch ends before the last number, and where there is nothing to do."""
    check_numbers("sales", 2, [_make_stored(3), _make_stored(4)], 9)
    check_numbers("sales", 2, [], 2)
