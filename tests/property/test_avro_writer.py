"""Our Avro writer and fastavro's write the same bytes (adapters.avro_writer)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from adapters.avro_writer import compile_writer
from adapters.contract import load_contracts
from adapters.serde import Decoder, Encoder

CONTRACTS = load_contracts(Path(__file__).parents[2] / "adapters" / "retail" / "contracts")


def values_of(schema: Any) -> st.SearchStrategy[Any]:
    """Draw values of a type that our contracts use."""
    if isinstance(schema, list):
        return st.one_of(*(values_of(branch) for branch in schema))
    if isinstance(schema, str):
        schema = {"type": schema}
    kind = schema.get("logicalType") or schema["type"]
    if kind == "record":
        return st.fixed_dictionaries(
            {field["name"]: values_of(field["type"]) for field in schema["fields"]}
        )
    if kind == "array":
        return st.lists(values_of(schema["items"]), max_size=3)
    if kind == "decimal":
        most = 10 ** schema["precision"] - 1
        return st.integers(-most, most).map(lambda one: Decimal(one).scaleb(-schema["scale"]))
    return PLAIN[kind]


PLAIN = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "string": st.text(),
    "date": st.dates(date(1, 1, 1)),
    "timestamp-micros": st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 1)),  # noqa: DTZ001
}


@given(st.data())
def test_both_write_the_same_bytes(data: st.DataObject) -> None:
    """For every contract of the site and every value of it; and fastavro reads the value back."""
    contract = data.draw(st.sampled_from(list(CONTRACTS.values())))
    assert compile_writer(contract.parsed) is not None
    value = data.draw(values_of(contract.schema))
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, contract.parsed, value)
    payload = Encoder(contract).encode(value)
    assert payload == buffer.getvalue()
    assert Decoder(contract.text).decode(payload) == value
