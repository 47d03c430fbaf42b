"""Reads a table in chunks of rows, in key order, with bounded memory.

Enters: a connection, a `Table` (its schema may be another's: `dataclasses.replace(table,
schema="mirror")`) and a range. Leaves: lists of row tuples. Each chunk is one short statement that
begins after the last key: nothing holds a snapshot for long, unless the caller's transaction does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import tuple_row

from legacy_db.key_range import EVERYTHING, KeyRange, read_key_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from legacy_db.definition import Table

ROWS_PER_CHUNK = 5_000


def read_chunks(
    connection: psycopg.Connection[Any],
    table: Table,
    *,
    columns: Sequence[str] = (),
    key_range: KeyRange = EVERYTHING,
    rows_max: int = ROWS_PER_CHUNK,
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of `key_range` in key order, at most `rows_max` at a time.

    A row holds `columns` (all of the table's when empty). Each chunk is seen as of its own
    moment; wrap the whole in a REPEATABLE READ transaction for one moment.
    Configuration for a keyless table: read that one with `read_unordered`.
    """
    key = read_key_sql(connection, table)
    width = len(columns or table.columns)
    after = key_range.after
    while True:
        condition, parameters = key.within(KeyRange(after, key_range.until))
        statement = sql.SQL("select {}, {} from {} where {} order by {} limit %s").format(
            _select_list(table, columns), key.selected, key.relation, condition, key.order
        )
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(statement, [*parameters, rows_max]).fetchall()
        if rows:
            yield [row[:width] for row in rows]
            after = rows[-1][width:]
        if len(rows) < rows_max:
            return


def read_unordered(
    connection: psycopg.Connection[Any],
    table: Table,
    *,
    columns: Sequence[str] = (),
    rows_max: int = ROWS_PER_CHUNK,
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield all rows of any table in no order by a server-side cursor in one transaction."""
    statement = sql.SQL("select {} from {}").format(
        _select_list(table, columns), sql.Identifier(table.schema, table.name)
    )
    with (
        connection.transaction(),
        connection.cursor("read_unordered", row_factory=tuple_row) as cursor,
    ):
        cursor.execute(statement)
        while rows := cursor.fetchmany(rows_max):
            yield rows


def _select_list(table: Table, columns: Sequence[str]) -> sql.Composable:
    names = columns or tuple(column.name for column in table.columns)
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)
