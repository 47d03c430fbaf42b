"""Python's canonical texts and hashes are PostgreSQL's, for every type that can be compared."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from reconcile_landscape import Landscape

from legacy_db.definition import Table, read_tables
from legacy_db.row_hash import hash_texts, row_hash_sql, row_text_sql
from pipeline.cli.app import run
from pipeline.reconcile.canonical import row_texts, text_for_type
from pipeline.reconcile.connections import connect_hub

NO_NUL = st.characters(codec="utf-8", exclude_characters="\0")
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - zones are drawn
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False, places=9),
    "numeric(12,2)": st.decimals(-(10**9), 10**9, places=2),
    "text": st.text(NO_NUL, max_size=20),
    "character(6)": st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=6),
    "boolean": st.booleans(),
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "timestamp without time zone": MOMENTS,
    "timestamp with time zone": MOMENTS.map(
        lambda moment: moment.replace(tzinfo=timezone(timedelta(hours=-5)))
    ),
    "time without time zone": st.times(),
    "uuid": st.uuids(),
    "bytea": st.binary(max_size=20),
    "double precision": st.floats(allow_nan=False),
    "real": st.floats(allow_nan=False, width=32),
}


@pytest.fixture
def typed_table(landscape: Landscape) -> Any:
    """Give a connection and a temporary table with a column of each type."""
    with connect_hub(landscape.settings) as connection:
        columns = ", ".join(f"c{place} {type_}" for place, type_ in enumerate(VALUES))
        connection.execute(f"create table public.typed (id int primary key, {columns})")
        try:
            yield connection, read_tables(connection, "public", ["typed"])["typed"]
        finally:
            connection.execute("drop table public.typed")


def test_every_value_has_the_text_and_hash_of_the_database(
    typed_table: tuple[psycopg.Connection[Any], Table],
) -> None:
    """A row of any values, NULLs among them, has the same text and hash on both sides."""
    connection, table = typed_table
    columns = [column for column in table.columns if column.name != "id"]
    printers = [text_for_type(column.type, column.name) for column in columns]
    names = [column.name for column in columns]
    query = sql.SQL("select {}, {} from public.typed").format(
        row_hash_sql(table, names), row_text_sql(table, names)
    )

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.tuples(*(st.none() | strategy for strategy in VALUES.values())))
    def check(values: tuple[Any, ...]) -> None:
        connection.execute("truncate public.typed")
        places = ", ".join(f"%s::{column.type}" for column in columns)
        connection.execute(f"insert into public.typed values (1, {places})", values)
        stored, text = connection.execute(query).fetchall()[0]
        texts = row_texts(values, printers)
        assert text == "".join("-" if one is None else f"{len(one)}:{one}" for one in texts)
        assert stored == hash_texts(texts)

    check()


def test_awkward_values(typed_table: tuple[psycopg.Connection[Any], Table]) -> None:
    """Values at the edges of their types print alike."""
    connection, _ = typed_table
    awkward: list[tuple[str, Any]] = [
        ("double precision", 1e15),
        ("double precision", 999999999999999.9),
        ("double precision", 1e-4),
        ("double precision", 9.999e-5),
        ("double precision", -0.0),
        ("double precision", float("-inf")),
        ("real", 1e6),
        ("real", 16777216.0),
        ("real", 3.4028234663852886e38),
        ("timestamp with time zone", datetime(2026, 3, 29, 1, 59, 59, 999_999, UTC)),
        ("time without time zone", time(23, 59, 59, 100_000)),
        ("uuid", uuid.UUID(int=0)),
        ("character(6)", "a  "),
        ("numeric", Decimal("1E-20")),
    ]
    for type_, value in awkward:
        own = {"numeric": "trim_scale(%s::numeric)", "real": "%s::real::double precision"}
        trimmed = own.get(type_, f"%s::{type_}")
        printed = connection.execute(f"select ({trimmed})::text", (value,)).fetchall()[0][0]
        assert text_for_type(type_, "c")(value) == printed, (type_, value)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["reconcile", "--module", "payroll"], 2, "customers"),
        (["reconcile", "--region", "asia"], 2, "eu"),
        (["deadletters", "show", "eu:sales.0.1"], 2, "no dead letter"),
    ],
)
def test_bad_use_is_told(
    landscape: Landscape,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    word: str,
) -> None:
    """An unknown module, region or letter exits 2 and says what is known."""
    assert run([*arguments, "--site", str(landscape.folder)]) == code
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["LEGACY", "HUB", "STORE_US"])
def test_unreachable_database_is_told(
    landscape: Landscape,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """A database that is not there exits 3 and names the setting to look at."""
    monkeypatch.setenv(f"ISTHMUS_{variable}_URL", "postgresql://nobody:x@127.0.0.1:1/none")
    assert run(["reconcile", "--site", str(landscape.folder)]) == 3
    said = capsys.readouterr().err
    assert "can't reach" in said
    assert "url right?" in said
    assert "Traceback" not in said
