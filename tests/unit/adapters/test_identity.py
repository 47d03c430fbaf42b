"""Identity adapters: a row goes into its event and comes out of it as it was."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.aggregate import Adapter, AggregateRows, load_adapters
from adapters.contract import load_contracts, make_contract
from adapters.errors import Configuration, Poison
from adapters.identity import IdentityAdapter, write_site_package
from adapters.identity.adapter import name_aggregate
from adapters.identity.fields import name_fields
from adapters.identity.site_writer import write_revision
from adapters.projection import Projection, load_projections
from adapters.serde import Decoder, Encoder
from legacy_db.definition import Column, Table
from pipeline.translate.rows import TableCodec

TYPES = {
    "id": "bigint",
    "small": "smallint",
    "price": "numeric(10,2)",
    "wide": "numeric",
    "name": "character varying(20)",
    "code": "character(3)",
    "day": "date",
    "at": "timestamp with time zone",
    "local": "timestamp(0) without time zone",
    "clock": "time without time zone",
    "weight": "real",
    "ratio": "double precision",
    "flag": "boolean",
    "photo": "bytea",
    "tags": "text[]",
    "days": "date[]",
    "bounds": "int4range[]",
    "doc": "jsonb",
    "uid": "uuid",
}
IMAGE = {
    "id": 7,
    "small": -3,
    "price": "12.50",
    "wide": "1200.500",
    "name": "Zoë",
    "code": "A  ",
    "day": "2026-02-02Z",
    "at": "2026-02-02T10:00:00.000001Z",
    "local": "2026-02-02T10:00:00Z",
    "clock": "10:30:00Z",
    "weight": 0.1,
    "ratio": 1e-30,
    "flag": True,
    "photo": "AAH/",
    "tags": ["a", None],
    "days": ["2026-02-02Z"],
    "bounds": ["[1,3)"],
    "doc": '{"a": 1}',
    "uid": "6f2c0a4e-0000-4000-8000-000000000000",
}


def make_table(types: dict[str, str], key: tuple[str, ...], name: str = "order_details") -> Table:
    """Make a table's definition; the key's columns are not null."""
    columns = (
        Column(column, type_, nullable=column not in key, attnum=place)
        for place, (column, type_) in enumerate(types.items(), start=1)
    )
    return Table("erp", name, tuple(columns), key)


TABLE = make_table(TYPES, ("id",))
ADAPTER = IdentityAdapter("sales", TABLE)


def decode(adapter: IdentityAdapter, state: dict[str, Any]) -> dict[str, Any]:
    """Encode a state by the adapter's contract and decode it again."""
    contract = make_contract(adapter.contract, adapter.schema("north-wind"))
    return dict(Decoder(contract.text).decode(Encoder(contract).encode(state)))


def test_an_adapter_owns_the_table_alone() -> None:
    """Aggregate, contract, projection and store's table are named after the table."""
    assert isinstance(ADAPTER, Adapter)
    assert (ADAPTER.aggregate, ADAPTER.contract) == ("sales.OrderDetails", "sales.OrderDetails.v1")
    assert (ADAPTER.root, ADAPTER.members, ADAPTER.lookups) == ("order_details", (), ())
    projection = ADAPTER.projection()
    assert (projection.table, projection.key) == ("order_details", ("id",))
    assert projection.columns == tuple(TYPES)


def test_a_row_of_the_log_comes_through() -> None:
    """Each value of a row as Debezium writes it is in the event; text where Avro has no type."""
    row = TableCodec(TABLE).decode(json.dumps(IMAGE).encode())
    found = decode(ADAPTER, ADAPTER.state(AggregateRows(row)))
    assert found == {
        **{name: IMAGE[name] for name in ("id", "small", "name", "code", "ratio", "flag", "uid")},
        "deleted": False,
        "price": Decimal("12.50"),
        "wide": "1200.5",
        "day": date(2026, 2, 2),
        "at": datetime(2026, 2, 2, 10, 0, 0, 1, tzinfo=UTC),
        "local": datetime(2026, 2, 2, 10, 0, 0),  # noqa: DTZ001 - the legacy clock has no zone
        "clock": "10:30:00",
        "weight": 0.1,
        "photo": b"\x00\x01\xff",
        "tags": '["a",null]',
        "days": '["2026-02-02"]',
        "bounds": '["[1,3)"]',
        "doc": '{"a": 1}',
    }


def test_nothing_but_the_key_must_be_there() -> None:
    """A row of nulls and a deleted one have the key and nothing else."""
    row = TableCodec(TABLE).decode(json.dumps({**dict.fromkeys(TYPES), "id": 7}).encode())
    nulls = dict.fromkeys(TYPES) | {"id": 7}
    assert decode(ADAPTER, ADAPTER.state(AggregateRows(row))) == {**nulls, "deleted": False}
    assert decode(ADAPTER, ADAPTER.deleted_state((7,))) == {**nulls, "deleted": True}


