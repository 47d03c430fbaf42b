"""What a MariaDB table looks like, read from information_schema; see legacy_db.definition.

Enters: a connection and names. Leaves: `Table`s whose columns have the mirror's types, and their
own as `native`; the database's name is the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_db.definition import Column, Table, apply_keys, refuse_absent
from legacy_db.mariadb.column_types import mirror_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from legacy_db.mariadb.connection import MariaDBConnection

_TABLES = """
select table_name from information_schema.tables
where table_schema = %s and table_type = 'BASE TABLE' order by table_name
"""
_COLUMNS = """
select c.table_name, c.column_name, c.column_type, c.is_nullable = 'YES', c.ordinal_position
from information_schema.columns c
join information_schema.tables t using (table_schema, table_name)
where c.table_schema = %s and c.table_name in ({names}) and t.table_type = 'BASE TABLE'
order by c.table_name, c.ordinal_position
"""
_KEYS = """
select table_name, column_name from information_schema.statistics
where table_schema = %s and table_name in ({names}) and index_name = 'PRIMARY'
order by table_name, seq_in_index
"""
_SIZES = """
select table_name, coalesce(table_rows, 0), coalesce(data_length + index_length, 0)
from information_schema.tables where table_schema = %s and table_name in ({names})
"""


def list_tables(connection: MariaDBConnection, schema: str) -> list[str]:
    """List the tables of database `schema` by name."""
    return [name for (name,) in connection.fetch(_TABLES, (schema,))]


def read_tables(
    connection: MariaDBConnection,
    schema: str,
    names: Iterable[str],
    declared_keys: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Table]:
    """Read the definitions of `names` in `schema`; see legacy_db.definition.read_tables."""
    wanted = sorted(set(names))
    columns: dict[str, list[Column]] = {name: [] for name in wanted}
    keys: dict[str, list[str]] = {name: [] for name in wanted}
    rows = connection.fetch(_for_names(_COLUMNS, wanted), (schema, *wanted)) if wanted else []
    for table, name, native, nullable, number in rows:
        column = Column(name, mirror_type(native), bool(nullable), int(number), native)
        columns.setdefault(table, []).append(column)
    refuse_absent(schema, [name for name in wanted if not columns[name]])
    rows = connection.fetch(_for_names(_KEYS, wanted), (schema, *wanted)) if wanted else []
    for table, name in rows:
        keys.setdefault(table, []).append(name)
    tables = {
        name: Table(schema, name, tuple(columns[name]), tuple(keys[name]), numbered=False)
        for name in wanted
    }
    return apply_keys(tables, declared_keys or {})


def read_sizes(
    connection: MariaDBConnection, schema: str, names: Iterable[str]
) -> dict[str, tuple[int, int]]:
    """Read about how many rows and bytes tables have, by their names."""
    wanted = sorted(set(names))
    rows = connection.fetch(_for_names(_SIZES, wanted), (schema, *wanted)) if wanted else []
    return {name: (int(count), int(size)) for name, count, size in rows}


def _for_names(statement: str, names: list[str]) -> str:
    return statement.format(names=", ".join(["%s"] * len(names)))
