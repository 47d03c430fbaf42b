"""The mirror: one table per captured legacy table in the hub's schema `mirror`, column by column.

Enters: table definitions and net row images. Leaves: mirror tables that follow the definitions, and
typed rows loaded by key or by the aggregate that they belong to. Runs in the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from pipeline.translate.rows import TableCodec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import psycopg

    from adapters.aggregate import Key, Row
    from legacy_db.definition import Table

SCHEMA = "mirror"
_MARKS = ("_epoch", "_lsn", "_snapshot")
"""Added to the legacy columns: the position of a row's last change and the snapshot that saw it."""


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
        arrays: list[Any] = [[value[i] for value in values] for i in range(len(columns))]
        query = sql.SQL("select {select} from {table} t{join} order by {order}").format(
            select=sql.SQL(codec.select_list("t")),
            table=sql.Identifier(SCHEMA, table),
            join=_join_values(codec, columns),
            order=_identifiers(codec.table.key, "t"),
        )
        with self._connection.cursor() as cursor:
            cursor.execute(query, arrays)
            return [codec.make_row(values) for values in cursor]

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
            parameters += [[value[i] for value in values] for i in range(len(names))]
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
            "select distinct {columns} from {table} t{join}{condition} order by {columns} limit %s"
        ).format(
            columns=_identifiers(columns, "t"),
            table=sql.Identifier(SCHEMA, table),
            join=join,
            condition=condition,
        )
        with self._connection.cursor() as cursor:
            cursor.execute(query, [*parameters, limit])
            return cursor.fetchall()

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
        query = sql.SQL("select distinct {} from {} where _snapshot <> %s").format(
            _identifiers(columns), sql.Identifier(SCHEMA, table)
        )
        with self._connection.cursor() as cursor:
            cursor.execute(query, (run,))
            return cursor.fetchall()

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
        columns = (*codec.columns, *_MARKS, "_deleted")
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
        columns = (*codec.columns, *_MARKS)
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

    def _execute(self, query: sql.Composed) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(query)


def ensure_mirror_table(
    connection: psycopg.Connection[Any], table: Table, indexes: Iterable[tuple[str, ...]]
) -> list[str]:
    """Create or alter a mirror table so that it has the definition's columns; return what was done.

    A dropped legacy column stays in the mirror and becomes nullable; `indexes` are the columns by
    which adapters look rows up, made unless the primary key begins with them.
    """
    present = _read_columns(connection, table.name)
    with connection.cursor() as cursor:
        if not present:
            cursor.execute(_create(table))
            done = [f"created {SCHEMA}.{table.name}"]
        else:
            done = []
            for statement, what in _alterations(table, present):
                cursor.execute(statement)
                done.append(what)
        for columns in indexes:
            if table.key[: len(columns)] != columns:
                cursor.execute(
                    sql.SQL("create index if not exists {} on {} ({})").format(
                        sql.Identifier(f"{table.name}_by_{'_'.join(columns)}"[:63]),
                        sql.Identifier(SCHEMA, table.name),
                        _identifiers(columns),
                    )
                )
    return done


def _create(table: Table) -> sql.Composed:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))
        for column in table.columns
    ]
    columns += [sql.SQL("{} bigint not null default 0").format(sql.Identifier(m)) for m in _MARKS]
    return sql.SQL("create table {} ({}, primary key ({}))").format(
        sql.Identifier(SCHEMA, table.name), sql.SQL(", ").join(columns), _identifiers(table.key)
    )


def _alterations(table: Table, present: dict[str, str]) -> list[tuple[sql.Composed, str]]:
    name = sql.Identifier(SCHEMA, table.name)
    wanted = {column.name: column.type for column in table.columns}
    done = []
    for column, type_ in wanted.items():
        what = f"{SCHEMA}.{table.name}.{column}"
        if column not in present:
            statement = sql.SQL("alter table {} add column {} {}").format(
                name,
                sql.Identifier(column),
                sql.SQL(type_),
            )
            done.append((statement, f"added {what} {type_}"))
        elif present[column] != type_:
            statement = sql.SQL("alter table {0} alter column {1} type {2} using {1}::{2}").format(
                name,
                sql.Identifier(column),
                sql.SQL(type_),
            )
            done.append((statement, f"changed {what} from {present[column]} to {type_}"))
    return done


def _read_columns(connection: psycopg.Connection[Any], table: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (f'{SCHEMA}."{table}"',),
        )
        return dict(cursor.fetchall())


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
    return sql.Identifier(f"stage_{table}"[:63])


def _identifiers(names: Iterable[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(name) if alias is None else sql.Identifier(alias, name) for name in names
    )


def _matches(left: str, right: str, columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name))
        for name in columns
    )
