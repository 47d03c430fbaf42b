"""Rows for the scripts' tables, with every type of value that the connector writes."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

LONG = "long text " * 400
OTHER_LONG = "another text " * 400
MOMENT = datetime(2026, 2, 2, 3, 4, 5, 678901)  # noqa: DTZ001 - a timestamp without time zone


def make_customer(identity: int, **values: Any) -> dict[str, Any]:
    """Make a row with every type of value."""
    return {
        "id": identity,
        "name": f"Zoë {identity}",
        "amount": Decimal("12.3"),
        "free": Decimal("1.5000"),
        "born": date(2026, 2, 2),
        "ymd": 20260202,
        "at": MOMENT,
        "atz": datetime(2026, 2, 2, 3, 4, 5, tzinfo=UTC),
        "flag": True,
        "note": 'a "short" \\ text\nof lines',
        "order": "o",
        "raw": b"\x00\xff",
        "j": '{"a": 1}',
        "u": uuid.UUID(int=identity),
        "t": time(3, 4, 5, 500000),
        **values,
    }


def make_solo(code: str, **values: Any) -> dict[str, Any]:
    """Make a row of the table without nulls."""
    return {
        "code": code,
        "small": 7,
        "price": Decimal("0.5"),
        "free": Decimal(100),
        "day": date(1999, 12, 31),
        "at": datetime(2026, 2, 2),  # noqa: DTZ001 - as above
        "t": time(0, 0),
        "flag": False,
        "raw": b"",
        "text": "text",
        "ratio": 0.1,
        "u": uuid.UUID(int=1),
        **values,
    }


def make_line(header: int, number: int, quantity: str = "1") -> dict[str, Any]:
    """Make a line."""
    return {"hdr": header, "no": number, "qty": Decimal(quantity)}
