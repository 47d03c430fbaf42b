"""What a legacy column becomes: a field of the contract and a column of the regions' tables.

Enters: a legacy table's definition. Leaves: a `Field` per column, with the Avro type, the store's
type and the function that makes the one out of the row's value. What has no type of its own in
Avro, or none that every consumer reads, travels as text: the text that the mirror has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from adapters.errors import Poison
from legacy_db.definition import Column, Table
from legacy_db.supported_types import base_type

DELETED = "deleted"
"""The field of every state that says whether the aggregate is gone."""
PRECISION_MAX = 38
"""The digits of a decimal that every reader of Avro holds; wider numbers travel as text."""

Convert = Callable[[Any], Any]
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `avro` is its type, `store` the type of its column, without null or not null."""

    name: str
    column: str
    avro: Any
    store: str
    convert: Convert


def make_fields(table: Table) -> tuple[Field, ...]:
    """Make the fields of a table, in its columns' order."""
    names = name_fields([column.name for column in table.columns])
    fields = []
    for column in table.columns:
        avro, store, convert = _choose(column)
        fields.append(Field(names[column.name], column.name, avro, store, convert))
    return tuple(fields)


def name_fields(columns: list[str]) -> dict[str, str]:
    """Give every column a field's name that Avro accepts: its own, or one that is like it."""
    names: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"[^A-Za-z0-9_]", "_", column)
        name = f"c_{name}" if not name or name[0].isdigit() else name
        while name == DELETED or name in names.values() or (name != column and name in columns):
            name += "_"
        names[column] = name
    return names


def _choose(column: Column) -> tuple[Any, str, Convert]:
    base = base_type(column.type)
    numeric = _NUMERIC.fullmatch(column.type)
    if numeric is not None:
        precision, scale = map(int, numeric.groups())
        if scale <= precision <= PRECISION_MAX:
            decimal = {"type": "bytes", "logicalType": "decimal"}
            avro = {**decimal, "precision": precision, "scale": scale}
            return avro, f"numeric({precision},{scale})", _finite
    if base == "numeric":
        return "string", "text", decimal_text
    if base.endswith("[]"):
        return "string", "text", _json_text
    return _CHOICES.get(base, ("string", "text", str))


def decimal_text(value: Decimal) -> str:
    """Print a number without exponent and without zeros at its end: equal numbers are equal."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _same(value: Any) -> Any:
    return value


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise Poison("a number that is not finite has no decimal")
    return value


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=_element_text).decode()


def _element_text(value: Any) -> str:
    """Print an element whose class is one of the rows' own: a kind of date, or of text."""
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain_date(value: Any) -> date:
    if not isinstance(value, date):
        raise Poison("a date that Avro's date has no place for (an infinity, or too far away)")
    return date(value.year, value.month, value.day)


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise Poison("a moment that Avro has no place for (an infinity, or too far away)")
    return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _local_moment(value: Any) -> datetime:
    return _moment(value).replace(tzinfo=None)


_DATE = {"type": "int", "logicalType": "date"}
_MOMENT = {"type": "long", "logicalType": "timestamp-micros"}
_LOCAL = {"type": "long", "logicalType": "local-timestamp-micros"}
_CHOICES: dict[str, tuple[Any, str, Convert]] = {
    "smallint": ("int", "integer", _same),
    "integer": ("int", "integer", _same),
    "bigint": ("long", "bigint", _same),
    "oid": ("long", "bigint", _same),
    "boolean": ("boolean", "boolean", _same),
    "real": ("double", "real", _same),
    "double precision": ("double", "double precision", _same),
    "bytea": ("bytes", "bytea", _same),
    "date": (_DATE, "date", _plain_date),
    "timestamp with time zone": (_MOMENT, "timestamp with time zone", _moment),
    # whose clock it is nobody knows: it must not become a moment on the way
    "timestamp without time zone": (_LOCAL, "timestamp without time zone", _local_moment),
}
