"""Which changes of a column's type keep every value: the copy may follow without a new snapshot.

Enters: two types as format_type() prints them. Leaves: yes or no. PostgreSQL rewrites a table
without telling any change; where the cast keeps values, the same cast keeps them in the mirror.
"""

from __future__ import annotations

import re

from legacy_db.supported_types import base_type

_WIDER: dict[str, tuple[str, ...]] = {
    "smallint": ("integer", "bigint", "numeric", "real", "double precision", "text"),
    "integer": ("bigint", "numeric", "double precision", "text"),
    "bigint": ("numeric", "text"),
    "numeric": ("text",),
    "real": ("double precision",),
    "character varying": ("text",),
    "character": ("text", "character varying"),
    "boolean": ("text",),
    "uuid": ("text",),
    "date": ("timestamp without time zone",),
    "cidr": ("inet",),
    "json": ("text",),
}
_FAMILIES = (
    frozenset({"smallint", "integer", "bigint"}),
    frozenset({"character varying", "character", "bpchar", "text"}),
    frozenset({"real", "double precision"}),
)
_LENGTH = re.compile(r"\((-?\d+)(?:,(-?\d+))?\)")
_UNBOUNDED = 2**31
_INTEGER_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}


def keeps_values(before: str, after: str) -> bool:
    """Say whether the cast from one type to the other keeps every value that a column can hold."""
    if before == after:
        return True
    old, new = base_type(before), base_type(after)
    if old != new and new not in _WIDER.get(old, ()):
        return False
    if new == "numeric":
        return _numeric_fits(old, before, after)
    if new in ("character varying", "character"):
        return _length(before) <= _length(after)
    if old == new and old.startswith("time"):
        return _precision(before) <= _precision(after)
    return old != new or old in ("interval", "bpchar")


def needs_calm(before: str, after: str) -> bool:
    """Say whether changes from before the ALTER must be read before it.

    Debezium takes the names, scales and lengths of types from the catalogue: a value that was
    written before fits them only while the type stays in its family and gets no narrower.
    """
    old, new = base_type(before), base_type(after)
    family = next((one for one in _FAMILIES if old in one), {old})
    return new not in family or not keeps_values(before, after)


def _numeric_fits(old: str, before: str, after: str) -> bool:
    bounds = _LENGTH.search(after)
    if bounds is None:
        return True
    precision, scale = int(bounds[1]), int(bounds[2] or 0)
    if old in _INTEGER_DIGITS:
        return scale >= 0 and precision - scale >= _INTEGER_DIGITS[old]
    held = _LENGTH.search(before)
    if held is None:
        return False
    old_precision, old_scale = int(held[1]), int(held[2] or 0)
    return scale >= old_scale and precision - scale >= old_precision - old_scale


def _length(type_: str) -> int:
    found = _LENGTH.search(type_)
    if found is None:
        return 1 if base_type(type_) == "character" else _UNBOUNDED
    return int(found[1])


def _precision(type_: str) -> int:
    found = _LENGTH.search(type_)
    return 6 if found is None else int(found[1])
