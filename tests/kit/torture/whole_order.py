"""Says of an order's state event whether it can be an order at a commit; pure, by hand.

Enters: the decoded value of `sales.Order.v1`. Leaves: words, or None. The ERP keeps these rules in
every transaction, so that a half order would break one of them.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

LINE_STATUSES = {"new": "open", "shipped": "shipped", "cancelled": "cancelled"}
CENT = Decimal("0.01")


def find_half(order: dict[str, Any]) -> str | None:
    """Say what is half of an order: no lines, another count, another total, mixed statuses."""
    if order["deleted"]:
        return None
    lines = order["lines"]
    if not lines:
        return "it has no lines"
    if order["line_count"] != len(lines):
        return f"{order['line_count']} lines are counted, {len(lines)} are there"
    strange = {line["status"] for line in lines} - {LINE_STATUSES[order["status"]]}
    if strange:
        return f"lines of an order that is {order['status']} are {', '.join(sorted(strange))}"
    gross = sum((line["amount"] for line in lines), Decimal(0))
    net = gross * (100 - (order["discount_percent"] or 0)) / 100
    total = net.quantize(CENT, ROUND_HALF_UP) + (order["freight"] or 0)
    if total != order["total"]:
        return f"the lines make {total}, the total says {order['total']}"
    return None
