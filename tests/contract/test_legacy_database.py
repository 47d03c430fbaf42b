"""What every legacy database gives to the packages to the right, on real servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg
import pymysql
import pytest

from legacy_db.database import LegacyDatabase, open_legacy_database
from legacy_db.definition import Table
from legacy_db.errors import Configuration, Unreachable
from legacy_db.key_range import EVERYTHING, KeyRange
from legacy_db.mariadb.connection import MariaDBConnection, parse_url
from legacy_db.row_hash import RowDifference, compare_rows

DDL = {
    "postgresql": (
        "create table erp.part (code varchar(20) primary key, qty numeric(12,3), note text)",
        "create table erp.step (ord bigint, no integer, name varchar(20), primary key (no, ord))",
        "create table erp.note (content text, seen boolean)",
        "create view erp.shown as select 1 as one",
    ),
    "mariadb": (
        "create table part (code varchar(20) primary key, qty decimal(12,3), note longtext)",
        "create table step (ord bigint, no integer, name varchar(20), primary key (no, ord))",
        "create table note (content longtext, seen bit(1))",
        "create view shown as select 1 as one",
    ),
}
CODES = ["B", "Z", "a", "é", "ÿ", "a b", "a\tb", "aa", "😀", "Ω", "1", "10", "2"]
"""Keys that the collations of both servers would sort, or take for the same, differently."""


@dataclass
class Legacy:
    """A database under test, and how the legacy application writes to it."""

    engine: str
    url: str
    schema: str
    database: LegacyDatabase
    execute: Callable[..., Any]

    def table(self, name: str) -> Table:
        """Read one definition."""
        return self.database.read_tables(self.schema, [name])[name]


@pytest.fixture(params=["postgresql", "mariadb"])
def legacy(request: pytest.FixtureRequest) -> Iterator[Legacy]:
    """Give a database of each engine with the tables of DDL."""
    if request.param == "postgresql":
        variables = request.getfixturevalue("databases")()
        url, schema = variables["ISTHMUS_LEGACY_OWNER_URL"], "erp"
        connection: Any = psycopg.connect(url, autocommit=True)
    else:
        url = request.getfixturevalue("mariadb_url")
        connection = pymysql.connect(**parse_url(url), autocommit=True, charset="utf8mb4")
        schema = url.rpartition("/")[2]

    def execute(statement: str, parameters: Any = ()) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else ()

    with closing(connection), closing(open_legacy_database(request.param, url)) as database:
        for statement in DDL[request.param]:
            execute(statement)
        if request.param == "postgresql":
            execute("set search_path to erp")
        yield Legacy(request.param, url, schema, database, execute)


def fill_parts(legacy: Legacy) -> None:
    """Fill `part` with one row for each of CODES."""
    for place, code in enumerate(CODES):
        legacy.execute("insert into part values (%s, %s, %s)", (code, place, None))


def fill_steps(legacy: Legacy, rows: int) -> None:
    """Fill `step`, whose key's columns stand in another order than the table's."""
    for place in range(rows):
        legacy.execute("insert into step values (%s, %s, %s)", (place % 7 - 3, place, f"n{place}"))


def test_definitions_have_the_mirrors_types(legacy: Legacy) -> None:
    """Columns come in order, with the mirror's types; keys in key order; views are no tables."""
    tables = legacy.database.read_tables(legacy.schema, ["part", "step", "note"])
    types = {name: [column.type for column in table.columns] for name, table in tables.items()}
    assert types == {
        "part": ["character varying(20)", "numeric(12,3)", "text"],
        "step": ["bigint", "integer", "character varying(20)"],
        "note": ["text", "boolean"],
    }
    assert [table.key for table in tables.values()] == [(), ("code",), ("no", "ord")]
    assert [column.nullable for column in tables["part"].columns] == [False, True, True]
    assert legacy.database.list_tables(legacy.schema) == ["note", "part", "step"]


