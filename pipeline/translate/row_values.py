"""Values of legacy columns for which Python has no type of its own, and how the log writes them.

Enters: a value as Debezium writes it. Leaves: the text that PostgreSQL prints for it, in UTC and
with IntervalStyle `postgres`: equal values are equal, whether they came from the log or the mirror.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from legacy_db.float_text import double_text

INFINITY, MINUS_INFINITY = "infinity", "-infinity"
_YEAR_MAX_DATE, _YEAR_MAX_TIMESTAMP, _YEAR_MIN = 5_874_897, 294_276, -4_714
"""PostgreSQL's bounds; Debezium writes an infinity as a year far outside of them."""
_MINUS_INFINITY_OF_SNAPSHOTS = 292_269_055
"""The year that a snapshot writes for a date of minus infinity: without its sign."""
_INFINITE = {
    "POSITIVE_INFINITY": Decimal("Infinity"),
    "NEGATIVE_INFINITY": Decimal("-Infinity"),
}
_MOMENT = re.compile(r"(?P<year>[+-]?\d{4,})-(?P<rest>\d\d-\d\d)(?:T(?P<time>[\d:.]+))?Z?")
_LINE_STRING = 2
"""The type's number in well-known binary."""
_INTERVAL = re.compile(r"P(-?\d+)Y(-?\d+)M(-?\d+)DT(-?\d+)H(-?\d+)M(-?[\d.]+)S")


class LegacyDate(date):
    """A `date` column; Debezium writes it as `2026-02-02Z`, which is not ISO for a date alone."""


class LegacyTime(str):
    """A `time` column, as text without the zone mark that Debezium adds."""

    __slots__ = ()


class LegacyZonedTime(str):
    """A `timetz` column as text; Debezium tells it in UTC, the offset of its writer is lost."""

    __slots__ = ()


class LegacyInterval(str):
    """An `interval` column, as text."""

    __slots__ = ()


class LegacyOpaque(str):
    """A value whose type Debezium does not know: it writes PostgreSQL's own text, as bytes."""

    __slots__ = ()


class LegacyHstore(str):
    """An `hstore` column, as the text of a jsonb object."""

    __slots__ = ()


class LegacyShape(str):
    """A `point`, `line`, `circle`, `lseg`, `box`, `path` or `polygon` column, as text."""

    __slots__ = ()


class LegacyBits(str):
    """A `bit(n)` column, as its digits; the subclasses of `bits_type` know n."""

    __slots__ = ()
    width = 1


class OutlyingMoment(str):
    """A date or timestamp that Python can't hold, as PostgreSQL's text: infinity, BC, from 10000.

    It sorts with the dates and datetimes that Python can hold.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __lt__(self, other: object) -> bool:
        if isinstance(other, OutlyingMoment):
            return self._place() < other._place()
        if isinstance(other, date):
            return self._place()[0] < 0
        return NotImplemented

    def __gt__(self, other: object) -> bool:
        if isinstance(other, OutlyingMoment):
            return self._place() > other._place()
        if isinstance(other, date):
            return self._place()[0] > 0
        return NotImplemented

    def _place(self) -> tuple[int, int, str]:
        """Return what to sort by: the side of Python's years, the year, the rest."""
        if self in (INFINITY, MINUS_INFINITY):
            return (2 if self == INFINITY else -2, 0, "")
        year, _, rest = self.partition("-")
        before = rest.endswith(" BC")
        return (-1, -int(year), rest) if before else (1, int(year), rest)


@lru_cache(maxsize=1024)
def bits_type(width: int) -> type[LegacyBits]:
    """Return the type of a `bit(width)` column."""
    return type(f"LegacyBits{width}", (LegacyBits,), {"width": width, "__slots__": ()})


def decode_special(type_: type, value: Any) -> Any:
    """Decode a value of the types above; msgspec calls this where it knows none of its own."""
    decode = _DECODERS.get(type_)
    if decode is None and issubclass(type_, LegacyBits):
        return type_(_bits(value, type_.width))
    if decode is None:
        raise NotImplementedError(type_)
    return decode(value)


def encode_special(value: Any) -> str:
    """Encode a value of the types above for JSON; msgspec calls this for them."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(type(value))


def decode_outlier(type_: type, value: Any) -> Any:
    """Decode a value that the type itself can't hold, or that JSON writes as text; else ValueError.

    Infinities and years outside Python's come as text, NaN and the infinities of floats too.
    """
    if type_ is float and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if type_ is Decimal and value in _INFINITE:
        return _INFINITE[value]
    if type_ in (datetime, LegacyDate) and isinstance(value, str):
        return _outlying_moment(value, is_date=type_ is LegacyDate)
    raise ValueError("not a value of the column's type")


def canonical_text(value: float) -> str:
    """Write a number or a truth value as PostgreSQL casts it to text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return double_text(value) if isinstance(value, float) else str(value)


