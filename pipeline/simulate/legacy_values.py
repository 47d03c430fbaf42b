"""Makes values what PostgreSQL would store of them: numerics of their scale, padded characters.

Enters: a table's definition. Leaves: for each column that needs one, a function from a value that
an application writes to the value that it reads back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from legacy_db.definition import Table

_NUMERIC = re.compile(r"numeric\(\d+,(\d+)\)")
_CHARACTER = re.compile(r"character\((\d+)\)")


def make_coercions(table: Table) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Make (column, function) for the columns whose values are not stored as they are given."""
    found: list[tuple[str, Callable[[Any], Any]]] = []
    for column in table.columns:
        if match := _NUMERIC.fullmatch(column.type):
            found.append((column.name, _make_rounding(int(match.group(1)))))
        elif column.type == "numeric":
            found.append((column.name, Decimal))
        elif match := _CHARACTER.fullmatch(column.type):
            found.append((column.name, _make_padding(int(match.group(1)))))
    return tuple(found)


def _make_rounding(scale: int) -> Callable[[Any], Decimal]:
    unit = Decimal(1).scaleb(-scale)
    return lambda value: Decimal(value).quantize(unit, rounding=ROUND_HALF_UP)


def _make_padding(length: int) -> Callable[[str], str]:
    return lambda value: value.ljust(length)
