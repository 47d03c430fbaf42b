"""Sales: `ord_hdr` with lines, shipments and the customer's name becomes `sales.Order.v1`.

Enters: rows of one order. Leaves: its state, and OrderPlaced, OrderShipped and OrderCancelled,
which are fat enough to act on without asking back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.aggregate import AggregateRows, DomainEvent, Key, Lookup, Member, Row
from adapters.retail.legacy_values import (
    CENTS,
    TEN_THOUSANDTHS,
    THOUSANDTHS,
    clean_amount,
    clean_block,
    clean_cents,
    clean_code,
    clean_date,
    clean_moment,
    clean_number,
    clean_text,
)

STATUSES = {"N": "new", "S": "shipped", "X": "cancelled"}
LINE_STATUSES = {"O": "open", "S": "shipped", "X": "cancelled"}


class OrderAdapter:
    """Owns `sales.Order`: a header, its lines and its shipments."""

    aggregate = "sales.Order"
    contract = "sales.Order.v1"
    domain_contracts: tuple[str, ...] = (
        "sales.OrderPlaced.v1",
        "sales.OrderShipped.v1",
        "sales.OrderCancelled.v1",
    )
    module = "sales"
    root = "ord_hdr"
    members: tuple[Member, ...] = (Member("ord_lin", ("ord_no",)), Member("shipmt", ("ord_no",)))
    lookups: tuple[Lookup, ...] = (Lookup("cust_mstr", "ord_hdr", ("cust_no",), ("cust_nm",)),)

    def subject(self, key: Key) -> str:
        """Return the order's number."""
        return str(key[0])

    def state(self, rows: AggregateRows) -> dict[str, Any] | None:
        """Return the fields of `sales.Order.v1`; the last shipment is the one that counts."""
        row = rows.root
        customer = rows.lookup("cust_mstr", row.cust_no)
        lines = [_make_line(line) for line in rows.rows("ord_lin")]
        shipments = rows.rows("shipmt")
        return {
            "order_id": row.ord_no,
            "deleted": False,
            "customer_id": row.cust_no,
            "customer_name": clean_text(customer.cust_nm) if customer is not None else None,
            "order_date": clean_date(row.ord_dt, "ord_hdr.ord_dt"),
            "status": clean_code(STATUSES, row.stat_cd, "ord_hdr.stat_cd"),
            "currency": clean_text(row.curr_cd),
            "clerk": clean_text(row.user),
            "freight": clean_amount(row.frt_amt, "ord_hdr.frt_amt"),
            "discount_percent": clean_number(row.disc_pct, CENTS, "ord_hdr.disc_pct"),
            "total": clean_cents(row.tot_amt),
            "line_count": len(lines),
            "lines": lines,
            "remark": clean_block(row.rmk),
            **(_make_shipment(shipments) if shipments else _NO_SHIPMENT),
            "changed_at": clean_moment(row.chg_ts),
        }

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the state of an order that is no longer there."""
        return {"order_id": key[0], **_DELETED}

    def domain_events(
        self, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> Sequence[DomainEvent]:
        """Return what happened to the order, in the order in which it can happen."""
        if after is None:
            return ()
        status = after["status"]
        previous = before["status"] if before is not None else None
        if before is not None and status == previous:
            return ()
        happened = []
        if before is None:
            happened.append(_make_placed(after))
        if status == "shipped":
            happened.append(_make_shipped(after))
        if status == "cancelled":
            happened.append(_make_cancelled(after, previous))
        return happened


_NO_SHIPMENT: dict[str, Any] = {"shipped_on": None, "carrier": None, "tracking_number": None}
_DELETED: dict[str, Any] = {
    "deleted": True,
    "customer_id": None,
    "customer_name": None,
    "order_date": None,
    "status": None,
    "currency": None,
    "clerk": None,
    "freight": None,
    "discount_percent": None,
    "total": None,
    "line_count": None,
    "lines": None,
    "remark": None,
    **_NO_SHIPMENT,
    "changed_at": None,
}


def _make_line(row: Row) -> dict[str, Any]:
    return {
        "line_number": row.lin_no,
        "item_code": clean_text(row.item_no),
        "quantity": clean_number(row.qty, THOUSANDTHS, "ord_lin.qty"),
        "unit_price": clean_number(row.unit_prc, TEN_THOUSANDTHS, "ord_lin.unit_prc"),
        "amount": clean_cents(row.lin_amt),
        "status": clean_code(LINE_STATUSES, row.stat_cd, "ord_lin.stat_cd"),
    }


def _make_shipment(rows: Sequence[Row]) -> dict[str, Any]:
    last = rows[-1]
    return {
        "shipped_on": clean_date(last.ship_dt, "shipmt.ship_dt"),
        "carrier": clean_text(last.carr_cd),
        "tracking_number": clean_text(last.trk_no),
    }


_PLACED = (
    *("order_id", "customer_id", "customer_name", "order_date", "clerk", "currency"),
    *("freight", "discount_percent", "total", "line_count"),
)
_SHIPPED = (
    *("order_id", "customer_id", "customer_name", "order_date", "shipped_on", "carrier"),
    *("tracking_number", "currency", "total"),
)
_CANCELLED = (
    *("order_id", "customer_id", "customer_name", "order_date", "currency", "total"),
    *("line_count", "remark"),
)
_LINE = ("line_number", "item_code", "quantity", "unit_price", "amount")


def _make_placed(order: dict[str, Any]) -> DomainEvent:
    data = {name: order[name] for name in _PLACED}
    data["lines"] = [{name: line[name] for name in _LINE} for line in order["lines"]]
    data["placed_at"] = order["changed_at"]
    return DomainEvent("sales.OrderPlaced.v1", data)


def _make_shipped(order: dict[str, Any]) -> DomainEvent:
    lines = [line for line in order["lines"] if line["status"] != "cancelled"]
    data = {name: order[name] for name in _SHIPPED}
    data["line_count"] = len(lines)
    data["lines"] = [{name: line[name] for name in _LINE} for line in lines]
    data["shipped_at"] = order["changed_at"]
    return DomainEvent("sales.OrderShipped.v1", data)


def _make_cancelled(order: dict[str, Any], previous: str | None) -> DomainEvent:
    data = {name: order[name] for name in _CANCELLED}
    data["previous_status"] = previous
    data["cancelled_at"] = order["changed_at"]
    return DomainEvent("sales.OrderCancelled.v1", data)
