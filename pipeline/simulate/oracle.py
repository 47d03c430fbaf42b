"""The oracle: what every event and every region must hold, from the legacy database's own history.

Enters: the model's history by epoch. Leaves: `Violation` when an event, a region's row or the order
of either can't be. It shares no code with adapters, translator or replicator.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import fastavro

from pipeline.simulate.site import CONTRACTS, QUANTITY_MAX, STATUSES

if TYPE_CHECKING:
    from pipeline.simulate.debezium_losses import EndedTransaction
    from pipeline.simulate.debezium_transaction import Unit
    from pipeline.simulate.legacy_wal import Commit, Tables

ORDER, CUSTOMER = "sales.Order", "party.Customer"
_LSN = attrgetter("lsn")
TABLES_OF = {ORDER: ("orders", "order_lines"), CUSTOMER: ("customers",)}


class Violation(Exception):  # noqa: N818 - what a simulation looks for
    """Something that Isthmus promises did not hold."""


@dataclass(slots=True)
class Epoch:
    """The history of one epoch of a module; `snapshot_lsn` is where its snapshot was taken."""

    history: list[Commit]
    snapshot_lsn: int | None = None

    def commit_at(self, lsn: int) -> Commit:
        """Return the last commit at or before a position."""
        return self.history[max(0, bisect_right(self.history, lsn, key=_LSN) - 1)]


@dataclass(slots=True)
class Loss:
    """What the log of one epoch lacks; `since` is from where on an aggregate may be wrong.

    None stands for all aggregates of the module: nobody knows which ones a TRUNCATE emptied.
    """

    transactions: dict[int, tuple[Unit, ...]] = field(default_factory=dict)
    since: dict[int | None, int] = field(default_factory=dict)
    _rows: set[tuple[str, Any]] = field(default_factory=set)

    def note(self, ended: EndedTransaction) -> None:
        """Note what a transaction lacks, and what that makes wrong.

        A row that was not whole is not whole either under a key that it gets later.
        """
        if ended.left_out:
            self.transactions[ended.lsn] = ended.left_out
        for unit in ended.left_out:
            change = unit.change
            table = change.table.name if change.table is not None else ""
            if unit.operation == "t":
                self.since.setdefault(None, ended.lsn)
            for key in (change.key, change.old_key):
                if key is not None:
                    self._rows.add((table, key))
                    self.since.setdefault(key[0], ended.lsn)
        for table, old, new in ended.moved:
            if (table, old) in self._rows:
                self._rows.add((table, new))
                self.since.setdefault(new[0], ended.lsn)

    def touches(self, number: int, lsn: int) -> bool:
        """Tell whether an aggregate may be wrong at a position."""
        return any(lsn >= self.since[one] for one in (None, number) if one in self.since)


@dataclass(slots=True)
class Oracle:
    """Judges by history; `epochs` are by (module, epoch), `names` all that a customer ever had.

    `losses` are what a connector left out of the log in an epoch, which its next one heals.
    """

    epochs: dict[tuple[str, int], Epoch] = field(default_factory=dict)
    losses: dict[tuple[str, int], Loss] = field(default_factory=dict)
    names: dict[int, set[str | None]] = field(default_factory=dict)

    def note_names(self, tables: Tables) -> None:
        """Remember what customers are called now."""
        for (number,), row in tables["cust"].items():
            self.names.setdefault(number, {None}).add(row["name"])

    def state_at(self, module: str, epoch: int, lsn: int) -> Tables:
        """Return the legacy tables as of a position of a module's log."""
        found = self.epochs.get((module, epoch))
        if found is None:
            raise Violation(f"{module} has no epoch {epoch}")
        floor = found.snapshot_lsn or 0
        return found.commit_at(max(lsn, floor)).tables

    def is_excused(self, module: str, epoch: int, number: int, lsn: int) -> bool:
        """Tell whether an aggregate may be wrong, as rows of it stand nowhere in the log."""
        loss = self.losses.get((module, epoch))
        return loss is not None and loss.touches(number, lsn)

    def check_event(
        self, module: str, aggregate: str, subject: str, sequence: str, data: dict[str, Any]
    ) -> None:
        """Check a state event: it is the aggregate at the commit that its sequence names."""
        epoch, lsn = parse_position(sequence)
        if self.is_excused(module, epoch, int(subject), lsn):
            return
        tables = self.state_at(module, epoch, lsn)
        expected = expect(aggregate, int(subject), tables)
        if isinstance(expected, str):
            raise Violation(f"{aggregate} {subject} at {sequence} is poison ({expected}), yet told")
        given = dict(data)
        if aggregate == ORDER and not given["deleted"]:
            name = given.pop("customer_name")
            if name not in self.names.get(given["customer_id"], {None}):
                raise Violation(f"order {subject} has a customer's name that never was: {name!r}")
        if expected is None:
            if not given["deleted"]:
                raise Violation(f"{aggregate} {subject} at {sequence} is gone, yet told: {given}")
        elif given != expected:
            raise Violation(
                f"{aggregate} {subject} at {sequence} is told as {given}, but was {expected}"
            )


