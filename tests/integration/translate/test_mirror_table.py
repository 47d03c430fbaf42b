"""A mirror table follows each ALTER of its legacy table, and says what only a snapshot mends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from legacy_db.definition import Table, read_tables
from legacy_db.key_range import EVERYTHING
from legacy_db.row_hash import chunk_hashes
from pipeline.errors import Configuration, Fatal
from pipeline.translate.mirror_table import Following, follow_table

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def connection(module_databases: Callable[[], dict[str, str]]) -> Iterator[Connection]:
    """Give a database with the schemas erp and mirror."""
    with psycopg.connect(module_databases()["ISTHMUS_LEGACY_OWNER_URL"], autocommit=True) as one:
        one.execute("create schema if not exists erp")
        one.execute("create schema if not exists mirror")
        yield one


@pytest.fixture
def thing(connection: Connection) -> Iterator[Callable[..., Following]]:
    """Give a table with two mirrored rows, and a function that alters it and follows."""
    connection.execute(
        "create table erp.thing (id integer primary key, a text, n numeric(8,2), i smallint)"
    )
    follow_table(connection, read_thing(connection), [])
    for schema in ("erp", "mirror"):
        connection.execute(
            f"insert into {schema}.thing values (1, 'x', 1.25, 1), (2, null, null, 2)"
        )

    def alter(*statements: str) -> Following:
        for statement in statements:
            connection.execute(statement)
        return follow_table(connection, read_thing(connection), [])

    yield alter
    connection.execute("drop table erp.thing")
    connection.execute("drop table mirror.thing")


def read_thing(connection: Connection) -> Table:
    """Read the legacy table's definition."""
    return read_tables(connection, "erp", ["thing"])["thing"]


def is_equal(connection: Connection) -> bool:
    """Say whether the mirror holds what the legacy table holds."""
    table = read_thing(connection)
    (left,) = chunk_hashes(connection, table, [EVERYTHING])
    (right,) = chunk_hashes(connection, replace(table, schema="mirror"), [EVERYTHING])
    return (left.rows, left.hash) == (right.rows, right.hash)


@pytest.mark.parametrize(
    "statements",
    [
        ["alter table erp.thing add column z text"],
        ["alter table erp.thing add column z text not null default 'it''s, {new}'"],
        ["alter table erp.thing add column z timestamptz default now()"],
        ["alter table erp.thing add column z numeric(6,3)[] default '{1.5,NULL}'"],
        ["alter table erp.thing drop column a"],
        ["alter table erp.thing rename column n to amount"],
        [
            "alter table erp.thing rename column a to b",
            "alter table erp.thing rename column id to number",
        ],
        [
            "alter table erp.thing rename column n to tmp",
            "alter table erp.thing rename column i to n",
            "alter table erp.thing rename column tmp to i",
        ],
        ["alter table erp.thing alter column i type bigint"],
        ["alter table erp.thing alter column i type text"],
        ["alter table erp.thing alter column n type numeric(10,4)"],
        ["alter table erp.thing alter column a type varchar(10)"],
        ["alter table erp.thing drop column n", "alter table erp.thing add column n integer"],
        [
            "alter table erp.thing drop constraint thing_pkey",
            "alter table erp.thing add primary key (i)",
        ],
        [
            "alter table erp.thing drop column id",
            "alter table erp.thing rename column i to id",
            "alter table erp.thing add primary key (id)",
        ],
    ],
    ids=lambda statements: statements[-1].removeprefix("alter table erp.thing "),
)
def test_the_mirror_is_equal_behind_an_alter(
    connection: Connection, thing: Callable[..., Following], statements: list[str]
) -> None:
    """Rows that no change tells of again hold what the legacy table holds; once is enough."""
    following = thing(*statements)
    assert following.done or "varchar" not in statements[0]
    assert is_equal(connection)
    assert thing().done == []


def test_a_narrower_type_cuts_the_values_and_says_so(
    connection: Connection, thing: Callable[..., Following]
) -> None:
    """Rounded values are rounded in the mirror; a doubt stays, USING may have done more."""
    following = thing("alter table erp.thing alter column n type numeric(8,1)")
    assert is_equal(connection)
    assert "snapshot of the table again" in following.doubts[0]


def test_values_that_no_change_tells_are_a_doubt(
    connection: Connection, thing: Callable[..., Following]
) -> None:
    """An identity, or a default that is not constant, fills old rows without a change."""
    following = thing("alter table erp.thing add column z integer generated always as identity")
    assert not is_equal(connection)
    assert "mirror.thing.z was added with values that no change tells" in following.doubts[0]


def test_a_generated_column_is_left_out(
    connection: Connection, thing: Callable[..., Following]
) -> None:
    """No change tells the values of a generated column: it is neither mirrored nor compared."""
    following = thing("alter table erp.thing add column g int generated always as (i + 1) stored")
    assert following.done == []
    assert read_thing(connection).generated == ("g",)
    assert is_equal(connection)


def test_an_adapter_that_searches_by_a_dropped_column_is_named(
    connection: Connection, thing: Callable[..., Following]
) -> None:
    """The mirror follows, but the adapter can't: the message names table and column."""
    thing("alter table erp.thing drop column a")
    with pytest.raises(Configuration, match=r"rows of erp.thing up by a, which"):
        follow_table(connection, read_thing(connection), [("a",)])


def test_what_cannot_follow_is_fatal_and_says_what_to_do(
    connection: Connection, thing: Callable[..., Following]
) -> None:
    """A cast that fails on the mirror's rows needs a person: the message has the steps."""
    with pytest.raises(Fatal, match=r"drop mirror.thing in the hub, start again, and take"):
        thing("alter table erp.thing alter column a type integer using length(a)")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
