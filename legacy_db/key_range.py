"""Ranges of a table's primary key, the same on every database that holds the table.

Enters: a `Table` and a connection. Leaves: `KeyRange`s and the SQL that orders, bounds and selects
by key. Text keys are ordered bytewise everywhere (COLLATE "C"): databases with different collations
agree on what lies between two keys, and so does Python's comparison of the key tuples.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import tuple_row

from legacy_db.errors import Configuration
from legacy_db.supported_types import stored_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from legacy_db.definition import Table

Key = tuple[Any, ...]
"""A key's values in key order; CHAR(n) without its padding."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The rows with `after` < key <= `until`; None is open."""

    after: Key | None = None
    until: Key | None = None


EVERYTHING = KeyRange()

_BYTEWISE = """
select a.attname
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
left join pg_collation l on l.oid = a.attcollation
join pg_database d on d.datname = current_database()
where n.nspname = %s and c.relname = %s and a.attnum > 0 and not a.attisdropped
  and (a.attcollation = 0
       or l.collname in ('C', 'POSIX', 'ucs_basic', 'pg_c_utf8')
       or (l.collname = 'default'
           and case coalesce(to_jsonb(d) ->> 'datlocprovider', 'c')
                 when 'b' then true
                 when 'c' then d.datcollate in ('C', 'POSIX')
               end))
"""
"""Columns whose own order is bytewise already: naming a collation would keep the index away.

The built-in provider (PostgreSQL 17 and newer) sorts by code point, which is bytewise in UTF-8.
"""


class KeySql:
    """The SQL of one table's key on one database; build it with `read_key_sql`."""

    def __init__(self, table: Table, bytewise: frozenset[str]) -> None:
        self._table = table
        self._bytewise = bytewise
        self._aliases = [sql.Identifier(f"key_{place}_") for place in range(len(table.key))]

    @property
    def relation(self) -> sql.Composable:
        """The table's qualified name."""
        return sql.Identifier(self._table.schema, self._table.name)

    @property
    def order(self) -> sql.Composable:
        """What to ORDER BY."""
        return sql.SQL(", ").join(self._operand(name) for name in self._table.key)

    @property
    def selected(self) -> sql.Composable:
        """The key's values as a select list; CHAR(n) comes unpadded.

        Each has a name of its own: ORDER BY prefers a selected column to the table's.
        """
        return sql.SQL(", ").join(
            sql.SQL("{} as {}").format(self._value(key), alias)
            for key, alias in zip(self._table.key, self._aliases, strict=True)
        )

    @property
    def aliases(self) -> sql.Composable:
        """The names of `selected`, for a query around it."""
        return sql.SQL(", ").join(self._aliases)

    def within(self, key_range: KeyRange) -> tuple[sql.Composable, list[Any]]:
        """Return the condition for the rows of `key_range` and its parameters."""
        conditions: list[sql.Composable] = []
        parameters: list[Any] = []
        for bound, operator in ((key_range.after, ">"), (key_range.until, "<=")):
            if bound is None:
                continue
            conditions.append(
                sql.SQL("({}) {} ({})").format(self.order, sql.SQL(operator), self._placeholders())
            )
            parameters.extend(bound)
        if not conditions:
            return sql.SQL("true"), []
        return sql.SQL(" and ").join(conditions), parameters

    def among(self, keys: Sequence[Key]) -> tuple[sql.Composable, list[Any]]:
        """Return the condition for the rows with one of `keys` and its parameters."""
        names = sql.SQL(", ").join(value_sql(self._table, name) for name in self._table.key)
        row = sql.SQL("({})").format(self._placeholders())
        condition = sql.SQL("({}) in ({})").format(names, sql.SQL(", ").join([row] * len(keys)))
        return condition, [value for key in keys for value in key]

    def _operand(self, name: str) -> sql.Composable:
        value = value_sql(self._table, name)
        if name in self._bytewise and not self._is_text_of_another_type(name):
            return value
        return sql.SQL('{} collate "C"').format(value)

    def _is_text_of_another_type(self, name: str) -> bool:
        """Say whether a column is text to us alone (an enum): its own order is another."""
        column = self._table.column(name)
        return column.native is not None and column.type == "text"

    def _value(self, name: str) -> sql.Composable:
        if self._table.column(name).type.startswith("character("):
            return sql.SQL("{}::text").format(sql.Identifier(name))
        return value_sql(self._table, name)

    def _placeholders(self) -> sql.Composable:
        return sql.SQL(", ").join(
            sql.SQL("%s::{}").format(type_sql(self._table.column(name).type))
            for name in self._table.key
        )


def value_sql(table: Table, name: str) -> sql.Composable:
    """Return a column's value in the mirror's type: the same expression fits both databases."""
    column = table.column(name)
    if column.native is None:
        return sql.Identifier(name)
    return sql.SQL("{}::{}").format(sql.Identifier(name), type_sql(stored_type(column.type)))


def type_sql(type_: str) -> sql.SQL:
    """Return a type's name, as the catalogue's format_type() gave it, as SQL."""
    return sql.SQL(type_)


def read_key_sql(connection: psycopg.Connection[Any], table: Table) -> KeySql:
    """Read how `table`'s key is ordered on this database; Configuration for a keyless table."""
    if not table.key:
        raise Configuration(
            f"{table.schema}.{table.name} has no primary key: it can't be read or compared by "
            "ranges of it; read it as a whole, or give it a key"
        )
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_BYTEWISE, (table.schema, table.name))
        return KeySql(table, frozenset(name for (name,) in cursor.fetchall()))


def split_key_ranges(
    connection: psycopg.Connection[Any], table: Table, rows_max: int
) -> list[KeyRange]:
    """Split `table` into adjoining ranges of `rows_max` rows; the first and last are open.

    Every key that any database may hold lies in exactly one range. A keyless table is one range.
    """
    if not table.key:
        return [EVERYTHING]
    key = read_key_sql(connection, table)
    statement = sql.SQL(
        "select {names} from (select {selected}, row_number() over (order by {order}) as row_no_"
        " from {relation}) as numbered where row_no_ %% {rows_max} = 0 order by row_no_"
    ).format(
        names=key.aliases,
        selected=key.selected,
        order=key.order,
        relation=key.relation,
        rows_max=sql.Literal(rows_max),
    )
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(statement, ())
        bounds: list[Key | None] = [None, *cursor.fetchall(), None]
    return [KeyRange(after, until) for after, until in pairwise(bounds)]
