"""The simulator's own site: two modules of a small shop, its adapters, contracts and projections.

Small, but with everything that can go wrong: members, a lookup into another module, a large text
out of line, a code that can't be understood, an expectation that can be broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapters.aggregate import AggregateRows, DomainEvent, Key, Lookup, Member, Row
from adapters.contract import Contract, make_contract
from adapters.projection import ChildTable, Projection
from legacy_db.definition import Column, Table
from pipeline.errors import Poison

SITE = "shop"
PARTY, SALES = "party", "sales"
MODULES = {PARTY: ("cust",), SALES: ("ord_hdr", "ord_lin")}
SIGNALS = {module: f"signal_{module}" for module in MODULES}
"""The tables by which incremental snapshots are asked for, by module."""
LARGE = frozenset({("ord_hdr", "remark")})
"""Columns that are stored out of line: an unchanged value is not sent."""
STATUSES = {"N": "new", "S": "shipped", "X": "cancelled"}
QUANTITY_MAX = 1_000


def _table(table: str, key: tuple[str, ...], /, **types: str) -> Table:
    columns = [
        Column(column, type_, column not in key, number)
        for number, (column, type_) in enumerate(types.items(), 1)
    ]
    return Table("erp", table, tuple(columns), key)


TABLES = (
    _table("cust", ("cust_no",), cust_no="integer", name="character varying(40)"),
    _table(
        "ord_hdr", ("ord_no",), ord_no="integer", cust_no="integer", stat="character(2)",
        remark="text",
    ),
    _table("ord_lin", ("ord_no", "lin_no"), ord_no="integer", lin_no="integer", qty="integer"),
    *(_table(name, ("id",), id="text", type="text", data="text") for name in SIGNALS.values()),
)  # fmt: skip


def _optional(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


def _record(type_: str, *fields: dict[str, Any]) -> Contract:
    name = type_.split(".")[1]
    schema = {"type": "record", "name": name, "namespace": "simulated.v1", "fields": list(fields)}
    return make_contract(type_, schema)


_LINE = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "line_number", "type": "int"}, _optional("quantity", "int")],
}
_ID = {"name": "order_id", "type": "int"}
CONTRACTS = {
    one.type: one
    for one in (
        _record(
            "party.Customer.v1", {"name": "customer_id", "type": "int"},
            {"name": "deleted", "type": "boolean"}, _optional("name", "string"),
        ),
        _record(
            "sales.Order.v1", _ID, {"name": "deleted", "type": "boolean"},
            _optional("customer_id", "int"), _optional("customer_name", "string"),
            _optional("status", "string"), _optional("remark", "string"),
            _optional("lines", {"type": "array", "items": _LINE}),
        ),
        _record("sales.OrderPlaced.v1", _ID, _optional("status", "string")),
        _record("sales.OrderShipped.v1", _ID),
    )
}  # fmt: skip


class CustomerAdapter:
    """Owns `party.Customer`: one row."""

    aggregate = "party.Customer"
    contract = "party.Customer.v1"
    domain_contracts: tuple[str, ...] = ()
    module = PARTY
    root = "cust"
    members: tuple[Member, ...] = ()
    lookups: tuple[Lookup, ...] = ()

    def subject(self, key: Key) -> str:
        """Return the customer's number."""
        return str(key[0])

    def state(self, rows: AggregateRows) -> dict[str, Any] | None:
        """Return the customer."""
        return {"customer_id": rows.root.cust_no, "deleted": False, "name": rows.root.name}

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the state of a customer who is gone."""
        return {"customer_id": key[0], "deleted": True, "name": None}

    def domain_events(
        self, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> Sequence[DomainEvent]:
        """Nothing happens to customers."""
        del before, after
        return ()


class OrderAdapter:
    """Owns `sales.Order`: a header with its lines and the customer's name."""

    aggregate = "sales.Order"
    contract = "sales.Order.v1"
    domain_contracts: tuple[str, ...] = ("sales.OrderPlaced.v1", "sales.OrderShipped.v1")
    module = SALES
    root = "ord_hdr"
    members: tuple[Member, ...] = (Member("ord_lin", ("ord_no",)),)
    lookups: tuple[Lookup, ...] = (Lookup("cust", "ord_hdr", ("cust_no",), ("name",)),)

    def subject(self, key: Key) -> str:
        """Return the order's number."""
        return str(key[0])

    def state(self, rows: AggregateRows) -> dict[str, Any] | None:
        """Return the order; Poison for an unknown status."""
        row: Row = rows.root
        customer = rows.lookup("cust", row.cust_no)
        status = STATUSES.get(row.stat.strip())
        if status is None:
            raise Poison(f"ord_hdr.stat: unknown code {row.stat!r}")
        return {
            "order_id": row.ord_no,
            "deleted": False,
            "customer_id": row.cust_no,
            "customer_name": None if customer is None else customer.name,
            "status": status,
            "remark": row.remark,
            "lines": [
                {"line_number": one.lin_no, "quantity": one.qty} for one in rows.rows("ord_lin")
            ],
        }

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the state of an order that is gone."""
        fields = ("customer_id", "customer_name", "status", "remark", "lines")
        return {"order_id": key[0], "deleted": True, **dict.fromkeys(fields)}

    def domain_events(
        self, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> Sequence[DomainEvent]:
        """Tell that an order was placed, and that it was shipped."""
        if after is None:
            return ()
        happened = []
        if before is None:
            placed = {"order_id": after["order_id"], "status": after["status"]}
            happened.append(DomainEvent("sales.OrderPlaced.v1", placed))
        was_shipped = before is not None and before["status"] == "shipped"
        if after["status"] == "shipped" and not was_shipped:
            happened.append(DomainEvent("sales.OrderShipped.v1", {"order_id": after["order_id"]}))
        return happened


def check_order(state: dict[str, Any]) -> str | None:
    """Return the expectation that a state breaks: no line is of more than QUANTITY_MAX."""
    lines = state["lines"] or ()
    if any(line["quantity"] > QUANTITY_MAX for line in lines):
        return f"quantity at most {QUANTITY_MAX}"
    return None


ADAPTERS = (CustomerAdapter(), OrderAdapter())
CHECKS: dict[str, Callable[[dict[str, Any]], object | None]] = {"sales.Order.v1": check_order}
PROJECTIONS = (
    Projection(
        type="party.Customer.v1",
        aggregate="party.Customer",
        table="customers",
        key=("customer_id",),
        columns=("customer_id", "name"),
    ),
    Projection(
        type="sales.Order.v1",
        aggregate="sales.Order",
        table="orders",
        key=("order_id",),
        columns=("order_id", "customer_id", "customer_name", "status", "remark"),
        children=(
            ChildTable(
                table="order_lines",
                field="lines",
                key=("order_id", "line_number"),
                columns=("line_number", "quantity"),
            ),
        ),
    ),
)
