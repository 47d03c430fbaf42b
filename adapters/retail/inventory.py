"""Inventory: a balance of `stk_bal` with its item's text becomes `inventory.StockLevel.v1`.

Enters: rows of one balance. Leaves: its state. Movements (`stk_mvt`) only land: the balance is
what they add up to.
"""

from __future__ import annotations

from typing import Any

from adapters.aggregate import AggregateRows, DomainEvent, Key, Lookup, Member
from adapters.errors import Poison
from adapters.retail.legacy_values import THOUSANDTHS, clean_date, clean_number, clean_text


class StockLevelAdapter:
    """Owns `inventory.StockLevel`: one item in one warehouse."""

    aggregate = "inventory.StockLevel"
    contract = "inventory.StockLevel.v1"
    domain_contracts: tuple[str, ...] = ()
    module = "inventory"
    root = "stk_bal"
    members: tuple[Member, ...] = ()
    lookups: tuple[Lookup, ...] = (
        Lookup("item_mstr", "stk_bal", ("item_no",), ("item_dsc", "uom_cd")),
    )

    def subject(self, key: Key) -> str:
        """Return `WAREHOUSE:ITEM`, both trimmed."""
        return f"{key[0].strip(' ')}:{key[1].strip(' ')}"

    def state(self, rows: AggregateRows) -> dict[str, Any] | None:
        """Return the fields of `inventory.StockLevel.v1`."""
        row = rows.root
        item = rows.lookup("item_mstr", row.item_no)
        on_hand = clean_number(row.qty_oh, THOUSANDTHS, "stk_bal.qty_oh")
        reserved = clean_number(row.qty_rsv, THOUSANDTHS, "stk_bal.qty_rsv")
        if on_hand is None or reserved is None:
            raise Poison("stk_bal.qty_oh, qty_rsv: NULL: a balance without a quantity")
        return {
            "warehouse_code": row.whs_cd.strip(" "),
            "item_code": row.item_no.strip(" "),
            "deleted": False,
            "description": clean_text(item.item_dsc) if item is not None else None,
            "unit": clean_text(item.uom_cd) if item is not None else None,
            "on_hand": on_hand,
            "reserved": reserved,
            "available": on_hand - reserved,
            "last_counted_on": clean_date(row.last_dt, "stk_bal.last_dt"),
        }

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the state of a balance that is no longer there."""
        return {
            "warehouse_code": key[0].strip(" "),
            "item_code": key[1].strip(" "),
            "deleted": True,
            "description": None,
            "unit": None,
            "on_hand": None,
            "reserved": None,
            "available": None,
            "last_counted_on": None,
        }

    def domain_events(
        self,
        before: dict[str, Any] | None,  # noqa: ARG002 - the protocol's arguments
        after: dict[str, Any] | None,  # noqa: ARG002
    ) -> tuple[DomainEvent, ...]:
        """Return nothing: what a consumer needs of a balance is its state."""
        return ()