@pytest.mark.parametrize(
    ("column", "value"), [("day", "294277-01-01Z"), ("at", "infinity"), ("price", "NaN")]
)
def test_a_value_that_avro_can_not_hold_is_poison(column: str, value: str) -> None:
    """An infinity of time or a number that is none names its column, and shows no value."""
    codec = TableCodec(TABLE)
    row, _ = codec.decode_partly(json.dumps({**IMAGE, column: value}).encode(), lenient=True)
    with pytest.raises(Poison, match=rf"order_details\.{column}: "):
        ADAPTER.state(AggregateRows(row))


def test_a_column_that_is_gone_is_poison() -> None:
    """A row of a later definition without a contract's column is told; one more is passed over."""
    more = TableCodec(make_table({**TYPES, "new": "text"}, ("id",)))
    row = more.decode(json.dumps({**IMAGE, "new": "x"}).encode())
    assert "new" not in ADAPTER.state(AggregateRows(row))
    fewer = {name: type_ for name, type_ in TYPES.items() if name != "doc"}
    row = TableCodec(make_table(fewer, ("id",))).decode(
        json.dumps({name: IMAGE[name] for name in fewer}).encode()
    )
    with pytest.raises(Poison, match="has no column doc any more"):
        ADAPTER.state(AggregateRows(row))


PARTS = st.text(max_size=4, alphabet="a:%3A") | st.just("")


@given(st.tuples(PARTS, PARTS), st.tuples(PARTS, PARTS))
def test_different_keys_have_different_subjects(left: tuple[str, str], right: Any) -> None:
    """Two keys have the same subject only if they are the same, whatever stands in them."""
    adapter = IdentityAdapter("m", make_table({"a": "text", "b": "text"}, ("a", "b")))
    assert (adapter.subject(left) == adapter.subject(right)) == (left == right)
    assert adapter.subject(left)


def test_equal_numbers_have_one_subject() -> None:
    """A number of a key is told without zeros at its end: however it came, it is the same."""
    assert ADAPTER.subject((Decimal("1.50"),)) == ADAPTER.subject((Decimal("1.5"),)) == "1.5"


def test_names_fit_avro() -> None:
    """What Avro does not accept in names is replaced; no two fields share a name."""
    columns = ["deleted", "Order ID", "Order_ID", "2nd", "größe", "plain"]
    names = name_fields(columns)
    assert names["plain"] == "plain"
    assert names["deleted"] == "deleted_"
    assert len(set(names.values())) == len(columns)
    adapter = IdentityAdapter("m", make_table(dict.fromkeys(columns, "text"), ("plain",)))
    make_contract(adapter.contract, adapter.schema("9-site"))
    assert name_aggregate("order_details") == "OrderDetails"
    assert name_aggregate("2nd$log") == "T2ndLog"


def test_a_package_is_written_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The written package has adapters, projections, contracts and a revision for all tables."""
    other = make_table({"a": "integer", "b": "text"}, ("a", "b"), "pairs")
    folder = tmp_path / "written_site"
    write_site_package(folder, "shop", {"sales": (TABLE,), "stock": (other,)})
    monkeypatch.syspath_prepend(str(tmp_path))
    adapters = load_adapters("written_site")
    sys.modules.pop("written_site")
    assert [one.aggregate for one in adapters] == ["sales.OrderDetails", "stock.Pairs"]
    contracts = load_contracts(folder / "contracts")
    assert set(contracts) == {one.contract for one in adapters}
    assert contracts["stock.Pairs.v1"].subject == "shop.stock.v1.Pairs"
    projections: tuple[Projection, ...] = load_projections("written_site")
    sys.modules.pop("written_site")
    assert [one.table for one in projections] == ["order_details", "pairs"]
    revision = (folder / "store_migrations" / "versions" / "0001_projections.py").read_text()
    compile(revision, "revision", "exec")
    assert 'sa.Column("price", sa.Numeric(10, 2)),' in revision
    assert 'sa.Column("b", sa.Text, primary_key=True, autoincrement=False),' in revision
    with pytest.raises(Configuration, match="is not empty"):
        write_site_package(folder, "shop", {"sales": (TABLE,)})


def test_every_type_of_the_store_can_be_made() -> None:
    """The revision names a type of SQLAlchemy for each type that a field can have."""
    revision = write_revision([ADAPTER])
    assert revision.count("sa.Column(") == len(TYPES)


def test_tables_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    """Two tables of one aggregate's name, and one table in two modules, are refused."""
    twin = make_table({"id": "integer"}, ("id",), "Order_Details")
    with pytest.raises(Configuration, match=r"would both be sales\.OrderDetails"):
        write_site_package(tmp_path / "a", "shop", {"sales": (TABLE, twin)})
    with pytest.raises(Configuration, match="the regions' table order_details"):
        write_site_package(tmp_path / "b", "shop", {"sales": (TABLE,), "old": (TABLE,)})
    with pytest.raises(Configuration, match=r"erp\.log has no key"):
        IdentityAdapter("sales", make_table({"id": "integer"}, (), "log"))
