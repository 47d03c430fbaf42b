"""What a legacy table looks like: its columns, types and key, read from the database's catalogue.

The mirror, the decoders and the reconciliation are all made from these values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from legacy_db.errors import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type` is what PostgreSQL's format_type() prints, e.g. `numeric(12,2)`.

    It is the type that the mirror has; `native` is the legacy database's own where that is another.
    """

    name: str
    type: str
    nullable: bool
    attnum: int
    native: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `key` holds the primary key's columns in key order, () for a keyless table."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


_COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull, a.attnum
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = any(%s) and c.relkind in ('r', 'p')
  and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attnum
"""

_KEYS = """
select c.relname, a.attname
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
where n.nspname = %s and c.relname = any(%s) and i.indisprimary
order by c.relname, k.place
"""


def read_tables(
    connection: psycopg.Connection,
    schema: str,
    names: Iterable[str],
    keys: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Table]:
    """Read the definitions of `names` in `schema`; Configuration names those that don't exist.

    `keys` are the declared keys of tables that have no primary key (see `apply_keys`).
    """
    wanted = sorted(set(names))
    columns: dict[str, list[Column]] = {}
    primary: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table, name, type_, nullable, attnum in cursor.execute(_COLUMNS, (schema, wanted)):
            columns.setdefault(table, []).append(Column(name, type_, nullable, attnum))
        for table, name in cursor.execute(_KEYS, (schema, wanted)):
            primary.setdefault(table, []).append(name)
    absent = [name for name in wanted if name not in columns]
    if absent:
        raise Configuration(
            f"no table {', '.join(f'{schema}.{name}' for name in absent)} in the legacy database: "
            "correct the declaration's tables, or grant the reader SELECT on them"
        )
    tables = {
        name: Table(schema, name, tuple(columns[name]), tuple(primary.get(name, ())))
        for name in wanted
    }
    return apply_keys(tables, keys or {})


def apply_keys(tables: Mapping[str, Table], keys: Mapping[str, Sequence[str]]) -> dict[str, Table]:
    """Give the tables without a primary key the declared one.

    Configuration says which key can't be one: of a table that has a primary key already, or with a
    column that is absent or may be null. That no two rows share it nobody promises but the
    declaration.
    """
    given = dict(tables)
    for name, key in keys.items():
        table = tables.get(name)
        if table is None:
            continue
        where = f"the declaration's keys: {table.schema}.{name}"
        if table.key:
            own = ", ".join(table.key)
            raise Configuration(f"{where} has a primary key ({own}): leave its declared key out")
        columns = {column.name: column for column in table.columns}
        for column in key:
            if column not in columns:
                raise Configuration(f"{where} has no column {column}: correct the declared key")
            if columns[column].nullable:
                raise Configuration(
                    f"{where}: column {column} may be null, so it can't be part of a key: choose "
                    "other columns, or set it not null"
                )
        given[name] = replace(table, key=tuple(key))
    return given
