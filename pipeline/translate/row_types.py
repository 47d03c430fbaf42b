"""How the columns of a legacy table are read: the Python type of each, and the SQL that loads it.

Enters: a column's definition. Leaves: what msgspec decodes the log's value to, and the expression
that gives an equal value out of the mirror. The list of types is legacy_db's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from legacy_db.supported_types import base_type, find_unsupported
from pipeline.errors import Configuration
from pipeline.translate.row_values import (
    LegacyDate,
    LegacyHstore,
    LegacyInterval,
    LegacyOpaque,
    LegacyShape,
    LegacyTime,
    LegacyZonedTime,
    bits_type,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from legacy_db.definition import Column, Table

_LOADED: dict[str, type] = {
    "smallint": int,
    "integer": int,
    "bigint": int,
    "oid": int,
    "numeric": Decimal,
    "real": float,
    "double precision": float,
    "boolean": bool,
    "text": str,
    "character varying": str,
    "character": str,
    "bpchar": str,
    "date": LegacyDate,
    "timestamp with time zone": datetime,
    "bytea": bytes,
}
"""Types that psycopg gives as they are; all others come from the mirror as text."""

_AS_TEXT: dict[str, type] = {
    "time without time zone": LegacyTime,
    "time with time zone": LegacyZonedTime,
    "interval": LegacyInterval,
    **dict.fromkeys(("point", "line", "circle", "lseg", "box", "path", "polygon"), LegacyShape),
    **dict.fromkeys(
        ("int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange"),
        LegacyOpaque,
    ),
    **dict.fromkeys(("tstzmultirange", "tsquery", "pg_lsn"), LegacyOpaque),
}
_MOMENT = "timestamp without time zone"
_MARIADB_TIMESTAMP = re.compile(r"timestamp(\(\d\))?")
ZERO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def python_types(table: Table) -> list[Any]:
    """Return the types of a table's columns; Configuration names a column that has none."""
    for refused in find_unsupported(table):
        raise Configuration(
            f"{table.schema}.{table.name}.{refused.column} is of type {refused.type}, which can't "
            f"be mirrored: {refused.reason}; {refused.advice}"
        )
    return [_python_type(column) for column in table.columns]


def zero_moments(table: Table, attributes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the attributes of MariaDB's columns `TIMESTAMP NULL`.

    A change tells 0000-00-00 as 1970-01-01 there, which such a column never holds; a snapshot null.
    """
    return tuple(
        attributes[column.name]
        for column in table.columns
        if column.nullable and _MARIADB_TIMESTAMP.fullmatch(column.native or "")
    )


def load_expression(quoted: str, column: Column) -> str:
    """Return the SQL that loads a column for a row; `quoted` is its name there."""
    base = base_type(column.type)
    element = base.removesuffix("[]")
    if base == _MOMENT:
        return f"{quoted} at time zone 'UTC'"  # aware UTC, as the log has it
    if element == _MOMENT:
        return f"{quoted}::timestamptz[]"  # in a session whose time zone is UTC
    if element in _LOADED:
        return quoted
    if element != base:
        return f"{quoted}::text::text[]"  # by way of the array's own text, see inet
    # the cast of an inet shows the mask of a host, which neither the log nor an array does
    return f"abbrev({quoted})" if base == "inet" else f"{quoted}::text"


def element_type(array: Any) -> Any:
    """Return the type of an array's elements."""
    return next(one for one in get_args(get_args(array)[0]) if one is not type(None))


def _python_type(column: Column) -> Any:
    base = base_type(column.type)
    if base.endswith("[]"):
        return list[_element_type(base.removesuffix("[]")) | None]  # type: ignore[misc]
    if base == "bit":
        return bits_type(_length(column.type))
    if base == "jsonb" and (column.native or "").rpartition(".")[2] == "hstore":
        return LegacyHstore
    return _element_type(base)


def _element_type(base: str) -> Any:
    if base == _MOMENT:
        return datetime
    return _LOADED.get(base) or _AS_TEXT.get(base, str)


def _length(type_: str) -> int:
    return int(type_.partition("(")[2].rstrip(")") or 1)
