"""Hashes rows and chunks of rows inside PostgreSQL: two databases compare without moving rows.

Enters: a connection, a `Table` (`dataclasses.replace(table, schema="mirror")` for another copy),
key ranges. Leaves: a `ChunkHash` per range, then the hash per key, per column, and the values. A
row's hash is 64 bits of md5 over a text that is unambiguous and the same on every server; a chunk's
is the sum of its rows' hashes, in no order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import tuple_row

from legacy_db.key_range import EVERYTHING, Key, KeyRange, read_key_sql, value_sql
from legacy_db.supported_types import base_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

    from legacy_db.definition import Table
    from legacy_db.key_range import KeySql

KEYS_PER_STATEMENT = 500
ROWS_PER_FETCH = 5_000

_OUTPUT_FORMATS = (
    "select set_config('DateStyle', 'ISO, YMD', false), set_config('TimeZone', 'UTC', false),"
    " set_config('IntervalStyle', 'postgres', false), set_config('extra_float_digits', '1', false),"
    " set_config('bytea_output', 'hex', false)"
)
"""What a value's text depends on; set for the session, because statements of one chunk follow."""


@dataclass(frozen=True, slots=True)
class ChunkHash:
    """A range with its number of rows and the sum of their hashes (exact, may exceed 64 bits)."""

    key_range: KeyRange
    rows: int
    hash: int


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One key that differs: `left` or `right` is None where the row is not there."""

    key: Key
    left: int | None
    right: int | None


def row_text_sql(table: Table, columns: Sequence[str] = ()) -> sql.Composable:
    """Build the expression for a row's canonical text over `columns` (all when empty), in order.

    Each value is `<characters>:<text>` and NULL is `-`: ('a', 'bc') differs from ('ab', 'c'), NULL
    from '' and from '-'. Numerics drop trailing zeros, CHAR(n) its padding and timetz its zone:
    equal values, equal text. What only one server has a type for is cast to the mirror's type.
    """
    names = columns or tuple(column.name for column in table.columns)
    return sql.SQL(" || ").join(_token(_text(table, name)) for name in names)


def row_hash_sql(table: Table, columns: Sequence[str] = ()) -> sql.Composable:
    """Build the expression for a row's 64-bit hash (a bigint) over `columns` (all when empty)."""
    return _hash(row_text_sql(table, columns))


