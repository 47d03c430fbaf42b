"""Floats as PostgreSQL prints them: the shortest decimal that reads back the same.

Enters: Python floats. Leaves: texts of `float8out`. A `real` is printed as the double that it is:
MariaDB has no text of a single-precision number that reads back the same.
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from fractions import Fraction

_EXPONENT_MIN, _DIGITS_FIXED = -4, 15
"""PostgreSQL prints an exponent below that power of ten, and from this one on."""
_DIGITS_MAX = 17
_REAL = struct.Struct(">f")


def double_text(value: float) -> str:
    """Print a float as `float8out` does."""
    value = float(value)
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    return _scaled_text("-" if value < 0 else "", _shortest(abs(value)))


def real_text(value: float) -> str:
    """Print the single-precision number next to `value` as a double."""
    (single,) = _REAL.unpack(_REAL.pack(value))
    return double_text(single)


def shortest_real(value: float) -> float:
    """Return the double with the fewest digits that is the same single-precision number."""
    for digits in range(6, 9):
        candidate = float(f"{value:.{digits}g}")
        if _REAL.pack(candidate) == _REAL.pack(value):
            return candidate
    return float(f"{value:.9g}")


def _shortest(size: float) -> Decimal:
    """Return the shortest decimal strictly nearer to `size` than to its neighbours.

    PostgreSQL does not take a decimal that lies in the very middle, as Python's repr does.
    """
    exact = Fraction(size)
    above = math.nextafter(size, math.inf)
    low = (exact + Fraction(math.nextafter(size, 0.0))) / 2
    high = exact + exact - low if math.isinf(above) else (exact + Fraction(above)) / 2
    # repr first: below a power of two, the nearest decimal of so many digits need not do
    texts = (repr(size), *(f"{size:.{digits}g}" for digits in range(1, _DIGITS_MAX)))
    for text in texts:
        if low < Fraction(text) < high:
            return Decimal(text)
    return Decimal(f"{size:.{_DIGITS_MAX}g}")


def _scaled_text(sign: str, number: Decimal) -> str:
    exponent = number.adjusted()
    if _EXPONENT_MIN <= exponent < _DIGITS_FIXED:
        plain = format(number, "f")
        return sign + (plain.rstrip("0").rstrip(".") if "." in plain else plain)
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