def test_absent_tables_are_named(legacy: Legacy) -> None:
    """Tables that are not there, and views, are named all at once."""
    with pytest.raises(Configuration, match=r"absent, .*\.shown in the legacy database"):
        legacy.database.read_tables(legacy.schema, ["part", "shown", "absent"])
    assert legacy.database.read_tables(legacy.schema, []) == {}


def test_declared_keys_are_given(legacy: Legacy) -> None:
    """A table without a primary key gets the declared one, unless it may be null."""
    with pytest.raises(Configuration, match="may be null"):
        legacy.database.read_tables(legacy.schema, ["note"], {"note": ["content"]})
    with pytest.raises(Configuration, match="has a primary key"):
        legacy.database.read_tables(legacy.schema, ["part"], {"part": ["note"]})


def test_keys_are_ordered_by_their_bytes(legacy: Legacy) -> None:
    """Rows come in the order of their keys' UTF-8 bytes, whatever the column's collation."""
    fill_parts(legacy)
    table = legacy.table("part")
    expected = sorted(CODES, key=str.encode)
    for rows_max in (1, 3, 100):
        chunks = list(legacy.database.read_chunks(table, columns=["code"], rows_max=rows_max))
        assert all(len(chunk) <= rows_max for chunk in chunks)
        assert [code for chunk in chunks for (code,) in chunk] == expected
    assert [key for (key,), _ in legacy.database.row_hashes(table, EVERYTHING)] == expected


def test_ranges_hold_every_row_once(legacy: Legacy) -> None:
    """The ranges of a key of several columns adjoin: sums and numbers of rows are the table's."""
    fill_steps(legacy, 50)
    table = legacy.table("step")
    (whole,) = legacy.database.chunk_hashes(table, [EVERYTHING])
    for rows_max in (1, 7, 49, 50, 51):
        ranges = legacy.database.split_key_ranges(table, rows_max)
        hashes = list(legacy.database.chunk_hashes(table, ranges))
        assert [one.rows for one in hashes[:-1]] == [rows_max] * (len(ranges) - 1)
        assert sum(one.rows for one in hashes) == whole.rows == 50
        assert sum(one.hash for one in hashes) == whole.hash


def test_a_range_bounds_chunks_and_hashes(legacy: Legacy) -> None:
    """Rows behind `after` and up to `until` come, and no others."""
    fill_steps(legacy, 20)
    table, within = legacy.table("step"), KeyRange((4, 1), (9, -1))
    rows = [row for chunk in legacy.database.read_chunks(table, within=within) for row in chunk]
    expected = [(place % 7 - 3, place, f"n{place}") for place in range(5, 10)]
    assert rows == [row for row in expected if (row[1], row[0]) <= (9, -1)]
    assert [key for key, _ in legacy.database.row_hashes(table, within)] == [
        (number, order) for order, number, _ in rows
    ]


def test_keyless_tables_are_read_as_a_whole(legacy: Legacy) -> None:
    """A table without a key is one range, read in no order, and refuses to be read by key."""
    for content in ("x", None, "x"):
        legacy.execute("insert into note values (%s, true)", (content,))
    table = legacy.table("note")
    assert legacy.database.split_key_ranges(table, 1) == [EVERYTHING]
    rows = [row for chunk in legacy.database.read_unordered(table, rows_max=2) for row in chunk]
    assert sorted(map(repr, rows)) == ["('x', True)", "('x', True)", "(None, True)"]
    (whole,) = legacy.database.chunk_hashes(table, [EVERYTHING])
    assert whole.rows == 3
    with pytest.raises(Configuration, match="no primary key"):
        next(legacy.database.read_chunks(table))


def test_a_changed_value_shows_in_its_row_and_column(legacy: Legacy) -> None:
    """A changed row differs by its key, and of its columns only the changed one."""
    fill_parts(legacy)
    table = legacy.table("part")
    before = list(legacy.database.row_hashes(table, EVERYTHING))
    columns = legacy.database.column_hashes(table, [("Z",)])[("Z",)]
    legacy.execute("update part set note = '' where code = 'Z'")
    after = list(legacy.database.row_hashes(table, EVERYTHING))
    (difference,) = compare_rows(before, after)
    assert isinstance(difference, RowDifference)
    assert difference.key == ("Z",)
    changed = legacy.database.column_hashes(table, [("Z",)])[("Z",)]
    assert {name for name, found in columns.items() if found != changed[name]} == {"note"}
    assert legacy.database.hashes_by_key(table, [("Z",), ("none",)]) == {
        ("Z",): dict(after)[("Z",)]
    }