def parse_position(sequence: str) -> tuple[int, int]:
    """Return epoch and position of a sequence."""
    epoch, lsn, _, _ = sequence.split("-")
    return int(epoch, 16), int(lsn, 16)


def expect(aggregate: str, number: int, tables: Tables) -> dict[str, Any] | str | None:
    """Return an aggregate's state but for names of others; None: gone; a text: why it is poison."""
    if aggregate == CUSTOMER:
        row = tables["cust"].get((number,))
        if row is None:
            return None
        return {"customer_id": number, "deleted": False, "name": row["name"]}
    row = tables["ord_hdr"].get((number,))
    if row is None:
        return None
    lines = [
        {"line_number": key[1], "quantity": line["qty"]}
        for key, line in sorted(one for one in tables["ord_lin"].items() if one[0][0] == number)
    ]
    code = row["stat"].strip()
    if code not in STATUSES:
        return f"status {code}"
    if any(line["quantity"] > QUANTITY_MAX for line in lines):
        return "quantity"
    return {
        "order_id": number,
        "deleted": False,
        "customer_id": row["cust_no"],
        "status": STATUSES[code],
        "remark": row["remark"],
        "lines": lines,
    }


def decode(type_: str, payload: bytes) -> dict[str, Any]:
    """Decode an event's Avro with fastavro alone."""
    found: Any = fastavro.schemaless_reader(io.BytesIO(payload), CONTRACTS[type_].parsed, None)
    data: dict[str, Any] = found
    return data


def region_rows(tables: Tables) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Return all rows that a region must hold for this state of the legacy database.

    Orders that are poison are left out: whoever compares knows of them by `poisoned`.
    """
    customers = {
        key: {"customer_id": key[0], "name": row["name"]} for key, row in tables["cust"].items()
    }
    orders, lines = {}, {}
    for key in tables["ord_hdr"]:
        state = expect(ORDER, key[0], tables)
        if not isinstance(state, dict):
            continue
        customer = tables["cust"].get((state["customer_id"],))
        orders[key] = {
            "order_id": key[0],
            "customer_id": state["customer_id"],
            "customer_name": None if customer is None else customer["name"],
            "status": state["status"],
            "remark": state["remark"],
        }
        for line in state["lines"]:
            lines[key[0], line["line_number"]] = {"order_id": key[0], **line}
    return {"customers": customers, "orders": orders, "order_lines": lines}


def poisoned(tables: Tables) -> set[int]:
    """Return the orders that can't be understood in this state."""
    return {key[0] for key in tables["ord_hdr"] if is_poison(key[0], tables)}


def is_poison(number: int, tables: Tables) -> bool:
    """Say whether an order can't be understood in this state."""
    return isinstance(expect(ORDER, number, tables), str)
