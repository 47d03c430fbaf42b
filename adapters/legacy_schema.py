"""The definition of a legacy table as an Avro schema: what the registry has of it.

Enters: a definition with its module and position. Leaves: a subject `<site>.<module>.<table>` and
the schema's text. It documents the source: compatibility is not asked, a legacy table changes as it
likes.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from legacy_db.supported_types import base_type

if TYPE_CHECKING:
    from legacy_db.definition import Column, Table

COMPATIBILITY = "NONE"
_TYPES: dict[str, Any] = {
    "smallint": "int",
    "integer": "int",
    "bigint": "long",
    "oid": "long",
    "real": "float",
    "double precision": "double",
    "boolean": "boolean",
    "bytea": "bytes",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp with time zone": {"type": "long", "logicalType": "timestamp-micros"},
    "timestamp without time zone": {"type": "long", "logicalType": "local-timestamp-micros"},
}


def name_subject(site: str, module: str, table: str) -> str:
    """Name the registry's subject of a legacy table."""
    return f"{site}.{module}.{table}"


def make_legacy_schema(site: str, module: str, table: Table, position: str) -> str:
    """Make the text of the schema; names that Avro does not know stand beside it as they are."""
    schema = {
        "type": "record",
        "name": _avro_name(table.name),
        "namespace": f"{_avro_name(site)}.{_avro_name(module)}",
        "doc": f"Legacy table {table.schema}.{table.name}",
        "isthmus.table": f"{table.schema}.{table.name}",
        "isthmus.position": position,
        "isthmus.key": list(table.key),
        "isthmus.generated": list(table.generated),
        "fields": _make_fields(table),
    }
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _make_fields(table: Table) -> list[dict[str, Any]]:
    taken: set[str] = set()
    fields = []
    for column in table.columns:
        name = _avro_name(column.name)
        while name in taken:
            name += "_"
        taken.add(name)
        type_ = _avro_type(column)
        fields.append(
            {
                "name": name,
                "type": ["null", type_] if column.nullable else type_,
                "isthmus.column": column.name,
                "isthmus.type": column.native or column.type,
                "isthmus.number": column.attnum,
            }
        )
    return fields


def _avro_type(column: Column) -> Any:
    base = base_type(column.type)
    if base.endswith("[]"):
        element = _TYPES.get(base.removesuffix("[]"), "string")
        return {"type": "array", "items": ["null", element]}
    return _TYPES.get(base, "string")


def _avro_name(name: str) -> str:
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{cleaned}" if not cleaned or cleaned[0].isdigit() else cleaned
