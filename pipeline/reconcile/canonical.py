"""The canonical text of values as adapters make them: what PostgreSQL prints for the stored value.

Enters: Python values and the store's column types. Leaves: texts, and the row hash that
legacy_db.row_hash computes inside a database for the same row; a test holds both equal.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pipeline.errors import Configuration

TextOf = Callable[[Any], str]

_MODIFIER = re.compile(r"\(.*?\)")
"""Length, precision and scale: `numeric(12,2)` is `numeric`."""

_EXPONENT_MIN = -4
_DOUBLE_DIGITS, _REAL_DIGITS = 15, 6
"""PostgreSQL prints floats in scientific notation below that power of ten, and from these on."""
_DIGITS_MAX = 17
_REAL, _REAL_BITS = struct.Struct(">f"), struct.Struct(">I")


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


def double_text(value: float) -> str:
    """Print a float as `float8out` does: the shortest text that reads back the same."""
    value = float(value)
    if not math.isfinite(value) or value == 0:
        return _special_text(value)
    size = abs(value)
    shortest = _shortest(size, math.nextafter(size, 0.0), math.nextafter(size, math.inf))
    return _scaled_text(value < 0, shortest, _DOUBLE_DIGITS)


def real_text(value: float) -> str:
    """Print a float as `float4out` does."""
    (value,) = _REAL.unpack(_REAL.pack(value))
    if not math.isfinite(value) or value == 0:
        return _special_text(value)
    size = abs(value)
    (bits,) = _REAL_BITS.unpack(_REAL.pack(size))
    below, above = (_REAL.unpack(_REAL_BITS.pack(bits + step))[0] for step in (-1, 1))
    return _scaled_text(value < 0, _shortest(size, below, above), _REAL_DIGITS)


def _special_text(value: float) -> str:
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    names = {math.inf: "Infinity", -math.inf: "-Infinity"}
    return names.get(value, "NaN")


def _shortest(size: float, below: float, above: float) -> Decimal:
    """Return the shortest decimal strictly nearer to `size` than to its neighbours.

    PostgreSQL does not take a decimal that lies in the very middle, as Python's repr does.
    """
    exact = Fraction(size)
    low = (exact + Fraction(below)) / 2
    high = exact + exact - low if math.isinf(above) else (exact + Fraction(above)) / 2
    for digits in range(1, _DIGITS_MAX):
        text = f"{size:.{digits}g}"
        if low < Fraction(text) < high:
            return Decimal(text)
    return Decimal(f"{size:.{_DIGITS_MAX}g}")


def _scaled_text(negative: bool, number: Decimal, digits_max: int) -> str:  # noqa: FBT001 - a sign
    sign = "-" if negative else ""
    exponent = number.adjusted()
    if _EXPONENT_MIN <= exponent < digits_max:
        plain = format(number, "f")
        return sign + (plain.rstrip("0").rstrip(".") if "." in plain else plain)
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


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


def hash_row(texts: Sequence[str | None]) -> int:
    """Hash canonical texts to the signed 64 bits that legacy_db.row_hash gives for the row."""
    token = "".join(["-" if text is None else f"{len(text)}:{text}" for text in texts])
    digest = hashlib.md5(token.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


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
