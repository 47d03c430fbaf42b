"""What the retail adapters make of legacy rows (adapters.retail)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import defstruct

from adapters.aggregate import AggregateRows, load_adapters
from adapters.contract import load_contracts
from adapters.errors import Poison
from adapters.projection import load_projections
from adapters.retail.customers import CustomerAdapter
from adapters.retail.inventory import StockLevelAdapter
from adapters.retail.sales import OrderAdapter
from adapters.serde import Decoder, Encoder

CONTRACTS = load_contracts(Path(__file__).parents[2] / "adapters" / "retail" / "contracts")
STAMP = datetime(2024, 3, 1, 12, 30, 1, 250_000)  # noqa: DTZ001 - as the legacy system writes it


def make_row(**columns: Any) -> Any:
    """Make a row as the translator does: a struct with one attribute per column."""
    return defstruct("Row", [(name, object) for name in columns])(**columns)


def make_header(**changes: Any) -> Any:
    """Make an order's header."""
    columns = {
        "ord_no": 5_000_000_001, "cust_no": 7, "ord_dt": 20240229, "stat_cd": "N", "curr_cd": "EUR",
        "user": "åse     ", "frt_amt": " 7.00", "disc_pct": Decimal("2.50"), "tot_amt": 123_456,
        "rmk": "  two\nlines", "chg_ts": STAMP,
    }  # fmt: skip
    return make_row(**{**columns, **changes})


def make_line(number: int, **changes: Any) -> Any:
    """Make an order's line."""
    columns = {
        "ord_no": 5_000_000_001, "lin_no": number, "item_no": "A-000001       ",
        "qty": Decimal("3.500"), "unit_prc": Decimal("12.5"), "lin_amt": 4375, "stat_cd": "O",
    }  # fmt: skip
    return make_row(**{**columns, **changes})


def make_order(header: Any = None, lines: Any = None, shipments: Any = ()) -> AggregateRows:
    """Make the rows of an order with two lines and its customer's name."""
    lines = [make_line(1), make_line(2)] if lines is None else lines
    customer = make_row(cust_nm="Łucja Ærø" + " " * 31)
    return AggregateRows(
        header or make_header(),
        {"ord_lin": lines, "shipmt": list(shipments)},
        {"cust_mstr": {(7,): customer}},
    )


def make_customer(addresses: Any = (), **changes: Any) -> AggregateRows:
    """Make the rows of a customer."""
    columns = {
        "cust_no": 7, "cust_nm": "Zoë O'Brien   ", "cust_typ": "P", "stat_cd": "H", "tax_no": "",
        "crd_lim": 50_000, "lang_cd": "de", "eml": None, "cre_dt": 20060102, "del_flg": "N",
        "notes": "   ", "chg_ts": STAMP.replace(tzinfo=UTC),
    }  # fmt: skip
    return AggregateRows(make_row(**{**columns, **changes}), {"cust_addr": list(addresses)})


def test_an_order_is_fat_and_clean() -> None:
    """Codes are spelled out, dates are dates, cents have two decimals and text is trimmed."""
    shipments = [
        make_row(ship_no=1, ord_no=5_000_000_001, ship_dt=20240302, carr_cd="DHL ", trk_no="T1"),
        make_row(ship_no=2, ord_no=5_000_000_001, ship_dt=20240305, carr_cd="POST", trk_no=None),
    ]
    line = {
        "line_number": 1,
        "item_code": "A-000001",
        "quantity": Decimal("3.500"),
        "unit_price": Decimal("12.5000"),
        "amount": Decimal("43.75"),
        "status": "open",
    }
    assert OrderAdapter().state(make_order(shipments=shipments)) == {
        "order_id": 5_000_000_001,
        "deleted": False,
        "customer_id": 7,
        "customer_name": "Łucja Ærø",
        "order_date": date(2024, 2, 29),
        "status": "new",
        "currency": "EUR",
        "clerk": "åse",
        "freight": Decimal("7.00"),
        "discount_percent": Decimal("2.50"),
        "total": Decimal("1234.56"),
        "line_count": 2,
        "lines": [line, {**line, "line_number": 2}],
        "remark": "  two\nlines",
        "shipped_on": date(2024, 3, 5),
        "carrier": "POST",
        "tracking_number": None,
        "changed_at": STAMP.replace(tzinfo=UTC),
    }


