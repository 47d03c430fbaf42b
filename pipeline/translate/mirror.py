"""The mirror: one table per captured legacy table in the hub's schema `mirror`, column by column.

Enters: table definitions and net row images. Leaves: mirror tables that follow the definitions, and
typed rows loaded by key or by the aggregate that they belong to. Runs in the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.types.datetime import DateLoader, TimestamptzLoader

from pipeline.translate.mirror_table import MARKS, SCHEMA, short_name
from pipeline.translate.row_types import load_expression
from pipeline.translate.row_values import OutlyingMoment
from pipeline.translate.rows import TableCodec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from adapters.aggregate import Key, Row


class _DateLoader(DateLoader):
    """Gives a date that Python can't hold as PostgreSQL's text."""

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return OutlyingMoment(bytes(data).decode())


class _TimestamptzLoader(TimestamptzLoader):
    """Gives a moment that Python can't hold as PostgreSQL's text."""

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return OutlyingMoment(bytes(data).decode())


class Mirror:
    """The mirror tables of one module, through one connection to the hub."""

    def __init__(
        self, connection: psycopg.Connection[Any], codecs: Mapping[str, TableCodec]
    ) -> None:
        self._connection = connection
        self.codecs = dict(codecs)
        self._staged: set[str] = set()

    def load_by_key(self, table: str, keys: Collection[Key]) -> dict[Key, Row]:
        """Load the rows with these primary keys."""
        codec = self.codecs[table]
        return {codec.key_of(row): row for row in self.load(table, codec.table.key, keys)}

    def load(self, table: str, columns: tuple[str, ...], values: Collection[Key]) -> list[Row]:
        """Load the rows whose `columns` hold one of `values`, in key order."""
        if not values:
            return []
        codec = self.codecs[table]
        arrays = _make_arrays(values, len(columns))
        query = sql.SQL("select {select} from {table} t{join} order by {order}").format(
            select=sql.SQL(codec.select_list("t")),
            table=sql.Identifier(SCHEMA, table),
            join=_join_values(codec, columns),
            order=_identifiers(codec.table.key, "t"),
        )
        return [codec.make_row(values) for values in self._fetch(query, arrays)]

    def page_keys(
        self,
        table: str,
        columns: tuple[str, ...],
        after: Key | None,
        limit: int,
        *,
        where: tuple[tuple[str, ...], Collection[Key]] | None = None,
    ) -> list[Key]:
        """Return the next distinct values of `columns`, in order, after `after`.

        With `where`, (other columns, their values), only of rows that hold one of these values.
        """
        codec = self.codecs[table]
        parameters: list[Any] = []
        join: sql.Composable = sql.SQL("")
        if where is not None:
            names, values = where
            join = _join_values(codec, names)
            parameters += _make_arrays(values, len(names))
        condition: sql.Composable = sql.SQL("")
        if after is not None:
            condition = sql.SQL(" where ({}) > ({})").format(
                _identifiers(columns, "t"),
                sql.SQL(", ").join(
                    sql.SQL("%s::{}").format(sql.SQL(codec.table.column(name).type))
                    for name in columns
                ),
            )
            parameters += list(after)
        query = sql.SQL(
            "select {loaded} from (select distinct {columns} from {table} t{join}{condition}"
            " order by {columns} limit %s) t order by {columns}"
        ).format(
            loaded=_loaded(codec, columns),
            columns=_identifiers(columns, "t"),
            table=sql.Identifier(SCHEMA, table),
            join=join,
            condition=condition,
        )
        return self._fetch(query, [*parameters, limit])

    def merge(self, table: str, rows: Mapping[Key, Row | None], epoch: int, lsn: int) -> None:
        """Write the net images of a batch's transactions; None deletes the row of that key."""
        self._stage(table, rows, (epoch, lsn, 0))
        self._execute(self._upsert(table, guarded=False))
        if any(row is None for row in rows.values()):
            key = self.codecs[table].table.key
            self._execute(
                sql.SQL(
                    "delete from {table} t using {stage} s where s._deleted and {match}"
                ).format(
                    table=sql.Identifier(SCHEMA, table),
                    stage=_stage_name(table),
                    match=_matches("t", "s", key),
                )
            )
        self._clear_stage(table)

    def merge_snapshot(
        self, table: str, rows: Mapping[Key, Row], epoch: int, lsn: int, run: int
    ) -> None:
        """Land rows that a snapshot read at `lsn`: a row that changed later is not overwritten."""
        self._stage(table, rows, (epoch, lsn, run))
        self._execute(self._upsert(table, guarded=True))
        self._clear_stage(table)

    def truncate(self, table: str) -> None:
        """Remove all rows of a table."""
        self._execute(sql.SQL("delete from {}").format(sql.Identifier(SCHEMA, table)))

    def unseen_keys(self, table: str, columns: tuple[str, ...], run: int) -> list[Key]:
        """Return the distinct values of `columns` in rows that snapshot `run` did not see."""
        query = sql.SQL("select distinct {} from {} t where _snapshot <> %s").format(
            _loaded(self.codecs[table], columns), sql.Identifier(SCHEMA, table)
        )
        return self._fetch(query, [run])

    def count_unseen(self, table: str, run: int) -> int:
        """Count the rows that snapshot `run` did not see: those that `sweep` would delete."""
        query = sql.SQL("select count(*) from {} where _snapshot <> %s")
        with self._connection.cursor() as cursor:
            cursor.execute(query.format(sql.Identifier(SCHEMA, table)), (run,))
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def sweep(self, table: str, run: int) -> int:
        """Delete the rows that snapshot `run` did not see, and return how many they were."""
        query = sql.SQL("delete from {} where _snapshot <> %s")
        with self._connection.cursor() as cursor:
            cursor.execute(query.format(sql.Identifier(SCHEMA, table)), (run,))
            return cursor.rowcount

    def _stage(
        self, table: str, rows: Mapping[Key, Row | None], marks: tuple[int, int, int]
    ) -> None:
        codec = self.codecs[table]
        self._ensure_stage(table)
        columns = (*codec.columns, *MARKS, "_deleted")
        copy = sql.SQL("copy {} ({}) from stdin").format(_stage_name(table), _identifiers(columns))
        attributes = tuple(codec.attributes.values())
        blank: list[Any] = [None] * len(attributes)
        live, dead = (*marks, False), (*marks, True)
        with self._connection.cursor() as cursor, cursor.copy(copy) as stream:
            for key, row in rows.items():
                if row is None:
                    values = blank.copy()
                    for position, value in zip(codec.key_positions, key, strict=True):
                        values[position] = value
                    stream.write_row((*values, *dead))
                elif codec.has_moment_arrays:
                    held = (getattr(row, name) for name in attributes)
                    stream.write_row((*map(_writable, held), *live))
                else:
                    stream.write_row((*(getattr(row, name) for name in attributes), *live))

    def _ensure_stage(self, table: str) -> None:
        if table in self._staged:
            return
        # one of an earlier definition of the table may be left in this connection
        self._execute(sql.SQL("drop table if exists pg_temp.{}").format(_stage_name(table)))
        self._execute(
            sql.SQL(
                "create temp table {stage} on commit delete rows as "
                "select *, false as _deleted from {table} with no data"
            ).format(stage=_stage_name(table), table=sql.Identifier(SCHEMA, table))
        )
        self._staged.add(table)

    def _clear_stage(self, table: str) -> None:
        # several merges of one table may stand in one transaction
        self._execute(sql.SQL("truncate {}").format(_stage_name(table)))

    def forget_stages(self) -> None:
        """Forget the staging tables: the transaction that made them was rolled back."""
        self._staged.clear()

    def _upsert(self, table: str, *, guarded: bool) -> sql.Composed:
        codec = self.codecs[table]
        columns = (*codec.columns, *MARKS)
        updates = [name for name in columns if name not in codec.table.key]
        guard = sql.SQL(
            " where (t._epoch, t._lsn) <= (excluded._epoch, excluded._lsn)" if guarded else ""
        )
        return sql.SQL(
            "insert into {table} as t ({columns}) select {columns} from {stage} "
            "where not _deleted on conflict ({key}) do update set {updates}{guard}"
        ).format(
            table=sql.Identifier(SCHEMA, table),
            columns=_identifiers(columns),
            stage=_stage_name(table),
            key=_identifiers(codec.table.key),
            updates=sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in updates
            ),
            guard=guard,
        )

    def _fetch(self, query: sql.Composed, parameters: list[Any]) -> list[Any]:
        """Fetch rows, also those with dates and moments that Python can't hold."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters)
            try:
                return cursor.fetchall()
            except psycopg.DataError:
                cursor.adapters.register_loader("date", _DateLoader)
                cursor.adapters.register_loader("timestamptz", _TimestamptzLoader)
                cursor.execute(query, parameters)
                return cursor.fetchall()

    def _execute(self, query: sql.Composed) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(query)


def _make_arrays(values: Collection[Key], width: int) -> list[Any]:
    """Make one array parameter per column of keys."""
    return [_writable([value[i] for value in values]) for i in range(width)]


def _writable(value: Any) -> Any:
    """Make texts of a list that holds other values beside dates and moments as text."""
    if isinstance(value, list) and any(isinstance(one, OutlyingMoment) for one in value):
        return [None if one is None else str(one) for one in value]
    return value


def _loaded(codec: TableCodec, columns: tuple[str, ...]) -> sql.Composed:
    """Return the columns of `t` as a row has them: a key of them is equal to a row's."""
    return sql.SQL(", ").join(
        sql.SQL(load_expression(sql.Identifier("t", name).as_string(), codec.table.column(name)))
        for name in columns
    )


def _join_values(codec: TableCodec, columns: tuple[str, ...]) -> sql.Composed:
    """Join the table `t` with one array parameter per column."""
    return sql.SQL(" join unnest({arrays}) as k({names}) on {match}").format(
        arrays=sql.SQL(", ").join(
            sql.SQL("%s::{}[]").format(sql.SQL(codec.table.column(name).type)) for name in columns
        ),
        names=_identifiers(columns),
        match=_matches("t", "k", columns),
    )


def _stage_name(table: str) -> sql.Identifier:
    return sql.Identifier(short_name(f"stage_{table}"))


def _identifiers(names: Iterable[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(name) if alias is None else sql.Identifier(alias, name) for name in names
    )


def _matches(left: str, right: str, columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name))
        for name in columns
    )
