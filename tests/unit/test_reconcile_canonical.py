"""The canonical texts are what PostgreSQL prints (checked on a server in the integration tests)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from legacy_db.row_hash import hash_texts
from pipeline.errors import Configuration
from pipeline.reconcile.canonical import key_document, key_text, text_for_type

CASES: list[tuple[str, Any, str]] = [
    ("integer", -3, "-3"),
    ("bigint", Decimal("3.00"), "3"),
    ("numeric(12,2)", Decimal("1.50"), "1.5"),
    ("numeric", Decimal("-0.00"), "0"),
    ("numeric", Decimal("1E+3"), "1000"),
    ("numeric", Decimal("0." + "1" * 40), "0." + "1" * 40),
    ("text", "ä ", "ä "),
    ("character varying(5)", "", ""),
    ("character(5)", "ab   ", "ab"),
    ("boolean", True, "true"),
    ("date", date(2026, 2, 3), "2026-02-03"),
    (
        "timestamp(6) without time zone",
        datetime(2026, 1, 2, 3, 4, 5, 600_000),  # noqa: DTZ001 - the type has none
        "2026-01-02 03:04:05.6",
    ),
    ("timestamp with time zone", datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00"),
    (
        "timestamp with time zone",
        datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))),
        "2026-01-01 23:00:00+00",
    ),
    ("time without time zone", time(1, 2, 3, 40), "01:02:03.00004"),
    ("bytea", b"\x00\xff", "\\x00ff"),
    ("double precision", 1e15, "1e+15"),
    ("double precision", 123456789012345.0, "123456789012345"),
    ("double precision", 1.5e-7, "1.5e-07"),
    ("double precision", 0.0001, "0.0001"),
    ("double precision", 2.0**-24, "5.960464477539063e-08"),
    ("double precision", 3.459e21, "3.4590000000000003e+21"),
    ("double precision", float("inf"), "Infinity"),
    ("double precision", -0.0, "-0"),
    ("real", 0.1, "0.10000000149011612"),
]


@pytest.mark.parametrize(("type_", "value", "text"), CASES)
def test_value_is_printed_as_the_type_is(type_: str, value: Any, text: str) -> None:
    """A value of each type has the text that PostgreSQL prints for it."""
    assert text_for_type(type_, "t.c")(value) == text


def test_unknown_type_names_the_column() -> None:
    """A type that can't be compared is refused with the column's name."""
    with pytest.raises(Configuration, match=r"orders\.data"):
        text_for_type("jsonb", "orders.data")


def test_null_empty_and_dash_differ() -> None:
    """NULL, the empty text and a dash have different hashes, and columns do not run together."""
    rows = [(None, "a"), ("", "a"), ("-", "a"), ("a", None), ("1:a", ""), ("", "1:a")]
    assert len({hash_texts(row) for row in rows}) == len(rows)


def test_key_text_reads_back() -> None:
    """A key's values keep their padding and lose trailing zeros and time zones."""
    assert key_text("W1 ") == "W1 "
    assert key_text(Decimal("1.10")) == "1.1"
    assert key_text(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01 00:00:00+00"
    assert key_text(True) == "true"


def test_key_document_has_numbers_for_whole_numbers() -> None:
    """Whole numbers of a key are numbers in JSON; a parent's key of a child names its part."""
    names, types = ("order_id", "line"), ("bigint", "text")
    assert key_document(names, types, ("7", "x")) == {"order_id": 7, "line": "x"}
    assert key_document(names, types, ("7",)) == {"order_id": 7}
