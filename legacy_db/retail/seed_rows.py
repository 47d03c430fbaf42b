"""Generates the rows of a twenty-year-old ERP, in the columns' order of tables.py.

Enters: a seeded random and numbers. Leaves: tuples ready for COPY. Nothing here knows a database or
the time: the same seed gives the same rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from legacy_db.retail import amounts, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Row = tuple[Any, ...]

FIRST_DAY = date(2006, 1, 2)
DAYS = 7_270
"""Orders go from the first day to the end of 2025: the future belongs to the workload."""
NEVER_BUY = 0.96
"""Customers beyond this part of the numbers have never ordered: they may be removed."""
RECENT = 0.9
"""Orders beyond this part have stock movements and payments; older ones were archived."""
LARGE_REMARKS_MAX = 200
LARGE_NOTES_MAX = 60


def day(place: float) -> date:
    """Return the day at `place` (0 to 1) of the ERP's twenty years."""
    return FIRST_DAY + timedelta(days=int(place * DAYS))


def yyyymmdd(value: date) -> int:
    """Return a date as the ERP keeps it."""
    return value.year * 10_000 + value.month * 100 + value.day


def change_stamp(value: date, number: int) -> datetime:
    """Return a time on that day, different for neighbouring numbers; the ERP knows no zones."""
    opened = datetime.combine(value, time(8))
    return opened + timedelta(seconds=number % 36_000, microseconds=number * 7919 % 1_000_000)


def item_number(place: int) -> str:
    """Return the number of the item at `place`, from 0."""
    return f"{'ABCDEFGH'[place % 8]}-{place:06d}"


def customer_rows(random: Random, customers: int) -> Iterator[tuple[Row, list[Row]]]:
    """Yield each customer with its addresses."""
    large_every = max(customers // LARGE_NOTES_MAX, 20)
    for number in range(1, customers + 1):
        business = vocabulary.happens(random, 0.6)
        created = day(number / customers * 0.95)
        row = (
            number,
            vocabulary.company_name(random) if business else vocabulary.person_name(random),
            "B" if business else "P",
            random.choices("AHC", (92, 5, 3))[0],
            f"EU{random.randrange(10**9):09d}" if business else random.choice((None, "")),
            random.randrange(0, 5_000_000, 100) if business else 50_000,
            random.choice(vocabulary.LANGUAGES),
            random.choice((f"c{number}@example.com", f"C.{number}@EXAMPLE.ORG", "", None)),
            yyyymmdd(created),
            "Y" if vocabulary.happens(random, 0.02) else "N",
            _note(random, large=number % large_every == 0),
            change_stamp(created, number),
        )
        yield row, _address_rows(random, number)


def _note(random: Random, *, large: bool) -> str | None:
    if large:
        return vocabulary.large_text(random, random.randrange(20_000, 30_000))
    return random.choice(vocabulary.REMARKS) if vocabulary.happens(random, 0.1) else None


def _address_rows(random: Random, number: int) -> list[Row]:
    if vocabulary.happens(random, 0.01):
        return []  # somebody forgot it
    kinds = "BS" if vocabulary.happens(random, 0.4) else "B"
    return [(number, kind, *address(random)) for kind in kinds]


def address(random: Random) -> Row:
    """Draw address line, city, postal code and country."""
    city, country, postal_code = random.choice(vocabulary.CITIES)
    return (vocabulary.street(random), city, postal_code, country)


def item_rows(random: Random, items: int) -> Iterator[Row]:
    """Yield each item."""
    for place in range(items):
        yield (
            item_number(place),
            vocabulary.item_description(random),
            random.choice(vocabulary.UNITS),
            random.choice(vocabulary.CLASSES),
            "D" if vocabulary.happens(random, 0.05) else "A",
        )


def supplier_rows(random: Random, suppliers: int) -> Iterator[Row]:
    """Yield each supplier."""
    for number in range(1, suppliers + 1):
        name, country = vocabulary.company_name(random), random.choice(vocabulary.CITIES)[1]
        status = "B" if vocabulary.happens(random, 0.05) else "A"
        yield (number, name, country, random.choice((14, 30, 60)), status)


def purchase_rows(
    random: Random, purchases: int, suppliers: int, items: int
) -> Iterator[tuple[Row, list[Row]]]:
    """Yield each purchase order with its lines."""
    for number in range(1, purchases + 1):
        ordered = day(number / purchases)
        status = random.choices("ROX", (85, 10, 5))[0]
        lines, total = [], 0
        for line in range(1, random.randrange(2, 6)):
            item, quantity = item_number(random.randrange(items)), random.randrange(1, 500) * 1000
            price = amounts.list_price(item) * 6 // 10
            received = quantity if status == "R" else 0
            total += amounts.line_cents(quantity, price)
            lines.append(
                (number, line, item, amounts.quantity_text(quantity),
                 amounts.quantity_text(received), amounts.price_text(price))
            )  # fmt: skip
        due = yyyymmdd(ordered + timedelta(days=21)) if vocabulary.happens(random, 0.8) else None
        supplier = random.randrange(1, suppliers + 1)
        yield (number, supplier, yyyymmdd(ordered), due, status, "EUR", total), lines


@dataclass(slots=True)
class Stock:
    """What the orders reserved and took, in thousandths, by (warehouse, item)."""

    reserved: Counter[tuple[str, str]] = field(default_factory=Counter)
    issued: Counter[tuple[str, str]] = field(default_factory=Counter)

    def balance_rows(
        self, random: Random, items: int, first_movement: int
    ) -> Iterator[tuple[Row, Row]]:
        """Yield each balance with the adjustment that opens its movements."""
        movement = first_movement
        for place in range(items):
            item = item_number(place)
            for whs in amounts.WAREHOUSES:
                key = (whs, item)
                on_hand = random.randrange(0, 2_000_000) + self.reserved[key]
                opening = on_hand + self.issued[key]
                opened = yyyymmdd(day(RECENT))
                balance = (
                    whs, item, amounts.quantity_text(on_hand),
                    amounts.quantity_text(self.reserved[key]),
                    opened if vocabulary.happens(random, 0.9) else None,
                )  # fmt: skip
                yield (
                    balance,
                    (movement, whs, item, "A", amounts.quantity_text(opening), opened, None),
                )
                movement += 1
