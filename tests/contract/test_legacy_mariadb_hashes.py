"""A row of MariaDB and the same row in the mirror have the same texts, hashes, keys and values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

import psycopg
import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mariadb_awkward import AWKWARD, single_floats
from psycopg import sql

from legacy_db.database import LegacyDatabase
from legacy_db.definition import Table
from legacy_db.errors import Configuration
from legacy_db.key_range import EVERYTHING
from legacy_db.mariadb.connection import parse_url
from legacy_db.mariadb.database import MariaDBDatabase
from legacy_db.postgresql_database import PostgreSQLDatabase

EXAMPLES = 30


@dataclass
class Pair:
    """A table in MariaDB and its copy in PostgreSQL, and what writes the same row to both."""

    legacy: LegacyDatabase
    mirror: LegacyDatabase
    table: Table
    copy: Table
    application: Any
    hub: psycopg.Connection[Any]

    def write(self, *rows: tuple[Any, ...]) -> None:
        """Hold these rows, and no others, on both sides."""
        with self.application.cursor() as cursor:
            cursor.execute(f"delete from {self.table.name}")
            places = ", ".join(["%s"] * len(self.table.columns))
            for row in rows:
                values = tuple(map(_for_mariadb, row))
                cursor.execute(f"insert into {self.table.name} values ({places})", values)
        self.hub.execute(f"delete from mirror.{self.table.name}")
        for row in rows:
            places = ", ".join(f"%s::{column.type}" for column in self.copy.columns)
            values = tuple(
                _for_mirror(column.type, value)
                for column, value in zip(self.copy.columns, row, strict=True)
            )
            self.hub.execute(
                sql.SQL(f"insert into mirror.{self.table.name} values ({places})"),  # type: ignore[arg-type]
                values,
            )

    def assert_equal(self) -> None:
        """Compare everything that is read of a row."""
        keys = [key for key, _ in self.mirror.row_hashes(self.copy, EVERYTHING)]
        for name in ("read_values", "column_hashes", "hashes_by_key"):
            mine = getattr(self.legacy, name)(self.table, keys)
            assert mine == getattr(self.mirror, name)(self.copy, keys), name
        assert list(self.legacy.row_hashes(self.table, EVERYTHING)) == list(
            self.mirror.row_hashes(self.copy, EVERYTHING)
        )
        assert list(self.legacy.read_chunks(self.table)) == list(self.mirror.read_chunks(self.copy))

    def sums(self) -> list[list[tuple[int, int]]]:
        """Return the numbers of rows and sums of hashes of both sides."""
        return [
            [(one.rows, one.hash) for one in database.chunk_hashes(table, [EVERYTHING])]
            for database, table in ((self.legacy, self.table), (self.mirror, self.copy))
        ]


def _for_mariadb(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value)
    if getattr(value, "tzinfo", None) is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _for_mirror(type_: str, value: Any) -> Any:
    is_bits = type_.startswith("bit(") and value is not None
    return format(value, f"0{type_[4:-1]}b") if is_bits else value


MakePair = Callable[[str, str], Pair]


@pytest.fixture(scope="module")
def hub_url(module_databases: Callable[[], dict[str, str]]) -> str:
    """Give a database for the mirror's side."""
    return module_databases()["ISTHMUS_HUB_URL"]


@pytest.fixture
def make_pair(mariadb_url: str, hub_url: str) -> Iterator[MakePair]:
    """Give a factory: columns and key of a table, made on both servers."""
    with ExitStack() as stack:
        arguments = {**parse_url(mariadb_url), "autocommit": True, "charset": "utf8mb4"}
        application = stack.enter_context(closing(pymysql.connect(**arguments)))
        with application.cursor() as cursor:
            cursor.execute("set time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'")
        hub = stack.enter_context(psycopg.connect(hub_url, autocommit=True))
        hub.execute("drop schema if exists mirror cascade")
        hub.execute("create schema mirror")
        hub.execute("set timezone = 'UTC'")
        hub.execute("set synchronous_commit = off")
        legacy = stack.enter_context(closing(MariaDBDatabase(mariadb_url)))
        mirror = stack.enter_context(closing(PostgreSQLDatabase.open(hub_url)))

        def make(columns: str, key: str) -> Pair:
            with application.cursor() as cursor:
                cursor.execute(f"create table pair ({columns}, primary key ({key}))")
            schema = mariadb_url.rpartition("/")[2]
            table = legacy.read_tables(schema, ["pair"])["pair"]
            copy = replace(
                table,
                schema="mirror",
                columns=tuple(replace(column, native=None) for column in table.columns),
            )
            made = ", ".join(f'"{column.name}" {column.type}' for column in copy.columns)
            hub.execute(sql.SQL(f"create table mirror.pair ({made}, primary key ({key}))"))  # type: ignore[arg-type]
            return Pair(legacy, mirror, table, copy, application, hub)

        yield make