def hash_texts(texts: Iterable[str | None]) -> int:
    """Hash a row's canonical texts to the signed 64 bits that `row_hash_sql` gives for the row."""
    token = "".join(["-" if text is None else f"{len(text)}:{text}" for text in texts])
    digest = hashlib.md5(token.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def chunk_hashes(
    connection: psycopg.Connection[Any],
    table: Table,
    key_ranges: Iterable[KeyRange],
    *,
    columns: Sequence[str] = (),
) -> Iterator[ChunkHash]:
    """Yield the hash of each range, one statement per range; `split_key_ranges` makes the ranges.

    Give both databases the same ranges and columns. For one moment over all ranges, wrap it in a
    REPEATABLE READ transaction. A keyless table is hashed as a whole, whatever the range.
    """
    _set_output_formats(connection)
    key = read_key_sql(connection, table) if table.key else None
    for key_range in key_ranges:
        condition, parameters = _within(key, key_range)
        statement = sql.SQL("select count(*), coalesce(sum({}), 0)::text from {} where {}").format(
            row_hash_sql(table, columns), sql.Identifier(table.schema, table.name), condition
        )
        with connection.cursor(row_factory=tuple_row) as cursor:
            for rows, total in cursor.execute(statement, parameters):
                yield ChunkHash(key_range, rows, int(total))


def row_hashes(
    connection: psycopg.Connection[Any],
    table: Table,
    key_range: KeyRange = EVERYTHING,
    *,
    columns: Sequence[str] = (),
) -> Iterator[tuple[Key, int]]:
    """Yield (key, hash) of each row of `key_range` in key order, with bounded memory."""
    _set_output_formats(connection)
    key = read_key_sql(connection, table)
    width = len(table.key)
    after = key_range.after
    while True:
        condition, parameters = key.within(KeyRange(after, key_range.until))
        statement = sql.SQL("select {}, {} from {} where {} order by {} limit %s").format(
            key.selected, row_hash_sql(table, columns), key.relation, condition, key.order
        )
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(statement, [*parameters, ROWS_PER_FETCH]).fetchall()
        for row in rows:
            yield row[:width], row[width]
        if len(rows) < ROWS_PER_FETCH:
            return
        after = rows[-1][:width]


def compare_rows(
    left: Iterable[tuple[Key, int]], right: Iterable[tuple[Key, int]]
) -> Iterator[RowDifference]:
    """Merge two streams of `row_hashes` and yield the keys that differ, in key order."""
    lefts, rights = iter(left), iter(right)
    a, b = next(lefts, None), next(rights, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a[0] < b[0]):
            assert a is not None  # noqa: S101 - for the type checker: the loop's condition says so
            yield RowDifference(a[0], a[1], None)
            a = next(lefts, None)
        elif a is None or b[0] < a[0]:
            yield RowDifference(b[0], None, b[1])
            b = next(rights, None)
        else:
            if a[1] != b[1]:
                yield RowDifference(a[0], a[1], b[1])
            a, b = next(lefts, None), next(rights, None)


def column_hashes(
    connection: psycopg.Connection[Any],
    table: Table,
    keys: Iterable[Key],
    *,
    columns: Sequence[str] = (),
) -> dict[Key, dict[str, int]]:
    """Read the hash of each column of the rows with `keys`: those that differ between copies show.

    Large values stay on their server. A key that is not there is not in the answer.
    """
    names = columns or tuple(column.name for column in table.columns)
    selected = [_hash(_token(_text(table, name))) for name in names]
    return dict(_read_by_keys(connection, table, keys, names, selected))


def read_values(
    connection: psycopg.Connection[Any],
    table: Table,
    keys: Iterable[Key],
    *,
    columns: Sequence[str] = (),
) -> dict[Key, dict[str, str | None]]:
    """Read the canonical texts of `columns` (all when empty) of the rows with `keys`; None is NULL.

    The memory is that of the values: ask for the columns that differ.
    """
    names = columns or tuple(column.name for column in table.columns)
    selected = [_text(table, name) for name in names]
    return dict(_read_by_keys(connection, table, keys, names, selected))


def _read_by_keys(
    connection: psycopg.Connection[Any],
    table: Table,
    keys: Iterable[Key],
    names: Sequence[str],
    selected: Sequence[sql.Composable],
) -> Iterator[tuple[Key, dict[str, Any]]]:
    _set_output_formats(connection)
    key = read_key_sql(connection, table)
    wanted = list(keys)
    width = len(table.key)
    for start in range(0, len(wanted), KEYS_PER_STATEMENT):
        condition, parameters = key.among(wanted[start : start + KEYS_PER_STATEMENT])
        statement = sql.SQL("select {}, {} from {} where {}").format(
            key.selected, sql.SQL(", ").join(selected), key.relation, condition
        )
        with connection.cursor(row_factory=tuple_row) as cursor:
            for row in cursor.execute(statement, parameters):
                yield row[:width], dict(zip(names, row[width:], strict=True))


def _within(key: KeySql | None, key_range: KeyRange) -> tuple[sql.Composable, list[Any]]:
    return key.within(key_range) if key else (sql.SQL("true"), [])


def _set_output_formats(connection: psycopg.Connection[Any]) -> None:
    connection.execute(_OUTPUT_FORMATS)


def _text(table: Table, name: str) -> sql.Composable:
    value = value_sql(table, name)
    base = base_type(table.column(name).type)
    if base == "numeric":
        return sql.SQL("trim_scale({})::text").format(value)
    if base == "time with time zone":  # a change log tells it in UTC
        return sql.SQL("timezone('UTC', {})::text").format(value)
    if base == "real":
        # as the double that it is: MariaDB has no text of a real that reads back the same
        return sql.SQL("{}::double precision::text").format(value)
    return sql.SQL("{}::text").format(value)


def _token(text: sql.Composable) -> sql.Composable:
    return sql.SQL("coalesce(length({text})::text || ':' || {text}, '-')").format(text=text)


def _hash(text: sql.Composable) -> sql.Composable:
    """Hash the text's UTF-8 bytes: databases may differ in encoding."""
    return sql.SQL("('x' || left(md5(convert_to({}, 'UTF8')), 16))::bit(64)::bigint").format(text)