def _outlying_moment(value: str, *, is_date: bool) -> OutlyingMoment:
    if value in (INFINITY, MINUS_INFINITY) or ("-" in value and value.endswith((" BC", "+00"))):
        return OutlyingMoment(value)  # PostgreSQL's own text, as keys are kept
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise ValueError("not a date or a moment")
    year = int(match["year"])
    if is_date and year == _MINUS_INFINITY_OF_SNAPSHOTS:
        return OutlyingMoment(MINUS_INFINITY)
    if year > (_YEAR_MAX_DATE if is_date else _YEAR_MAX_TIMESTAMP):
        return OutlyingMoment(INFINITY)
    if year < _YEAR_MIN:
        return OutlyingMoment(MINUS_INFINITY)
    text = f"{year if year > 0 else 1 - year:04d}-{match['rest']}"
    if not is_date:
        time = match["time"] or "00:00:00"
        time = time if time.count(":") > 1 else f"{time}:00"
        text += f" {time.rstrip('0').rstrip('.') if '.' in time else time}+00"
    return OutlyingMoment(text if year > 0 else f"{text} BC")


def _date(value: Any) -> LegacyDate:
    return LegacyDate.fromisoformat(value.removesuffix("Z"))


def _time(value: Any) -> LegacyTime:
    return LegacyTime(_clock(value.removesuffix("Z")))


def _zoned_time(value: Any) -> LegacyZonedTime:
    return LegacyZonedTime(f"{_clock(value.removesuffix('Z').removesuffix('+00'))}+00")


def _clock(text: str) -> str:
    """Write a time of day as PostgreSQL does: with seconds, without trailing zeros behind them."""
    text = text if text.count(":") > 1 else f"{text}:00"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _interval(value: Any) -> LegacyInterval:
    match = _INTERVAL.fullmatch(value)
    if match is None:
        return LegacyInterval(value)
    years, months, days, hours, minutes = map(int, match.groups()[:5])
    micros = int((hours * 3600 + minutes * 60 + Decimal(match[6])) * 1_000_000)
    return LegacyInterval(interval_text(12 * years + months, days, micros))


def interval_text(months: int, days: int, micros: int) -> str:
    """Write an interval as PostgreSQL does under IntervalStyle `postgres`."""
    years, months = int(months / 12), months - 12 * int(months / 12)
    parts: list[str] = []
    negative = False
    for number, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if number:
            plus = "+" if negative and number > 0 else ""
            parts.append(f"{plus}{number} {unit}{'' if number == 1 else 's'}")
            negative = number < 0
    if micros or not parts:
        sign = "-" if micros < 0 else "+" if negative else ""
        seconds, fraction = divmod(abs(micros), 1_000_000)
        minutes, seconds = divmod(seconds, 60)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
        parts.append(sign + clock + (f".{fraction:06d}".rstrip("0") if fraction else ""))
    return " ".join(parts)


def _opaque(value: Any) -> LegacyOpaque:
    try:
        return LegacyOpaque(base64.b64decode(value, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise ValueError("not a text in base64") from error


def _hstore(value: Any) -> LegacyHstore:
    pairs = json.loads(value)
    ordered = sorted(pairs.items(), key=lambda one: (len(one[0].encode()), one[0].encode()))
    return LegacyHstore(json.dumps(dict(ordered), ensure_ascii=False))


def _shape(value: Any) -> LegacyShape:
    if isinstance(value, str):
        return LegacyShape(value)
    if "extensions" in value:
        return LegacyShape(_write_shape(value["extensions"], _read_points(value["wkb"])))
    if {"x", "y"} <= value.keys():
        return LegacyShape(f"({_number(value['x'])},{_number(value['y'])})")
    if "radius" in value:
        center, radius = value["center"], _number(value["radius"])
        return LegacyShape(f"<({_number(center['x'])},{_number(center['y'])}),{radius}>")
    return LegacyShape("{" + ",".join(_number(value[name]) for name in ("a", "b", "c")) + "}")


def _read_points(wkb: str) -> list[str]:
    """Read the points of a line string or of a polygon's one ring, as PostgreSQL prints them."""
    data = base64.b64decode(wkb, validate=True)
    (kind,) = struct.unpack_from("<I", data, 1)
    start = 5 if kind == _LINE_STRING else 9  # a polygon tells its number of rings before
    (count,) = struct.unpack_from("<I", data, start)
    numbers = struct.unpack_from(f"<{2 * count}d", data, start + 4)
    return [
        f"({_number(x)},{_number(y)})" for x, y in zip(numbers[::2], numbers[1::2], strict=True)
    ]


def _write_shape(extensions: Any, points: list[str]) -> str:
    kind = extensions["type"]
    if kind == "box":
        return f"{points[0]},{points[2]}"
    if kind == "polygon":
        return f"({','.join(points[:-1] if len(points) > 1 else points)})"
    is_open = kind == "lseg" or extensions.get("closed") == "false"
    return f"[{','.join(points)}]" if is_open else f"({','.join(points)})"


def _number(value: Any) -> str:
    return double_text(float(value))


def _bits(value: Any, width: int) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if width and re.fullmatch(f"[01]{{{width}}}", value):  # as keys are kept
        return str(value)
    number = int.from_bytes(base64.b64decode(value, validate=True), "little")
    if number.bit_length() > width:
        raise ValueError("more bits than the column has")
    return f"{number:0{width}b}"


_DECODERS: dict[type, Any] = {
    LegacyDate: _date,
    LegacyTime: _time,
    LegacyZonedTime: _zoned_time,
    LegacyInterval: _interval,
    LegacyOpaque: _opaque,
    LegacyHstore: _hstore,
    LegacyShape: _shape,
}
