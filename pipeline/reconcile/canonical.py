"""The canonical text of values as adapters make them: what PostgreSQL prints for the stored value.

Enters: Python values and the store's column types. Leaves: texts, and the row hash that
legacy_db.row_hash computes inside a database for the same row; a test holds both equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from legacy_db.float_text import double_text, real_text
from pipeline.errors import Configuration

TextOf = Callable[[Any], str]

_MODIFIER = re.compile(r"\(.*?\)")
"""Length, precision and scale: `numeric(12,2)` is `numeric`."""


def decimal_text(value: Decimal | int) -> str:
    """Print a number without trailing zeros, as `trim_scale(numeric)::text` does."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def timestamp_text(value: datetime) -> str:
    """Print a moment as a `timestamp`; an aware one in UTC."""
    moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    return _without_trailing_zeros(moment.isoformat(sep=" "))


def timestamptz_text(value: datetime) -> str:
    """Print a moment as a `timestamptz` of a session in UTC; a naive one is UTC."""
    return f"{timestamp_text(value)}+00"


def time_text(value: time) -> str:
    """Print a time of day as a `time`."""
    return _without_trailing_zeros(value.isoformat())


def _without_trailing_zeros(text: str) -> str:
    return text.rstrip("0") if "." in text else text


def _bytes_text(value: bytes) -> str:
    return f"\\x{bytes(value).hex()}"


def _boolean_text(value: Any) -> str:
    return "true" if value else "false"


def _integer_text(value: Any) -> str:
    return str(value) if type(value) is int else decimal_text(Decimal(value))


def _date_text(value: Any) -> str:
    return str(value.isoformat())


def _padded_text(value: Any) -> str:
    return str(value).rstrip(" ")


_TEXTS: dict[str, TextOf] = {
    "smallint": _integer_text,
    "integer": _integer_text,
    "bigint": _integer_text,
    "numeric": decimal_text,
    "text": str,
    "character varying": str,
    "character": _padded_text,
    "boolean": _boolean_text,
    "date": _date_text,
    "timestamp without time zone": timestamp_text,
    "timestamp with time zone": timestamptz_text,
    "time without time zone": time_text,
    "uuid": str,
    "bytea": _bytes_text,
    "double precision": double_text,
    "real": real_text,
}


def text_for_type(type_: str, where: str) -> TextOf:
    """Return the function that prints a non-null value of a column of `type_` (format_type()).

    Configuration names the column (`where`) of a type that can't be compared.
    """
    name = _MODIFIER.sub("", type_)
    if name not in _TEXTS:
        raise Configuration(
            f"{where}: a column of type {type_} can't be compared with an event's field: "
            f"use one of {', '.join(sorted(_TEXTS))}"
        )
    return _TEXTS[name]


def row_texts(values: Sequence[Any], printers: Sequence[TextOf]) -> tuple[str | None, ...]:
    """Return the canonical texts of a row's values; None stays None."""
    return tuple(
        None if value is None else text_of(value)
        for value, text_of in zip(values, printers, strict=True)
    )


def key_text(value: Any) -> str:
    """Print one value of a key that a driver gave, so that the database reads it back the same."""
    if isinstance(value, bool):
        return _boolean_text(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bytes):
        return _bytes_text(value)
    if isinstance(value, datetime):
        return timestamptz_text(value) if value.tzinfo is not None else timestamp_text(value)
    return str(value)


_INTEGERS = frozenset({"smallint", "integer", "bigint"})


def key_document(names: Sequence[str], types: Sequence[str], key: Sequence[str]) -> dict[str, Any]:
    """Return a key as it stands in JSON: whole numbers as numbers, everything else as text."""
    return {
        name: int(text) if type_ in _INTEGERS else text
        for name, type_, text in zip(names, types, key, strict=False)
    }
