"""Row and chunk hashes differ exactly where values differ, on the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_db.definition import Table, read_tables
from legacy_db.errors import Configuration
from legacy_db.key_range import EVERYTHING, KeyRange, split_key_ranges
from legacy_db.reader import read_chunks, read_unordered
from legacy_db.row_hash import (
    chunk_hashes,
    column_hashes,
    compare_rows,
    read_values,
    row_hashes,
)

Connection = psycopg.Connection[tuple[Any, ...]]
Row = tuple[Any, ...]

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=6)
VALUES = st.tuples(
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.text("ab :-\\", max_size=5),
    st.none() | st.decimals(-1000, 1000, places=3),
    st.none() | st.integers(-3, 3),
)
ROWS = st.dictionaries(st.integers(0, 9), VALUES, max_size=6)


@pytest.fixture(scope="module")
def connection(module_databases: Callable[[], dict[str, str]]) -> Iterator[Connection]:
    """Give a database with two copies of a table, in the schemas legacy and mirror."""
    with psycopg.connect(module_databases()["ISTHMUS_LEGACY_OWNER_URL"]) as connection:
        for schema in ("legacy", "mirror"):
            connection.execute(f"create schema {schema}")
            connection.execute(
                f"create table {schema}.pair (k integer primary key, a text, b text, c char(5),"
                " n numeric, i integer)"
            )
        yield connection


@pytest.fixture(scope="module")
def tables(connection: Connection) -> tuple[Table, Table]:
    """Give the definitions of both copies."""
    left = read_tables(connection, "legacy", ["pair"])["pair"]
    return left, replace(left, schema="mirror")


def fill(connection: Connection, table: Table, rows: dict[int, Row]) -> None:
    """Give the table these rows and no others."""
    connection.execute(f"truncate {table.schema}.{table.name}")
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into {table.schema}.{table.name} values (%s, %s, %s, %s, %s, %s)",
            [(key, *values) for key, values in rows.items()],
        )


def canonical(values: Row) -> Row:
    """Return what PostgreSQL holds equal: CHAR(n) without padding."""
    a, b, c, n, i = values
    return (a, b, c if c is None else c.rstrip(" "), n, i)


def hash_whole(connection: Connection, table: Table) -> tuple[int, int]:
    """Return the rows and the hash of a table."""
    (chunk,) = chunk_hashes(connection, table, [EVERYTHING])
    return chunk.rows, chunk.hash


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(left=ROWS, right=ROWS)
def test_keys_differ_exactly_where_rows_differ(
    connection: Connection,
    tables: tuple[Table, Table],
    left: dict[int, Row],
    right: dict[int, Row],
) -> None:
    """Chunk hashes are equal when the rows are, and the drill-down names the keys that differ."""
    fill(connection, tables[0], left)
    fill(connection, tables[1], right)
    expected = {
        key
        for key in left.keys() | right.keys()
        if key not in left or key not in right or canonical(left[key]) != canonical(right[key])
    }
    differences = compare_rows(*(row_hashes(connection, table) for table in tables))
    assert {key for difference in differences for key in difference.key} == expected
    hashes = [hash_whole(connection, table) for table in tables]
    assert (hashes[0] == hashes[1]) == (not expected)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({1: ("a", "bc")}, {1: ("ab", "c")}),
        ({1: ("a", "b")}, {1: ("b", "a")}),
        ({1: ("a", "x"), 2: ("b", "x")}, {1: ("b", "x"), 2: ("a", "x")}),
        ({1: ("a", "x")}, {2: ("a", "x")}),
        ({1: (None, "")}, {1: ("", None)}),
        ({1: (None, "x")}, {1: ("-", "x")}),
        ({1: ("1:a", "b")}, {1: ("1", ":a1:b")}),
        ({1: ("a ", "x")}, {1: ("a", "x")}),
        ({1: ("é", "x")}, {1: ("e\u0301", "x")}),
    ],
    ids=["shifted", "swapped", "rows swapped", "key moved", "null moved", "null is no dash",
         "prefix forged", "blank in text", "other code points"],
)  # fmt: skip
def test_what_looks_alike_hashes_differently(
    connection: Connection,
    tables: tuple[Table, Table],
    before: dict[int, Row],
    after: dict[int, Row],
) -> None:
    """Values that were shifted, swapped or moved give another chunk hash."""
    for table, rows in zip(tables, (before, after), strict=True):
        fill(connection, table, {key: (*row, None, None, None) for key, row in rows.items()})
    assert hash_whole(connection, tables[0]) != hash_whole(connection, tables[1])


def test_equal_values_hash_alike(connection: Connection, tables: tuple[Table, Table]) -> None:
    """Trailing zeros, CHAR padding and the session's formats make no difference."""
    fill(connection, tables[0], {1: ("a", "b", "c  ", Decimal("1.50"), 1)})
    fill(connection, tables[1], {1: ("a", "b", "c", Decimal("1.5"), 1)})
    first = hash_whole(connection, tables[0])
    connection.execute("set datestyle to german")
    assert hash_whole(connection, tables[1]) == first


