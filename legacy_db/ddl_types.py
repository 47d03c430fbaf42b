"""The types that DDL statements name, as the mirror has them.

Enters: a type as sqlglot parses it. Leaves: the type as PostgreSQL's format_type() prints it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from legacy_db.engine_names import MARIADB_ENGINES
from legacy_db.mariadb.column_types import mirror_type

if TYPE_CHECKING:
    from sqlglot import exp

_NAMES = {
    "int": "integer",
    "int4": "integer",
    "serial": "integer",
    "int2": "smallint",
    "smallserial": "smallint",
    "int8": "bigint",
    "bigserial": "bigint",
    "decimal": "numeric",
    "varchar": "character varying",
    "char": "character",
    "bool": "boolean",
    "float": "double precision",
    "float8": "double precision",
    "float4": "real",
    "varbit": "bit varying",
    "money": "numeric",
    "xml": "text",
}
_ZONED = {"timestamptz": ("timestamp", "with"), "timetz": ("time", "with")}
_UNZONED = {"timestamp": ("timestamp", "without"), "time": ("time", "without")}
_TYPE = re.compile(r"(?P<name>[a-z][a-z0-9_ \".]*?) ?(?P<modifier>\([^)]*\))?(?P<array>(\[\])*)")


def column_type(type_: exp.Expression, engine: str) -> str:
    """Return the mirror's type for a column of this type."""
    if engine in MARIADB_ENGINES:
        return mirror_type(type_.sql("mysql").lower())
    text = type_.sql("postgres").lower()
    match = _TYPE.fullmatch(text)
    if match is None:
        return text
    name, modifier = match["name"], (match["modifier"] or "").replace(" ", "")
    array = "[]" if match["array"] else ""
    if name in _ZONED or name in _UNZONED:
        base, zone = _ZONED.get(name) or _UNZONED[name]
        return f"{base}{modifier} {zone} time zone{array}"
    return f"{_NAMES.get(name, name)}{modifier}{array}"
