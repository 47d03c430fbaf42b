"""Avro values and the Confluent frame (adapters.serde)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import Contract, make_contract
from adapters.errors import Configuration, Poison
from adapters.serde import Decoder, Encoder, frame, unframe


def make_sample() -> Contract:
    """Make a contract with an array of records and a decimal."""
    money = {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}
    line = {
        "type": "record",
        "name": "Line",
        "fields": [{"name": "number", "type": "int"}, {"name": "amount", "type": ["null", money]}],
    }
    fields = [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"], "default": None},
        {"name": "total", "type": ["null", money], "default": None},
        {"name": "lines", "type": ["null", {"type": "array", "items": line}], "default": None},
    ]
    return make_contract(
        "sales.Sample.v1",
        {"type": "record", "name": "Sample", "namespace": "t.sales.v1", "fields": fields},
    )


SAMPLE = make_sample()


def test_a_frame_is_confluents() -> None:
    """A zero byte and the id in four bytes, big-endian, stand before the payload."""
    assert frame(258, b"xy") == b"\x00\x00\x00\x01\x02xy"
    assert unframe(b"\x00\x00\x00\x01\x02xy") == (258, b"xy")
    assert unframe(frame(2**32 - 1, b"")) == (2**32 - 1, b"")


@pytest.mark.parametrize("value", [b"", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01x", b'{"a":1}'])
def test_what_is_not_framed_is_poison(value: bytes) -> None:
    """Short values, other magic bytes and JSON are told, not guessed."""
    with pytest.raises(Poison, match="Confluent frame"):
        unframe(value)


@pytest.mark.parametrize("total", ["0", "1.5", "-999.99", "999.99", "-0.01", "1E+2"])
def test_decimals_keep_their_value(total: str) -> None:
    """Values of fewer decimals than the contract's are the same numbers."""
    payload = Encoder(SAMPLE).encode({"id": 1, "total": Decimal(total)})
    assert Decoder(SAMPLE.text).decode(payload)["total"] == Decimal(total)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"name": "x"}, "id"),
        ({"id": "1"}, "id"),
        ({"id": 2**63}, "id"),
        ({"id": 1, "name": 5}, "name"),
        ({"id": 1, "total": Decimal("1.234")}, "total"),
        ({"id": 1, "total": Decimal(1000)}, "total"),
        ({"id": 1, "total": Decimal("NaN")}, "total"),
        ({"id": 1, "total": "1.50"}, "total"),
        (
            {"id": 1, "lines": [{"number": 1, "amount": None}, {"number": None}]},
            r"lines\[1\]\.number",
        ),
        ({"id": 1, "lines": [7]}, r"lines\[0\]"),
        ({"id": 1, "lines": {}}, "lines"),
    ],
)
def test_data_that_does_not_fit_names_its_field(data: dict[str, Any], field: str) -> None:
    """The message has the field's path and not its value."""
    with pytest.raises(Poison, match=rf"sales\.Sample\.v1: {field} does not fit"):
        Encoder(SAMPLE).encode(data)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\x02\x00\x00\x00\x00"])
def test_bytes_of_another_schema_are_poison(payload: bytes) -> None:
    """Too few bytes and bytes behind the end are both told."""
    with pytest.raises(Poison):
        Decoder(SAMPLE.text).decode(payload)


def test_a_reader_fills_what_the_writer_did_not_know() -> None:
    """The reader's schema resolves the writer's: new fields take their defaults."""
    newer = {
        **SAMPLE.schema,
        "fields": [*SAMPLE.schema["fields"], {"name": "n", "type": "int", "default": 4}],
    }
    payload = Encoder(SAMPLE).encode({"id": 1})
    assert Decoder(SAMPLE.text, newer).decode(payload) == {
        "id": 1, "name": None, "total": None, "lines": None, "n": 4,
    }  # fmt: skip


def test_a_decoder_refuses_what_is_no_schema() -> None:
    """A registry's answer that is not Avro is a matter of configuration."""
    for text in ("{", '{"type": "nothing"}', '{"type": "record"}'):
        with pytest.raises(Configuration, match="Avro"):
            Decoder(text)
