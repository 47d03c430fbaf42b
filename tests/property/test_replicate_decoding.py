"""The vectorised decoder and the row-wise one are the same function."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replicate_shop import ITEM, ORDER, order, value

from adapters.contract import make_contract
from adapters.serde import Decoder
from pipeline.replicate.avro_frame import FrameDecoder

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_SCALARS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "boolean": ("boolean", st.booleans()),
    "int": ("int", st.integers(-(2**31), 2**31 - 1)),
    "long": ("long", st.integers(-(2**63), 2**63 - 1)),
    "double": ("double", st.floats(allow_nan=False)),
    "float": ("float", st.floats(allow_nan=False, width=32)),
    "string": ("string", _TEXT),
    "uuid": ({"type": "string", "logicalType": "uuid"}, st.uuids()),
    "bytes": ("bytes", st.binary(max_size=12)),
    "decimal": (
        {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4},
        st.decimals(-(10**15), 10**15, places=4),
    ),
    "date": (
        {"type": "int", "logicalType": "date"},
        st.dates(date(1, 1, 1), date(9999, 12, 31)),
    ),
    "timestamp": (
        {"type": "long", "logicalType": "timestamp-micros"},
        st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    ),
    "local": (
        {"type": "long", "logicalType": "local-timestamp-micros"},
        st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    ),
    "time": ({"type": "long", "logicalType": "time-micros"}, st.times()),
}


@st.composite
def _fields(draw: st.DrawFn, prefix: str) -> list[tuple[dict[str, Any], st.SearchStrategy[Any]]]:
    fields = []
    for number in range(draw(st.integers(1, 5))):
        name = f"{prefix}{number}"
        kind_name = draw(st.sampled_from([*_SCALARS, "enum"]))
        if kind_name == "enum":
            symbols = ["a", "b", "c"]
            kind: Any = {"type": "enum", "name": f"E_{name}", "symbols": symbols}
            strategy: st.SearchStrategy[Any] = st.sampled_from(symbols)
        else:
            kind, strategy = _SCALARS[kind_name]
        if draw(st.booleans()):
            kind, strategy = ["null", kind], st.none() | strategy
        fields.append(({"name": name, "type": kind}, strategy))
    return fields


def _record(fields: list[tuple[dict[str, Any], st.SearchStrategy[Any]]]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({field["name"]: strategy for field, strategy in fields})


@st.composite
def _schema_and_values(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    fields = draw(_fields("f"))
    if draw(st.booleans()):
        inner = draw(_fields("g"))
        record = {"type": "record", "name": "Line", "fields": [one for one, _ in inner]}
        kind: Any = {"type": "array", "items": record}
        strategy: st.SearchStrategy[Any] = st.lists(_record(inner), max_size=3)
        if draw(st.booleans()):
            kind, strategy = ["null", kind], st.none() | strategy
        fields.append(({"name": "lines", "type": kind}, strategy))
    schema = {"type": "record", "name": "Thing", "fields": [one for one, _ in fields]}
    return schema, draw(st.lists(_record(fields), min_size=1, max_size=8))


def _encode(schema: Any, data: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema, named_schemas={}), data)
    return buffer.getvalue()


@settings(max_examples=150, deadline=None)
@given(_schema_and_values())
def test_both_ways_give_the_same_values(case: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """A frame's rows are what fastavro reads one by one, and the same JSON."""
    schema, values = case
    contract = make_contract("shop.Thing.v1", schema)
    bodies = [_encode(schema, one) for one in values]
    fast = FrameDecoder.make(contract.schema, contract.schema)
    assert fast is not None
    frame = fast.decode(bodies)
    assert frame is not None
    slow = Decoder(contract.schema, contract.schema)
    expected = [slow.decode(body) for body in bodies]
    assert msgspec.json.encode(frame.to_dicts()) == msgspec.json.encode(expected)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 19),
    st.binary(max_size=6),
    st.integers(0, 40),
    st.integers(0, 6),
)
@pytest.mark.filterwarnings("ignore")
def test_a_broken_body_is_never_read_into_its_neighbours(
    broken: int, junk: bytes, at: int, removed: int
) -> None:
    """Whatever is done to one body, the frame is given up or every other row is right."""
    bodies = [value(ORDER, order(number, number))[5:] for number in range(20)]
    body = bodies[broken]
    bodies[broken] = body[:at] + junk + body[at + removed :]
    fast = FrameDecoder.make(ORDER.schema, ORDER.schema)
    assert fast is not None
    frame = fast.decode(bodies)
    if frame is None:
        return
    rows = frame.to_dicts()
    slow = Decoder(ORDER.schema, ORDER.schema)
    for index, body in enumerate(bodies):
        if index != broken:  # that one may have a truth value or a branch that nobody writes
            assert slow.decode(body) == rows[index]


def test_a_writer_without_a_later_field_is_read_at_once_too() -> None:
    """An optional field that the writer did not have yet is None; one it had more is dropped."""
    old = {**ITEM.schema, "fields": ITEM.schema["fields"][:-1]}
    body = _encode(old, {"item_code": "a", "deleted": False, "stock": 3})
    fast = FrameDecoder.make(old, ITEM.schema)
    assert fast is not None
    frame = fast.decode([body])
    assert frame is not None
    assert frame.to_dicts() == [Decoder(old, ITEM.schema).decode(body)]
    back = FrameDecoder.make(ITEM.schema, old)
    assert back is not None
    assert "changed_at" not in back.decode([value(ITEM, {"item_code": "a", "deleted": True})[5:]])  # type: ignore[operator]


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "map", "values": "string"},
        ["null", "string", "int"],
        {"type": "fixed", "name": "F", "size": 4},
        {"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 2},
        {"type": "array", "items": "string"},
    ],
)
def test_what_polars_can_not_read_is_left_to_the_other_way(kind: Any) -> None:
    """A schema with a type that polars does not read has no frame decoder."""
    schema = {"type": "record", "name": "T", "fields": [{"name": "x", "type": kind}]}
    assert FrameDecoder.make(schema, schema) is None


def test_timestamps_keep_their_microseconds() -> None:
    """A moment at the edge of the range comes back as it was."""
    moment = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - timedelta(days=1)
    data = {**order(1), "changed_at": moment, "total": Decimal("-0.01")}
    fast = FrameDecoder.make(ORDER.schema, ORDER.schema)
    assert fast is not None
    frame = fast.decode([value(ORDER, data)[5:]])
    assert frame is not None
    assert frame.to_dicts()[0] == data