def test_an_order_without_its_customer_has_no_name() -> None:
    """A lookup that has not arrived yet is null, not an error."""
    state = OrderAdapter().state(AggregateRows(make_header()))
    assert state is not None
    assert (state["customer_id"], state["customer_name"], state["lines"]) == (7, None, [])


@pytest.mark.parametrize("text", [None, "", "    "])
def test_a_blank_freight_is_none(text: str | None) -> None:
    """The ERP's client leaves the freight blank in three ways."""
    state = OrderAdapter().state(make_order(make_header(frt_amt=text)))
    assert state is not None
    assert state["freight"] is None


@pytest.mark.parametrize("text", ["1,50", "abc", "1E2", "NaN", "1.234", "--1", "٣", "1 2"])
def test_a_broken_freight_is_poison(text: str) -> None:
    """What is not an amount names its column, and its value stands nowhere."""
    with pytest.raises(Poison, match=r"ord_hdr\.frt_amt") as error:
        OrderAdapter().state(make_order(make_header(frt_amt=text)))
    assert text not in str(error.value)


@pytest.mark.parametrize("number", [20230229, 20241301, 20240100, -20240101, 99999999999, 1])
def test_an_impossible_date_is_poison(number: int) -> None:
    """The message names the column and not the value."""
    with pytest.raises(Poison, match=r"ord_hdr\.ord_dt") as error:
        OrderAdapter().state(make_order(make_header(ord_dt=number)))
    assert str(number) not in str(error.value).replace("ord_hdr", "")


@pytest.mark.parametrize("number", [0, None])
def test_no_date_is_none(number: int | None) -> None:
    """The ERP writes 0 where it has no date."""
    state = OrderAdapter().state(make_order(make_header(ord_dt=number)))
    assert state is not None
    assert state["order_date"] is None


def test_an_unknown_code_is_poison_and_named() -> None:
    """A code is not a secret, and whoever corrects the row needs it."""
    with pytest.raises(Poison, match=r"ord_hdr\.stat_cd: unknown code 'Q'"):
        OrderAdapter().state(make_order(make_header(stat_cd="Q")))
    with pytest.raises(Poison, match=r"ord_lin\.stat_cd: unknown code 'n'"):
        OrderAdapter().state(make_order(lines=[make_line(1, stat_cd="n")]))


@pytest.mark.parametrize("price", ["0.00001", "NaN", "Infinity", "-Infinity"])
def test_a_number_that_would_lose_decimals_is_poison(price: str) -> None:
    """Nothing is rounded silently."""
    with pytest.raises(Poison, match=r"ord_lin\.unit_prc"):
        OrderAdapter().state(make_order(lines=[make_line(1, unit_prc=Decimal(price))]))


def test_a_customer_has_both_addresses_in_one_state() -> None:
    """Addresses are flattened by type, an absent one is null."""
    address = make_row(
        cust_no=7, addr_typ="S", addr_ln="Østergade 4 ", city="Tromsø   ", zip_cd=None, ctry_cd="NO"
    )
    state = CustomerAdapter().state(make_customer([address]))
    assert state is not None
    assert state["shipping_city"] == "Tromsø"
    assert (state["shipping_postal_code"], state["billing_city"]) == (None, None)
    assert (state["kind"], state["status"]) == ("private", "on_hold")
    assert (state["tax_number"], state["notes"]) == (None, None)
    assert state["credit_limit"] == Decimal("500.00")


def test_a_soft_deleted_customer_is_not_there() -> None:
    """The flag means the same as a deleted row; an unknown flag is poison."""
    assert CustomerAdapter().state(make_customer(del_flg="Y")) is None
    with pytest.raises(Poison, match=r"cust_mstr\.del_flg"):
        CustomerAdapter().state(make_customer(del_flg="?"))


def test_an_address_of_no_type_is_poison() -> None:
    """Blank and unknown types can't be put anywhere."""
    for type_ in (" ", "Z"):
        address = make_row(cust_no=7, addr_typ=type_, addr_ln="", city="", zip_cd="", ctry_cd="")
        with pytest.raises(Poison, match=r"cust_addr\.addr_typ"):
            CustomerAdapter().state(make_customer([address]))


