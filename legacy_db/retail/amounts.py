"""The ERP's arithmetic: what its application writes into amounts, prices and warehouse codes.

Enters: whole numbers (thousandths of a unit, ten-thousandths of a price, hundredths of a percent).
Leaves: cents, and the texts that go into NUMERIC columns. The rule that always holds:
tot_amt = (sum of lin_amt, less disc_pct) + frt_amt, each rounded half up to a cent.
"""

from __future__ import annotations

from zlib import crc32

WAREHOUSES = ("AMS", "CHI", "OSL")
CURRENCIES = ("EUR", "USD", "NOK")


def line_cents(quantity_thousandths: int, price_tenthousandths: int) -> int:
    """Return a line's amount: round(quantity * price * 100)."""
    return (quantity_thousandths * price_tenthousandths * 2 + 100_000) // 200_000


def total_cents(lines_cents: int, discount_hundredths: int, freight_cents: int) -> int:
    """Return an order's amount; the discount is in hundredths of a percent, not on the freight."""
    return (lines_cents * (10_000 - discount_hundredths) * 2 + 10_000) // 20_000 + freight_cents


def list_price(item_no: str) -> int:
    """Return an item's list price in ten-thousandths, 0.25 to 500: fixed by its number."""
    digest = crc32(item_no.encode())
    price = 2_500 + digest % 4_997_500
    # most prices end in whole cents, some have the four decimals of bulk goods
    return price if digest % 7 == 0 else price // 100 * 100


def warehouse(ord_no: int) -> str:
    """Return the warehouse that serves an order: its number decides."""
    return WAREHOUSES[ord_no % len(WAREHOUSES)]


def quantity_text(thousandths: int) -> str:
    """Write a quantity with its three decimals."""
    sign = "-" if thousandths < 0 else ""
    return f"{sign}{abs(thousandths) // 1000}.{abs(thousandths) % 1000:03d}"


def price_text(tenthousandths: int) -> str:
    """Write a price with two decimals, or with four when it has them."""
    units, rest = divmod(tenthousandths, 10_000)
    return f"{units}.{rest:04d}" if rest % 100 else f"{units}.{rest // 100:02d}"


def percent_text(hundredths: int) -> str:
    """Write a percentage with its two decimals."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def freight_text(cents: int) -> str:
    """Write a freight as the old client did: a decimal in a text column."""
    return f"{cents // 100}.{cents % 100:02d}"
