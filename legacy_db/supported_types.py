"""Which column types of PostgreSQL come through, and which type each has in the mirror.

Enters: what the catalogue says of a column's type. Leaves: the mirror's type, or why there is none;
docs/types.md says type by type what is lost. A domain counts as what it is made of, and a type that
only the legacy database has (an enum, an extension's) gets the one that holds the same values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legacy_db.definition import Table

SUPPORTED = frozenset(
    {
        *("smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean"),
        *("text", "character varying", "character", "bpchar", "name", '"char"', "bytea"),
        *("date", "timestamp without time zone", "timestamp with time zone", "interval"),
        *("time without time zone", "time with time zone"),
        *("uuid", "json", "jsonb", "inet", "cidr", "macaddr", "macaddr8", "oid", "bit"),
        *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
        *("int4multirange", "int8multirange", "nummultirange"),
        *("datemultirange", "tsmultirange", "tstzmultirange"),
        *("tsvector", "tsquery", "pg_lsn"),
        *("point", "line", "circle", "lseg", "box", "path", "polygon"),
    }
)
"""Base types of the mirror's columns; arrays see below."""

ARRAYS_OF = frozenset(
    {
        *("smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean"),
        *("text", "character varying", "character", "uuid", "date", "oid"),
        *("timestamp without time zone", "timestamp with time zone"),
        *("inet", "cidr", "macaddr", "json", "jsonb", "bytea"),
        *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    }
)
"""Element types whose arrays Debezium writes element by element."""

_MARKED_ARRAYS = frozenset(
    {
        *("text", "character varying", "character", "json", "jsonb"),
        *("integer", "bigint", "uuid", "bytea"),
    }
)
"""Element types of the arrays that Debezium marks when a large value did not change."""

_REPLACED = {"money": "numeric", "xml": "text"}
"""What these are in the mirror: their own type would hang on the server's locale or its build."""
_OF_EXTENSIONS = {"citext": "text", "hstore": "jsonb", "ltree": "text"}
"""Types of extensions, which the hub's server need not have, by their bare names."""
_ROUNDED = frozenset(
    {
        *("numeric", "timestamp without time zone", "timestamp with time zone"),
        *("time without time zone", "time with time zone"),
    }
)
_MODIFIER = re.compile(r"\(.*?\)")
_LEAVE_OUT = "leave the column out of the capture (column.exclude.list), or the table"


@dataclass(frozen=True, slots=True)
class CatalogueType:
    """A type with its domains resolved: `text` is format_type(), `kind` pg_type.typtype.

    `name` is the bare name in pg_type and `builtin` whether it is PostgreSQL's own; of an array
    these are the element's. `dimensions` are those that an array was declared with.
    """

    text: str
    kind: str
    name: str
    builtin: bool
    is_array: bool = False
    dimensions: int = 1


@dataclass(frozen=True, slots=True)
class UnsupportedColumn:
    """A column that can't be mirrored, why, and what to do."""

    table: str
    column: str
    type: str
    reason: str
    advice: str = _LEAVE_OUT


def base_type(type_: str) -> str:
    """Strip length, precision and scale: `numeric(12,2)` is `numeric`, `bit(3)[]` is `bit[]`."""
    base = _MODIFIER.sub("", type_)
    return "interval" if base.startswith("interval") and not base.endswith("[]") else base


def mirror_type(found: CatalogueType) -> str:
    """Return the mirror's type for a column; the native one when that can't be mirrored."""
    if found.is_array and found.dimensions > 1:
        return found.text + "[]" * (found.dimensions - 1)
    if found.kind == "e":
        return "text[]" if found.is_array else "text"
    if found.builtin:
        if found.is_array:
            return found.text
        base = base_type(found.text)
        return base if base == "interval" else _REPLACED.get(base, found.text)
    replaced = _OF_EXTENSIONS.get(found.name) if found.kind == "b" else None
    if replaced is None or (found.is_array and found.name != "citext"):
        return found.text
    return f"{replaced}[]" if found.is_array else replaced


def stored_type(type_: str) -> str:
    """Return the type that the mirror stores a type in.

    Without precision where a value beyond it would be rounded silently: a legacy column that was
    widened while changes run is noticed later than its first value.
    """
    base = _MODIFIER.sub("", type_)
    return base if base.removesuffix("[]") in _ROUNDED else type_


def is_supported(type_: str) -> bool:
    """Say whether a column whose mirror has this type comes through."""
    base = base_type(type_)
    if base.endswith("[]"):
        return base.removesuffix("[]") in ARRAYS_OF
    return base in SUPPORTED


def find_unsupported(table: Table) -> list[UnsupportedColumn]:
    """Return the columns of a table that can't be mirrored, with the reason of each."""
    return [
        UnsupportedColumn(
            table.name, column.name, column.native or column.type, _reason(column.type)
        )
        for column in table.columns
        if not is_supported(column.type)
    ]


def find_hazards(table: Table) -> list[UnsupportedColumn]:
    """Return the columns whose large values get lost under the default replica identity."""
    return [
        UnsupportedColumn(
            table.name,
            column.name,
            column.native or column.type,
            "where a value of more than about 2 kB did not change, Debezium writes null: it marks "
            "no array of this type",
            f'alter table "{table.schema}"."{table.name}" replica identity full',
        )
        for column in table.columns
        if column.type.endswith("[]")
        and base_type(column.type).removesuffix("[]") not in _MARKED_ARRAYS
    ]


def _reason(type_: str) -> str:
    base = base_type(type_)
    if base.endswith("[][]"):
        return "arrays of more than one dimension arrive as nulls"
    if base == "bit varying":
        return "Debezium writes the value without its length: leading zeros would be lost"
    if base == "time without time zone[]":
        return "Debezium cuts its elements to milliseconds"
    if base.endswith("[]"):
        return "Debezium does not write arrays of this type element by element"
    return "Debezium writes no form of it from which the value can be read back"
