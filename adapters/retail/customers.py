"""Customers: `cust_mstr` with its addresses becomes `customers.Customer.v1`.

Enters: rows of one customer. Leaves: its state; a soft-deleted customer is one that is not there.
"""

from __future__ import annotations

from typing import Any

from adapters.aggregate import AggregateRows, DomainEvent, Key, Lookup, Member, Row
from adapters.errors import Poison
from adapters.retail.legacy_values import (
    clean_block,
    clean_cents,
    clean_code,
    clean_date,
    clean_moment,
    clean_text,
)

KINDS = {"B": "business", "P": "private"}
STATUSES = {"A": "active", "H": "on_hold", "C": "closed"}
REMOVED = {"Y": "yes", "N": "no"}
ADDRESSES = {"B": "billing", "S": "shipping"}


class CustomerAdapter:
    """Owns `customers.Customer`: one root row and at most one address of each type."""

    aggregate = "customers.Customer"
    contract = "customers.Customer.v1"
    domain_contracts: tuple[str, ...] = ()
    module = "customers"
    root = "cust_mstr"
    members: tuple[Member, ...] = (Member("cust_addr", ("cust_no",)),)
    lookups: tuple[Lookup, ...] = ()

    def subject(self, key: Key) -> str:
        """Return the customer's number."""
        return str(key[0])

    def state(self, rows: AggregateRows) -> dict[str, Any] | None:
        """Return the fields of `customers.Customer.v1`; None when it is soft-deleted."""
        row = rows.root
        if clean_code(REMOVED, row.del_flg, "cust_mstr.del_flg") == "yes":
            return None
        state = {
            "customer_id": row.cust_no,
            "deleted": False,
            "name": clean_text(row.cust_nm),
            "kind": clean_code(KINDS, row.cust_typ, "cust_mstr.cust_typ"),
            "status": clean_code(STATUSES, row.stat_cd, "cust_mstr.stat_cd"),
            "tax_number": clean_text(row.tax_no),
            "credit_limit": clean_cents(row.crd_lim),
            "language": clean_text(row.lang_cd),
            "email": clean_text(row.eml),
            "created_on": clean_date(row.cre_dt, "cust_mstr.cre_dt"),
            "notes": clean_block(row.notes),
            **_NO_ADDRESSES,
            "changed_at": clean_moment(row.chg_ts),
        }
        for address in rows.rows("cust_addr"):
            _add_address(state, address)
        return state

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the state of a customer who is no longer there."""
        return {"customer_id": key[0], **_DELETED}

    def domain_events(
        self,
        before: dict[str, Any] | None,  # noqa: ARG002 - the protocol's arguments
        after: dict[str, Any] | None,  # noqa: ARG002
    ) -> tuple[DomainEvent, ...]:
        """Return nothing: what a consumer needs of a customer is its state."""
        return ()


_ADDRESS_PARTS = ("address", "city", "postal_code", "country")
_NO_ADDRESSES: dict[str, Any] = {
    f"{kind}_{part}": None for kind in ADDRESSES.values() for part in _ADDRESS_PARTS
}
_DELETED: dict[str, Any] = {
    "deleted": True,
    "name": None,
    "kind": None,
    "status": None,
    "tax_number": None,
    "credit_limit": None,
    "language": None,
    "email": None,
    "created_on": None,
    "notes": None,
    **_NO_ADDRESSES,
    "changed_at": None,
}


def _add_address(state: dict[str, Any], row: Row) -> None:
    kind = clean_code(ADDRESSES, row.addr_typ, "cust_addr.addr_typ")
    if kind is None:
        raise Poison("cust_addr.addr_typ: blank: correct the row, then replay")
    state[f"{kind}_address"] = clean_text(row.addr_ln)
    state[f"{kind}_city"] = clean_text(row.city)
    state[f"{kind}_postal_code"] = clean_text(row.zip_cd)
    state[f"{kind}_country"] = clean_text(row.ctry_cd)