def test_a_stock_level_says_what_is_available() -> None:
    """Reserved quantities are taken off; the item's text comes from its own row."""
    row = make_row(
        whs_cd="W1 ", item_no="A-000001       ", qty_oh=Decimal("5.000"), qty_rsv=Decimal("7.5"),
        last_dt=0,
    )  # fmt: skip
    item = make_row(item_dsc='Filter ½"   ', uom_cd="PCE")
    adapter = StockLevelAdapter()
    rows = AggregateRows(row, {}, {"item_mstr": {("A-000001       ",): item}})
    assert adapter.state(rows) == {
        "warehouse_code": "W1",
        "item_code": "A-000001",
        "deleted": False,
        "description": 'Filter ½"',
        "unit": "PCE",
        "on_hand": Decimal("5.000"),
        "reserved": Decimal("7.500"),
        "available": Decimal("-2.500"),
        "last_counted_on": None,
    }
    assert adapter.subject(("W1 ", "A-000001       ")) == "W1:A-000001"


def happened(before: str | None, after: str | None) -> list[str]:
    """Return the domain events between two statuses of an order; None: it is not there."""
    adapter = OrderAdapter()
    states = [
        code and adapter.state(make_order(make_header(stat_cd=code))) for code in (before, after)
    ]
    return [event.type for event in adapter.domain_events(*states)]  # type: ignore[arg-type]


def test_domain_events_tell_transitions() -> None:
    """Each event stands for one transition, and a deletion is none of them."""
    placed, shipped, cancelled = OrderAdapter.domain_contracts
    assert happened(None, "N") == [placed]
    assert happened(None, "S") == [placed, shipped]
    assert happened(None, "X") == [placed, cancelled]
    assert happened("N", "S") == [shipped]
    assert happened("N", "X") == [cancelled]
    assert happened("S", "X") == [cancelled]
    assert happened("N", "N") == happened("S", "N") == happened("N", None) == []


def test_every_state_and_event_fits_its_contract() -> None:
    """What an adapter makes has exactly the contract's fields, and survives Avro unchanged."""
    order, customer = make_order(), make_customer()
    stock = AggregateRows(
        make_row(whs_cd="W", item_no="I", qty_oh=Decimal(1), qty_rsv=Decimal(0), last_dt=None)
    )
    rows = {"sales.Order": order, "customers.Customer": customer, "inventory.StockLevel": stock}
    keys = {"sales.Order": (1,), "customers.Customer": (7,), "inventory.StockLevel": ("W", "I")}
    for adapter in load_adapters("adapters.retail"):
        state = adapter.state(rows[adapter.aggregate])
        deleted = adapter.deleted_state(keys[adapter.aggregate])
        assert [name for name, value in deleted.items() if value is True] == ["deleted"]
        made = [(adapter.contract, state), (adapter.contract, deleted)]
        made += [(event.type, dict(event.data)) for event in adapter.domain_events(None, state)]
        for type_, data in made:
            contract = CONTRACTS[type_]
            assert data is not None
            assert set(data) == {field["name"] for field in contract.schema["fields"]}
            assert Decoder(contract.text).decode(Encoder(contract).encode(data)) == data


def test_projections_hold_every_field_of_a_state() -> None:
    """A table's columns are the contract's fields but for `deleted` and the arrays."""
    for projection in load_projections("adapters.retail"):
        fields = {field["name"] for field in CONTRACTS[projection.type].schema["fields"]}
        arrays = {child.field for child in projection.children}
        assert set(projection.columns) == fields - arrays - {"deleted"}


def test_every_field_is_nullable_but_ids_and_deleted() -> None:
    """A deleted state carries nothing else, and every field is documented."""
    keys = {one.type: {*one.key, "deleted"} for one in load_projections("adapters.retail")}
    for contract in CONTRACTS.values():
        for field in contract.schema["fields"]:
            assert field["doc"]
            if field["name"] not in keys.get(contract.type, {"order_id"}):
                assert field["type"][0] == "null"
                assert field["default"] is None
