"""Generates the seed's orders with lines, shipments, stock movements and payments.

Enters: a seeded random and numbers. Leaves: `OrderRows` per order, ready for COPY. Amounts follow
amounts.py; about 70 % of the orders are shipped, some cancelled, the rest open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from legacy_db.retail import amounts, vocabulary
from legacy_db.retail.seed_rows import (
    LARGE_REMARKS_MAX,
    NEVER_BUY,
    RECENT,
    Row,
    Stock,
    change_stamp,
    day,
    item_number,
    yyyymmdd,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

FREIGHTS = (None, "", "    ", "0.00", "4.90", "12.50", "99.95", " 7.00")
DISCOUNTS = (0, 0, 0, 250, 500, 1000, 1275)
"""In hundredths of a percent."""
_LINE_STATUS = {"N": "O", "S": "S", "X": "X"}


@dataclass(slots=True)
class OrderRows:
    """The rows of one order, by table."""

    header: Row
    lines: list[Row] = field(default_factory=list)
    shipments: list[Row] = field(default_factory=list)
    movements: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    stages: list[Row] = field(default_factory=list)
    log: list[Row] = field(default_factory=list)


def freight_cents(text: str | None) -> int:
    """Return the cents of a freight as the ERP's client reads it: blank is nothing."""
    stripped = (text or "").strip()
    return int(stripped.replace(".", "")) if stripped else 0


class OrderGenerator:
    """Generates orders 1 to `orders` and adds up in `stock` what they reserve and take."""

    def __init__(self, random: Random, *, orders: int, customers: int, items: int) -> None:
        self.stock = Stock()
        self._random = random
        self._orders = orders
        self._buyers = max(int(customers * NEVER_BUY), 1)
        self._items = items
        self._large_every = max(orders // LARGE_REMARKS_MAX, 20)
        self._shipments = count(1)
        self._movements = count(1)
        self._transactions = count(1)

    @property
    def next_movement(self) -> int:
        """The first movement's number that no order took; ask once, when all are generated."""
        return next(self._movements)

    def generate(self) -> Iterator[OrderRows]:
        """Yield each order, in the order of their numbers and dates."""
        for number in range(1, self._orders + 1):
            yield self._generate_order(number)

    def _generate_order(self, number: int) -> OrderRows:
        random = self._random
        place = number / self._orders
        ordered = day(place)
        status = random.choices("SXN", (72, 10, 18))[0]
        currency = random.choice(amounts.CURRENCIES)
        freight, discount = random.choice(FREIGHTS), random.choice(DISCOUNTS)
        lines, drawn = self._draw_lines(number, _LINE_STATUS[status])
        total = amounts.total_cents(
            sum(line[5] for line in lines), discount, freight_cents(freight)
        )
        changed = change_stamp(ordered, number)
        rows = OrderRows(
            (
                number, random.randrange(1, self._buyers + 1), yyyymmdd(ordered), status,
                currency, random.choice(vocabulary.CLERKS), freight,
                amounts.percent_text(discount), total, self._draw_remark(number), changed,
            ),
            lines,
        )  # fmt: skip
        if status == "N":
            self.stock.reserved.update(drawn)
        elif status == "S":
            self._add_shipment(rows, number, place)
            if place > RECENT:
                self._add_movements(rows, number, drawn)
                self._add_payment(rows, number, total, currency, changed)
        return rows

    def _draw_lines(self, number: int, status: str) -> tuple[list[Row], dict[tuple[str, str], int]]:
        random = self._random
        whs = amounts.warehouse(number)
        drawn: dict[tuple[str, str], int] = {}
        lines: list[Row] = []
        for line in range(1, random.randrange(1, 6) + 1):
            item = item_number(random.randrange(self._items))
            quantity = random.randrange(1, 40) * 1000
            if vocabulary.happens(random, 0.1):
                quantity += random.randrange(1000)
            price = amounts.list_price(item)
            drawn[whs, item] = drawn.get((whs, item), 0) + quantity
            lines.append(
                (number, line, item, amounts.quantity_text(quantity), amounts.price_text(price),
                 amounts.line_cents(quantity, price), status)
            )  # fmt: skip
        return lines, drawn

    def _draw_remark(self, number: int) -> str | None:
        random = self._random
        if number % self._large_every == 0:
            huge = number // self._large_every % 40 == 1
            length = 200_000 if huge else random.randrange(20_000, 60_000)
            return vocabulary.large_text(random, length)
        return random.choice(vocabulary.REMARKS) if vocabulary.happens(random, 0.08) else None

    def _add_shipment(self, rows: OrderRows, number: int, place: float) -> None:
        random = self._random
        shipped = yyyymmdd(day(place) + timedelta(days=random.randrange(1, 9)))
        tracking = (
            f"TRK{random.randrange(10**12):012d}" if vocabulary.happens(random, 0.8) else None
        )
        rows.shipments.append(
            (next(self._shipments), number, shipped, random.choice(vocabulary.CARRIERS),
             tracking, random.choices("DTR", (90, 8, 2))[0])
        )  # fmt: skip

    def _add_movements(
        self, rows: OrderRows, number: int, drawn: dict[tuple[str, str], int]
    ) -> None:
        self.stock.issued.update(drawn)
        shipped = rows.shipments[0][2]
        rows.movements.extend(
            (
                next(self._movements),
                whs,
                item,
                "I",
                amounts.quantity_text(quantity),
                shipped,
                number,
            )
            for (whs, item), quantity in drawn.items()
        )

    def _add_payment(
        self, rows: OrderRows, number: int, total: int, currency: str, changed: datetime
    ) -> None:
        random = self._random
        trx = next(self._transactions)
        failed = vocabulary.happens(random, 0.05)
        reason = random.choice(vocabulary.PAYMENT_FAILURES) if failed else None
        method = random.choice(("CC", "DD", "BT"))
        rows.payments.append(
            (trx, number, method, total, currency, "F" if failed else "S", reason,
             rows.header[2], changed)
        )  # fmt: skip
        stages = "A" if failed else "ACS"
        for stage, code in enumerate(stages, 1):
            result = "F" if failed else "O"
            at = changed + timedelta(minutes=stage)
            rows.stages.append((trx, stage, code, result, reason, total, at))
        level, text = ("E", f"failed: {reason}") if failed else ("I", "settled")
        rows.log.append((changed, trx, level, text))
