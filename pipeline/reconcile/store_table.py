"""One projected table in one region's store, as the reconciliation reads it.

Enters: keys as texts. Leaves: counts, sums of hashes, hashes and canonical texts; rows leave the
store only for keys that differ. The keys seen so far are kept in a temporary table of the session,
which in the end tells the rows that nobody expects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from legacy_db.definition import Table
from legacy_db.key_range import type_sql
from legacy_db.row_hash import read_values, row_hash_sql
from pipeline.reconcile.canonical import key_text
from pipeline.reconcile.connections import Connection
from pipeline.reconcile.expectation import RowTexts, TableShape
from pipeline.reconcile.judgement import KeyText

STORE_SCHEMA = "public"


class StoreTable:
    """A projection's table; `parent_key` are the columns that hold the aggregate's key."""

    def __init__(
        self,
        connection: Connection,
        table: Table,
        shape: TableShape,
        parent_key: tuple[str, ...],
    ) -> None:
        self._connection = connection
        self._table = table
        self._shape = shape
        self._parent_key = parent_key
        self._relation = sql.Identifier(table.schema, table.name)
        self._hash = row_hash_sql(table, shape.columns)

    def sum_of(self, parents: Sequence[KeyText]) -> tuple[int, int]:
        """Return the number of rows of the aggregates with these keys, and the sum of hashes."""
        if not parents:
            return 0, 0
        statement = sql.SQL("select count(*), coalesce(sum({}), 0)::text from {} {}").format(
            self._hash, self._relation, self._join(self._parent_key)
        )
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            rows, total = cursor.execute(statement, _arrays(parents)).fetchall()[0]
        return rows, int(total)

    def hashes_of(self, parents: Sequence[KeyText]) -> dict[KeyText, int]:
        """Return the hash of each row of the aggregates with these keys."""
        if not parents:
            return {}
        statement = sql.SQL("select {}, {} from {} {}").format(
            self._key_texts(), self._hash, self._relation, self._join(self._parent_key)
        )
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(statement, _arrays(parents))
            return {row[:-1]: row[-1] for row in cursor}

    def texts_of(self, keys: Sequence[KeyText]) -> dict[KeyText, RowTexts]:
        """Return the canonical texts of the rows with these keys; absent ones are left out."""
        found = read_values(self._connection, self._table, keys, columns=self._shape.columns)
        return {tuple(map(key_text, key)): tuple(values.values()) for key, values in found.items()}

    def begin_expected(self) -> None:
        """Begin with no expected keys; only for the parent's table."""
        with self._connection.transaction():
            self._connection.execute(
                sql.SQL("drop table if exists {}").format(self._expected_name())
            )
            self._connection.execute(
                sql.SQL("create temp table {} as select {} from {} with no data").format(
                    self._expected_name(), _names(self._parent_key), self._relation
                )
            )

    def add_expected(self, parents: Iterable[KeyText]) -> None:
        """Remember that aggregates with these keys are expected, or at least accounted for."""
        statement = sql.SQL("copy {} from stdin").format(self._expected_name())
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for parent in parents:
                copy.write_row(parent)

    def end_expected(self) -> None:
        """Let the planner know how many keys are expected."""
        self._connection.execute(sql.SQL("analyze {}").format(self._expected_name()))

    def unexpected(self, parent_table: str, rows_max: int) -> Iterator[list[tuple[KeyText, int]]]:
        """Yield (key, hash) of the rows of aggregates that nobody expects, in batches."""
        statement = sql.SQL(
            "select {}, {} from {} where not exists (select from {} as expected where {})"
        ).format(
            self._key_texts(),
            self._hash,
            self._relation,
            _expected_name(parent_table),
            sql.SQL(" and ").join(
                sql.SQL("expected.{0} = {1}.{0}").format(sql.Identifier(name), self._relation)
                for name in self._parent_key
            ),
        )
        with (
            self._connection.transaction(),
            self._connection.cursor("isthmus_unexpected", row_factory=tuple_row) as cursor,
        ):
            cursor.execute(statement)
            while rows := cursor.fetchmany(rows_max):
                yield [(row[:-1], row[-1]) for row in rows]

    def end(self) -> None:
        """Drop the expected keys."""
        self._connection.execute(sql.SQL("drop table if exists {}").format(self._expected_name()))

    def _join(self, columns: Sequence[str]) -> sql.Composable:
        """Join the rows whose `columns` are among the keys given as one array per column."""
        names = [sql.Identifier(f"isthmus_key_{place}") for place in range(len(columns))]
        return sql.SQL("join unnest({}) as isthmus_key ({}) on {}").format(
            sql.SQL(", ").join(
                sql.SQL("%s::text[]::{}[]").format(type_sql(self._table.column(name).type))
                for name in columns
            ),
            sql.SQL(", ").join(names),
            sql.SQL(" and ").join(
                sql.SQL("{}.{} = {}").format(self._relation, sql.Identifier(column), name)
                for column, name in zip(columns, names, strict=True)
            ),
        )

    def _key_texts(self) -> sql.Composable:
        return sql.SQL(", ").join(self._key_text(name) for name in self._shape.key)

    def _key_text(self, name: str) -> sql.Composable:
        numeric = self._table.column(name).type.startswith("numeric")
        form = "trim_scale({}.{})::text" if numeric else "{}.{}::text"
        return sql.SQL(form).format(self._relation, sql.Identifier(name))

    def _expected_name(self) -> sql.Composable:
        return _expected_name(self._table.name)


def _expected_name(parent_table: str) -> sql.Composable:
    return sql.Identifier("pg_temp", f"isthmus_expected_{parent_table}"[:63])


def _names(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _arrays(keys: Sequence[KeyText]) -> list[list[Any]]:
    return [list(column) for column in zip(*keys, strict=True)]
