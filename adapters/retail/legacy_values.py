"""What the legacy system's values mean: blank-padded text, dates as numbers, codes.

Enters: one value of one column. Leaves: a clean value or None; Poison names the column and, for
codes, the code, never any other value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache

from adapters.errors import Poison

CENTS = Decimal("0.01")
THOUSANDTHS = Decimal("0.001")
TEN_THOUSANDTHS = Decimal("0.0001")

_WIDE = Context(prec=60, traps=[InvalidOperation])
_AMOUNT = re.compile(r" *[+-]?[0-9]+(\.[0-9]*)? *")


def clean_text(value: str | None) -> str | None:
    """Trim blanks on both sides; blank and NULL mean nothing and are None."""
    return (value.strip(" ") or None) if value is not None else None


def clean_block(value: str | None) -> str | None:
    """Return free text as it is (its line breaks and indents matter), None when it is blank."""
    return value if value is not None and value.strip(" ") else None


@lru_cache(maxsize=65_536)
def clean_date(number: int | None, column: str) -> date | None:
    """Read yyyymmdd; 0 and NULL are None, an impossible date is Poison."""
    if not number:
        return None
    try:
        return date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError as error:
        raise Poison(
            f"{column}: not a date of the form yyyymmdd: correct the row in the legacy database, "
            "then replay"
        ) from error


def clean_code(codes: Mapping[str, str], code: str | None, column: str) -> str | None:
    """Spell out a code; NULL and blank are None, an unknown code is Poison."""
    if code is None:
        return None
    meaning = codes.get(code)
    if meaning is not None:
        return meaning
    trimmed = code.strip(" ")
    if trimmed in codes or not trimmed:
        return codes.get(trimmed)
    raise Poison(
        f"{column}: unknown code {trimmed[:8]!r} (known: {', '.join(codes)}): "
        "add it to the adapter or correct the row, then replay"
    )


def clean_number(value: Decimal | None, unit: Decimal, column: str) -> Decimal | None:
    """Bring a number to the scale of `unit`; more decimals than that would be lost: Poison."""
    if value is None:
        return None
    try:
        scaled = _WIDE.quantize(value, unit)
    except InvalidOperation as error:
        raise Poison(f"{column}: not a number that fits") from error
    if scaled != value:  # also true of NaN
        raise Poison(
            f"{column}: not a multiple of {unit}: correct the row in the legacy database, or "
            "give the contract's field more decimals, then replay"
        )
    return scaled


def clean_cents(value: int | None) -> Decimal | None:
    """Turn whole cents into an amount with two decimals."""
    return value * CENTS if value is not None else None


def clean_amount(text: str | None, column: str) -> Decimal | None:
    """Read an amount that is stored as text; blank and NULL are None, anything else is Poison."""
    if text is None or not text.strip(" "):
        return None
    if _AMOUNT.fullmatch(text) is None:
        raise Poison(
            f"{column}: not an amount (digits with a decimal point): correct the row in the legacy "
            "database, then replay"
        )
    return clean_number(Decimal(text.strip(" ")), CENTS, column)


def clean_moment(value: datetime | None) -> datetime | None:
    """Return a moment as aware UTC; the legacy system stores UTC without saying so."""
    if value is None or value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
