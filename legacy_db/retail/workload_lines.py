"""What the clerks' transactions do to an order's lines, its total and the stock reserved for it.

Enters: a `Session` inside a transaction that has locked the order's header. Leaves: changed rows.
The warehouse is the order's (amounts.warehouse); balances are touched in the order of their items.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from legacy_db.retail import amounts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from legacy_db.retail.workload_session import Session

TOTAL = """
round((select coalesce(sum(l.lin_amt), 0) from ord_lin l where l.ord_no = h.ord_no)
  * (100 - h.disc_pct) / 100)
  + coalesce(cast(nullif(trim(h.frt_amt), '') as decimal(12,2)), 0) * 100
"""
"""The order's amount as amounts.total_cents() has it, for the header h."""
_RESERVE = "update stk_bal set qty_rsv = qty_rsv + %s where whs_cd = %s and item_no = %s"


@dataclass(frozen=True, slots=True)
class Line:
    """A line to be written; the quantity in thousandths, the price in ten-thousandths."""

    order: int
    number: int
    item: str
    quantity: int
    price: int

    @property
    def cents(self) -> int:
        """The line's amount."""
        return amounts.line_cents(self.quantity, self.price)


def draw_lines(
    session: Session, random: Random, order: int, *, first_line: int, lines: int
) -> list[Line]:
    """Draw lines for an order, numbered from `first_line`."""
    drawn = []
    for number in range(first_line, first_line + lines):
        item, quantity = session.draw_item(random), random.randrange(1, 40) * 1000
        drawn.append(Line(order, number, item, quantity, amounts.list_price(item)))
    return drawn


def write_lines(session: Session, lines: Sequence[Line]) -> None:
    """Write lines and reserve their stock."""
    session.execute_many(
        "insert into ord_lin (ord_no, lin_no, item_no, qty, unit_prc, lin_amt, stat_cd)"
        " values (%s, %s, %s, %s, %s, %s, 'O')",
        [
            (
                line.order,
                line.number,
                line.item,
                amounts.quantity_text(line.quantity),
                amounts.price_text(line.price),
                line.cents,
            )
            for line in lines
        ],
    )
    session.execute_many(
        _RESERVE,
        [
            (amounts.quantity_text(line.quantity), amounts.warehouse(line.order), line.item)
            for line in sorted(lines, key=lambda line: line.item)
        ],
    )


def change_lines(session: Session, random: Random, order: int) -> None:
    """Change the quantity of a line, remove one, add one, or all of it; the last one stays.

    An order that somebody else made without lines gets one.
    """
    action = random.choice(("add", "change", "remove", "all"))
    if not _read_lines(session, order):
        action = "add"
    if action in ("change", "all"):
        _change_quantity(session, random, order)
    if action in ("remove", "all"):
        _remove_line(session, random, order)
    if action in ("add", "all"):
        last = session.execute(
            "select coalesce(max(lin_no), 0) from ord_lin where ord_no = %s", order
        )
        first_line = (last.fetchone() or (0,))[0] + 1
        write_lines(session, draw_lines(session, random, order, first_line=first_line, lines=1))


def _change_quantity(session: Session, random: Random, order: int) -> None:
    line, item, old = random.choice(_read_lines(session, order))
    new = Decimal(random.randrange(1, 40))
    session.execute(
        "update ord_lin set qty = %s, lin_amt = round(%s * unit_prc * 100)"
        " where ord_no = %s and lin_no = %s",
        new,
        new,
        order,
        line,
    )
    session.execute(_RESERVE, new - old, amounts.warehouse(order), item)


def _remove_line(session: Session, random: Random, order: int) -> None:
    lines = _read_lines(session, order)
    if len(lines) == 1:
        return
    line, item, quantity = random.choice(lines)
    session.execute("delete from ord_lin where ord_no = %s and lin_no = %s", order, line)
    session.execute(_RESERVE, -quantity, amounts.warehouse(order), item)


def _read_lines(session: Session, order: int) -> list[tuple[int, str, Decimal]]:
    found: list[tuple[int, str, Decimal]] = session.execute(
        "select lin_no, item_no, qty from ord_lin where ord_no = %s order by lin_no", order
    ).fetchall()
    return found


def release_stock(session: Session, order: int) -> None:
    """Give back what the order's lines reserved."""
    session.execute_many(
        _RESERVE,
        [
            (-quantity, amounts.warehouse(order), item)
            for item, quantity in session.execute(
                "select item_no, sum(qty) from ord_lin where ord_no = %s"
                " group by item_no order by item_no",
                order,
            ).fetchall()
        ],
    )


def rewrite_total(session: Session, order: int) -> None:
    """Write the order's amount anew after its lines have changed."""
    session.execute(
        f"update ord_hdr h set tot_amt = {TOTAL}, chg_ts = localtimestamp(6) where ord_no = %s",
        order,
    )