def test_values_are_canonical_texts(legacy: Legacy) -> None:
    """Numbers come without trailing zeros; NULL is None, and an empty text is a text."""
    legacy.execute("insert into part values ('A', 12.500, ''), ('B', null, null)")
    table = legacy.table("part")
    assert legacy.database.read_values(table, [("A",), ("B",)], ["qty", "note"]) == {
        ("A",): {"qty": "12.5", "note": ""},
        ("B",): {"qty": None, "note": None},
    }


def test_sizes_are_told(legacy: Legacy) -> None:
    """Every table that is there has a size; numbers of rows are the server's estimate."""
    sizes = legacy.database.read_sizes(legacy.schema, ["part", "step", "absent"])
    assert sizes.keys() == {"part", "step"}
    assert all(rows >= 0 and size >= 0 for rows, size in sizes.values())


def test_primary_keys_have_names(legacy: Legacy) -> None:
    """PostgreSQL lets a constraint be named; MariaDB calls all of them the same."""
    if legacy.engine == "postgresql":
        legacy.execute("alter table part rename constraint part_pkey to code_of_part")
        wanted, dropped = {"part": "code_of_part", "step": "step_pkey"}, "code_of_part"
    else:
        wanted, dropped = {"part": "PRIMARY", "step": "PRIMARY"}, "`PRIMARY`"
    read = partial(legacy.database.read_key_names, legacy.schema, ["part", "step", "note"])
    assert read() == wanted
    legacy.execute(f"alter table part drop constraint {dropped}")
    assert legacy.table("part").key == ()
    assert read() == {"step": wanted["step"]}


def test_a_barrier_is_a_row_of_each_barrier_table(mariadb_url: str) -> None:
    """Without logical messages, a barrier is a committed row; the writer removes old ones."""
    tables = ("isthmus_barrier", "other_barrier")
    with (
        closing(pymysql.connect(**parse_url(mariadb_url), autocommit=True)) as application,
        application.cursor() as cursor,
        closing(open_legacy_database("mariadb", mariadb_url, barrier_tables=tables)) as database,
    ):
        for name in tables:
            cursor.execute(
                f"create table {name} (id varchar(36) primary key, written_at timestamp)"
            )
            cursor.execute(f"insert into {name} values ('old', utc_timestamp() - interval 2 day)")
        identity = str(uuid.uuid4())
        database.write_barrier(identity)
        for name in tables:
            cursor.execute(f"select id from {name}")
            assert cursor.fetchall() == ((identity,),)


def test_a_lost_connection_is_unreachable(legacy: Legacy) -> None:
    """A server that is not there, or goes away meanwhile, is Unreachable and named."""
    place, _, rest = legacy.url.rpartition("@")
    with pytest.raises(Unreachable, match="can't reach"):
        open_legacy_database(legacy.engine, f"{place}@127.0.0.1:1/{rest.rpartition('/')[2]}")
    if legacy.engine == "mariadb":
        own = MariaDBConnection(legacy.url)
        ((number,),) = own.fetch("select connection_id()")
        legacy.execute(f"kill {number}")
        with closing(own), pytest.raises(Unreachable, match="went away"):
            own.fetch("select 1")


def test_a_failed_statement_says_why(legacy: Legacy) -> None:
    """A statement that the server refuses is told with the server's reason."""
    gone = replace(legacy.table("part"), name="gone")
    with pytest.raises(Exception, match="gone") as caught:
        next(legacy.database.chunk_hashes(gone, [EVERYTHING]))
    assert type(caught.value).__name__ == "Retriable"
