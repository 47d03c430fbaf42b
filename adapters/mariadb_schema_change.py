"""What a DDL statement did to tables, as Debezium tells it in the change log itself.

Enters: the `tableChanges` of a schema change record. Leaves: definitions of tables in the form that
the catalogue's reader gives them, so that the mirror can follow at this place of the log.
"""

from __future__ import annotations

import re

import msgspec

from adapters.errors import Poison
from legacy_db.definition import Column, Table
from legacy_db.mariadb.column_types import mirror_type

_ID = re.compile(r'"((?:[^"]|"")*)"\."((?:[^"]|"")*)"')
_ATTRIBUTES = re.compile(r"\s*(UNSIGNED|SIGNED|ZEROFILL)\b", re.IGNORECASE)
_WITHOUT_LENGTH = frozenset({"text", "blob", "json", "longtext", "mediumtext", "tinytext"})


class LoggedColumn(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A column as a schema change tells it; `type_name` is such as BIGINT UNSIGNED."""

    name: str
    type_name: str
    position: int
    length: int | None = None
    scale: int | None = None
    optional: bool | None = None
    enum_values: tuple[str, ...] | None = None
    default_value_expression: str | None = None
    generated: bool | None = None


class LoggedTable(msgspec.Struct, frozen=True, rename="camel"):
    """A table as it is after a schema change."""

    columns: tuple[LoggedColumn, ...]
    primary_key_column_names: tuple[str, ...] | None = None


class TableChange(msgspec.Struct, frozen=True):
    """One table of a statement: CREATE, ALTER or DROP; `id` is its quoted name."""

    type: str
    id: str
    table: LoggedTable | None = None


class ChangedTable(msgspec.Struct, frozen=True):
    """A table and what it is from here on; `definition` None: it is no more."""

    schema: str
    name: str
    definition: Table | None
    defaults: dict[str, str | None]


class SchemaChange(msgspec.Struct, frozen=True):
    """A DDL statement; `read` says that a snapshot wrote it, to say how its tables are."""

    ddl: str
    tables: tuple[ChangedTable, ...]
    read: bool


def make_schema_change(ddl: str, changes: list[TableChange], read: bool) -> SchemaChange:  # noqa: FBT001 - a field of what it makes
    """Make a schema change of what a record tells of its tables."""
    return SchemaChange(ddl, tuple(map(_make_table, changes)), read)


def _make_table(change: TableChange) -> ChangedTable:
    match = _ID.fullmatch(change.id)
    if match is None:
        raise Poison(f"a schema change of {change.id[:80]!r}, which is no table of a database")
    schema, name = (part.replace('""', '"') for part in match.groups())
    if change.type == "DROP" or change.table is None:
        return ChangedTable(schema, name, None, {})
    columns = sorted(change.table.columns, key=lambda one: one.position)
    return ChangedTable(
        schema,
        name,
        Table(
            schema,
            name,
            tuple(_make_column(column) for column in columns),
            tuple(change.table.primary_key_column_names or ()),
            numbered=False,
        ),
        {one.name: one.default_value_expression for one in columns},
    )


def _make_column(column: LoggedColumn) -> Column:
    native = native_type(column)
    return Column(
        column.name, mirror_type(native), column.optional is not False, column.position, native
    )


def native_type(column: LoggedColumn) -> str:
    """Write a column's type as the catalogue does, e.g. `bigint(20) unsigned`.

    Where the statement named no length, neither does this: the mirror's type is the same.
    """
    attributes = "".join(f" {one.lower()}" for one in _ATTRIBUTES.findall(column.type_name))
    base = _ATTRIBUTES.sub("", column.type_name).strip().lower()
    if column.enum_values:
        return f"{base}({','.join(map(_quote, column.enum_values))})"
    if column.length is None or base in _WITHOUT_LENGTH:
        return base + attributes
    size = f"{column.length}" if column.scale is None else f"{column.length},{column.scale}"
    return f"{base}({size}){attributes}"


def _quote(value: str) -> str:
    return value if value.startswith("'") else "'" + value.replace("'", "''") + "'"