def test_every_value_has_the_mirrors_text_and_hash(make_pair: MakePair) -> None:
    """Rows of any values, NULLs among them, are equal in texts, hashes and values."""
    columns = ", ".join(f"`{one.name}` {one.native}" for one in AWKWARD).replace("%%", "%")
    pair = make_pair(f"id int, {columns}", "id")

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(*(st.none() | one.values for one in AWKWARD)), max_size=3))
    def check(rows: list[tuple[Any, ...]]) -> None:
        pair.write(*((number, *row) for number, row in enumerate(rows)))
        pair.assert_equal()

    check()


def test_sums_agree_without_floats(make_pair: MakePair) -> None:
    """The sums of chunks are equal, computed inside the servers."""
    chosen = [one for one in AWKWARD if one.native != "double"]
    columns = ", ".join(f"`{one.name}` {one.native}" for one in chosen).replace("%%", "%")
    pair = make_pair(f"id int, {columns}", "id")

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(*(st.none() | one.values for one in chosen)), max_size=3))
    def check(rows: list[tuple[Any, ...]]) -> None:
        pair.write(*((number, *row) for number, row in enumerate(rows)))
        mine, other = pair.sums()
        assert mine == other

    check()


def test_floats_agree(make_pair: MakePair) -> None:
    """Floats of both widths are equal row by row; plain ones in the sums of chunks, too."""
    pair = make_pair("id int, wide double, narrow float, old float(9,3), fixed double(12,2)", "id")
    awkward = [3.459e21, 6.16304865951555e16, 5e-324, 1e15, 9.999e-5, 1.7976931348623157e308]
    tuples = st.tuples(
        st.sampled_from(awkward) | st.floats(allow_nan=False, allow_infinity=False),
        single_floats().filter(lambda value: value == 0 or abs(value) > 1e-37),
    )

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(tuples)
    def check(drawn: tuple[float, float]) -> None:
        pair.write((1, drawn[0] + 0.0, drawn[1], 1.5, -0.25))
        pair.assert_equal()

    check()
    pair.write((1, 1234.5678, 0.1, 16384.125, 1.25), (2, -1e-7, 3.4e38, None, 9e9))
    mine, other = pair.sums()
    assert mine == other


def test_a_row_too_large_to_be_hashed_is_refused(make_pair: MakePair) -> None:
    """Above max_allowed_packet MariaDB gives NULL for a row's text: no hash is made of it."""
    pair = make_pair("id int, one longtext, two longtext", "id")
    with pair.application.cursor() as cursor:
        cursor.execute("select @@max_allowed_packet")
        size = cursor.fetchall()[0][0] * 2 // 3
        cursor.execute(f"insert into pair values (1, repeat('x', {size}), repeat('y', {size}))")
    for read in (
        lambda: next(pair.legacy.chunk_hashes(pair.table, [EVERYTHING])),
        lambda: list(pair.legacy.row_hashes(pair.table, EVERYTHING)),
        lambda: pair.legacy.hashes_by_key(pair.table, [(1,)]),
    ):
        with pytest.raises(Configuration, match="max_allowed_packet"):
            read()


KEYS = {
    "varchar(10)": ["a", "a ", "a\t", "B", "b2", "Ω", "é", "😀", ""],
    "char(10)": ["a", "a\t", "B", "Ω", "é"],
    "bigint unsigned": [0, 1, 2**63, 2**64 - 1],
    "decimal(9,2)": [-5, 0, 10, 9],
    "varbinary(4)": [b"", b"\0", b"a", b"\xff"],
    "bit(1)": [False, True],
    "bit(9)": [0, 3, 256, 511],
    "enum('b','A','C')": ["b", "A", "C"],
    "date": ["1999-12-31", "2026-01-01"],
    "datetime(6)": ["2026-01-01 00:00:00.000001", "1000-01-01 00:00:00"],
    "time(3)": ["00:00:00.001", "23:59:59"],
}


@pytest.mark.parametrize("native", KEYS)
def test_keys_of_every_type_order_and_bound_alike(make_pair: MakePair, native: str) -> None:
    """Keys are equal, in one order, and bound the same ranges; their texts find the same rows."""
    collation = " collate utf8mb4_nopad_bin" if native == "varchar(10)" else ""
    pair = make_pair(f"k {native}{collation}, n int", "n, k" if native == "bit(1)" else "k, n")
    pair.write(*((value, 1) for value in KEYS[native]))
    pair.assert_equal()
    for rows_max in (1, 2):
        ranges = pair.mirror.split_key_ranges(pair.copy, rows_max)
        assert pair.legacy.split_key_ranges(pair.table, rows_max) == ranges
        sums = [
            [(one.rows, one.hash) for one in database.chunk_hashes(table, ranges)]
            for database, table in ((pair.legacy, pair.table), (pair.mirror, pair.copy))
        ]
        assert sums[0] == sums[1]
        assert {rows for rows, _ in sums[0][:-1]} <= {rows_max}