def test_ranges_find_rows_that_only_the_other_side_has(
    connection: Connection, tables: tuple[Table, Table]
) -> None:
    """Ranges split on one side cover every key of the other, and only their chunks differ."""
    rows = {key: (f"a{key}", None, None, None, key) for key in range(100, 200)}
    fill(connection, tables[0], rows)
    fill(connection, tables[1], {**rows, 5: rows[100], 150: rows[151], 999: rows[100]})
    ranges = split_key_ranges(connection, tables[0], 10)
    assert [key_range.until for key_range in ranges][:2] == [(109,), (119,)]
    assert (ranges[0].after, ranges[-1].until) == (None, None)
    left, right = (list(chunk_hashes(connection, table, ranges)) for table in tables)
    assert sum(chunk.rows for chunk in left) == 100
    assert sum(chunk.rows for chunk in right) == 102
    differing = [a.key_range for a, b in zip(left, right, strict=True) if a != b]
    keys = [
        difference.key
        for key_range in differing
        for difference in compare_rows(
            *(row_hashes(connection, table, key_range) for table in tables)
        )
    ]
    assert keys == [(5,), (150,), (999,)]
    hashes = [column_hashes(connection, table, keys) for table in tables]
    assert [key for key in keys if key not in hashes[0]] == [(5,), (999,)]
    changed = [name for name in hashes[0][150,] if hashes[0][150,][name] != hashes[1][150,][name]]
    assert changed == ["a", "i"]
    values = [read_values(connection, table, keys, columns=changed) for table in tables]
    assert values[0][150,] == {"a": "a150", "i": "150"}
    assert values[1][150,] == {"a": "a151", "i": "151"}


def test_text_keys_are_ordered_alike_under_another_collation(connection: Connection) -> None:
    """Two copies whose key columns collate differently are split and compared alike."""
    keys = [(word, number) for word in ("a", "B", "b", "Z", "é", "ß", "~") for number in (2, 1)]
    for schema, collation in (("legacy", "C"), ("mirror", "pg_unicode_fast")):
        connection.execute(f"drop table if exists {schema}.words")
        connection.execute(
            f'create table {schema}.words (w char(3) collate "{collation}", n integer,'
            " primary key (w, n))"
        )
        with connection.cursor() as cursor:
            cursor.executemany(f"insert into {schema}.words values (%s, %s)", keys)
    left = read_tables(connection, "legacy", ["words"])["words"]
    right = replace(left, schema="mirror")
    ranges = split_key_ranges(connection, right, 3)
    assert ranges == split_key_ranges(connection, left, 3)
    assert [key for key, _ in row_hashes(connection, right)] == sorted(keys)
    assert list(chunk_hashes(connection, left, ranges)) == list(
        chunk_hashes(connection, right, ranges)
    )


def test_chunks_are_read_in_key_order(connection: Connection, tables: tuple[Table, Table]) -> None:
    """Every row of a range comes once, in bounded chunks, with the columns asked for."""
    table = tables[0]
    fill(connection, table, {key: ("x", None, None, None, -key) for key in range(25)})
    chunks = list(read_chunks(connection, table, columns=["i", "k"], rows_max=10))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert [row for chunk in chunks for row in chunk] == [(-key, key) for key in range(25)]
    part = read_chunks(connection, table, key_range=KeyRange((3,), (6,)), rows_max=2)
    assert [row[0] for chunk in part for row in chunk] == [4, 5, 6]
    unordered = [row for chunk in read_unordered(connection, table, rows_max=7) for row in chunk]
    assert sorted(row[0] for row in unordered) == list(range(25))


def test_a_table_without_a_key_is_compared_as_a_whole(connection: Connection) -> None:
    """A keyless table has a hash, in no order; its rows can't be named."""
    for schema, rows in (("legacy", "(1), (2), (2)"), ("mirror", "(2), (1), (2)")):
        connection.execute(f"drop table if exists {schema}.log")
        connection.execute(f"create table {schema}.log (n integer)")
        connection.execute(f"insert into {schema}.log values {rows}")
    left = read_tables(connection, "legacy", ["log"])["log"]
    right = replace(left, schema="mirror")
    assert split_key_ranges(connection, left, 2) == [EVERYTHING]
    assert hash_whole(connection, left) == hash_whole(connection, right)
    connection.execute("delete from mirror.log where ctid = '(0,1)'")
    assert hash_whole(connection, left) != hash_whole(connection, right)
    with pytest.raises(Configuration, match="no primary key"):
        list(row_hashes(connection, left))
