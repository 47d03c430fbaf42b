"""The suites over real stores, with Great Expectations (pipeline.quality, `isthmus quality`)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from adapters.contract import load_contracts, make_contract
from adapters.projection import Projection, load_projections
from pipeline.cli import quality
from pipeline.errors import Configuration, Unreachable
from pipeline.quality.row_checks import compile_checks
from pipeline.quality.suite import ContractSuites, Expectation, Suite, load_suites
from pipeline.quality.validation import validate_region
from pipeline.replicate.migrate import migrate_store
from pipeline.settings import Region

RETAIL = Path(__file__).parents[3] / "adapters" / "retail"
CONTRACTS = load_contracts(RETAIL / "contracts")
SUITES = load_suites(RETAIL / "contracts", CONTRACTS)
PROJECTIONS = load_projections("adapters.retail")
STAMP = datetime(2024, 3, 1, tzinfo=UTC)
GOOD_ROWS = """
insert into customers (customer_id, name, kind, status, language, created_on, changed_at) values
  (1, 'Zoë', 'private', 'active', 'de', '2006-01-02', '2024-03-01Z'),
  (2, 'Åse', 'business', 'closed', null, '2006-01-02', '2024-03-01Z');
insert into orders (order_id, customer_id, order_date, status, currency, discount_percent, total,
                    line_count, changed_at, shipped_on) values
  (1, 1, '2024-02-29', 'shipped', 'EUR', 2.5, 10, 1, '2024-03-01Z', '2024-03-01'),
  (2, 1, '2024-02-29', 'new', 'EUR', 0, 0, 0, '2024-03-01Z', null);
insert into order_lines values (1, 1, 'A-1', 3.5, 12.5, 43.75, 'shipped');
insert into stock_levels values ('W1', 'A-1', 'Filter ½"', 'PCE', -1, 2, -3, null);
"""


@pytest.fixture
def store(databases: Callable[[], dict[str, str]]) -> Region:
    """Give a region with a migrated store that holds a few good rows."""
    region = Region("eu", databases()["ISTHMUS_STORE_EU_URL"])
    migrate_store(region.url, RETAIL / "store_migrations")
    execute(region, GOOD_ROWS)
    return region


def execute(region: Region, statement: str) -> None:
    """Execute a statement in a region's store."""
    with psycopg.connect(region.url) as connection:
        connection.execute(statement)  # type: ignore[arg-type] - a literal of this file


def test_good_rows_meet_every_expectation(store: Region) -> None:
    """Each table of each suite is looked at, and nothing is found."""
    results = validate_region(store, PROJECTIONS, SUITES)
    assert [one for one in results if not one.success or one.error] == []
    assert {one.table for one in results} == {"customers", "orders", "order_lines", "stock_levels"}
    counts = {one.table: one.element_count for one in results if one.element_count is not None}
    assert counts == {"customers": 2, "orders": 2, "order_lines": 1, "stock_levels": 1}
    expected = sum(
        len(suite.expectations)
        for one in SUITES.values()
        for suite in (one.root, *one.children.values())
        if suite
    )
    assert len(results) == expected


def test_bad_rows_are_counted_by_expectation(store: Region) -> None:
    """Exactly the expectations that the rows break are named, with table and column."""
    execute(store, "update customers set status = 'gone', name = null where customer_id = 2")
    execute(store, "update orders set shipped_on = '2024-02-28', currency = E'EUR\\n'")
    execute(store, "insert into order_lines values (1, 2, 'A-2', -1, 1, -1, 'open')")
    failed = [one for one in validate_region(store, PROJECTIONS, SUITES) if not one.success]
    assert {(one.table, one.expectation, one.column, one.unexpected_count) for one in failed} == {
        ("customers", "expect_column_values_to_be_in_set", "status", 1),
        ("customers", "expect_column_values_to_not_be_null", "name", 1),
        ("orders", "expect_column_values_to_match_regex", "currency", 2),
        (
            "orders",
            "expect_column_pair_values_a_to_be_greater_than_b",
            "shipped_on, order_date",
            2,
        ),
        ("order_lines", "expect_column_values_to_be_between", "quantity", 1),
    }


def test_an_empty_store_fails_nothing(databases: Callable[[], dict[str, str]]) -> None:
    """No rows break no expectation."""
    region = Region("us", databases()["ISTHMUS_STORE_US_URL"])
    migrate_store(region.url, RETAIL / "store_migrations")
    assert all(one.success for one in validate_region(region, PROJECTIONS, SUITES))


def test_a_store_that_is_not_there_says_so(databases: Callable[[], dict[str, str]]) -> None:
    """No server is Unreachable, no table is a matter of configuration."""
    with pytest.raises(Unreachable, match="store of region eu"):
        validate_region(Region("eu", "postgresql://a:b@127.0.0.1:9/eu"), PROJECTIONS, SUITES)
    empty = Region("eu", databases()["ISTHMUS_STORE_EU_URL"])
    with pytest.raises(Configuration, match="has no table customers"):
        validate_region(empty, PROJECTIONS, SUITES)


MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
DATE = {"type": "int", "logicalType": "date"}
MOMENT = {"type": "long", "logicalType": "timestamp-micros"}
TYPES = {"text": "string", "first": MONEY, "second": MONEY, "day": DATE, "at": MOMENT}
ROW = make_contract(
    "t.Row.v1",
    {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "id", "type": "int"},
            *({"name": name, "type": ["null", one]} for name, one in TYPES.items()),
        ],
    },
)
PAIR = {"column_A": "first", "column_B": "second", "ignore_row_if": "either_value_is_missing"}


def expect(short: str, **kwargs: Any) -> Expectation:
    """Make an expectation of a column's values, lengths or pairs."""
    return Expectation(f"expect_column_{short}", kwargs)


EXPECTATIONS = (
    expect("values_to_not_be_null", column="text"),
    expect("values_to_be_null", column="first"),
    expect("values_to_be_in_set", column="text", value_set=["a", "", "½"]),
    expect("values_to_not_be_in_set", column="text", value_set=["a", "", "½"]),
    expect("values_to_be_between", column="first", min_value=-0.05, max_value=0.5),
    expect("values_to_be_between", column="first", min_value=0, strict_min=True),
    expect("values_to_be_between", column="first", max_value=1, strict_max=True),
    expect("values_to_be_between", column="day", min_value="2006-01-02"),
    expect("values_to_be_between", column="at", max_value="2006-01-02T00:00:00"),
    expect("values_to_match_regex", column="text", regex=r"\A[a-z]*\Z"),
    expect("values_to_match_regex", column="text", regex="b"),
    expect("values_to_not_match_regex", column="text", regex=r"\A.\Z"),
    expect("value_lengths_to_be_between", column="text", min_value=1, max_value=2),
    expect("value_lengths_to_equal", column="text", value=1),
    expect("pair_values_a_to_be_greater_than_b", or_equal=True, **PAIR),
    expect("pair_values_a_to_be_greater_than_b", **PAIR),
    expect("pair_values_to_be_equal", **PAIR),
)


def make_rows(seed: int) -> list[dict[str, Any]]:
    """Make rows in which values repeat and are missing, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 - not a secret
    texts = [None, "", "a", "b", "ab", "½", "a\n", "A b", "\\"]
    numbers = [None, *(Decimal(one).scaleb(-2) for one in (-100, -5, 0, 1, 50, 100))]
    days = [None, date(2006, 1, 1), date(2006, 1, 2)]
    return [
        {
            "id": number,
            "text": source.choice(texts),
            "first": source.choice(numbers),
            "second": source.choice(numbers),
            "day": source.choice(days),
            "at": source.choice([None, STAMP]),
        }
        for number in range(200)
    ]


def test_compiled_checks_count_as_the_store_does(store: Region) -> None:
    """On the same 200 rows both ways break as many rows, for every row-level expectation."""
    rows = make_rows(7)
    with psycopg.connect(store.url) as connection:
        connection.execute(
            "create table sample (id int, text text, first numeric(6,2), second numeric(6,2),"
            " day date, at timestamptz)"
        )
        connection.cursor().executemany(
            "insert into sample values (%(id)s, %(text)s, %(first)s, %(second)s, %(day)s, %(at)s)",
            rows,
        )
    document = {
        "name": "t.Row.v1",
        "expectations": [{"type": one.type, "kwargs": dict(one.kwargs)} for one in EXPECTATIONS],
    }
    suites = {"t.Row.v1": ContractSuites("t.Row.v1", Suite("t.Row.v1", EXPECTATIONS, document))}
    projection = Projection("t.Row.v1", "t.Row", "sample", ("id",), ("id", *TYPES))
    found = {
        index: (one.expectation, one.unexpected_count)
        for index, one in enumerate(validate_region(store, [projection], suites))
    }
    compiled = {}
    for index, one in enumerate(EXPECTATIONS):
        check = compile_checks(ContractSuites("t.Row.v1", Suite("s", (one,), {})), ROW)
        compiled[index] = (one.type, sum(check(row) is not None for row in rows))
    assert sorted(found.values()) == sorted(compiled.values())


def test_the_command_exits_1_when_an_expectation_is_not_met(
    site: Callable[[], Any],
) -> None:
    """`quality run --region` prints every result; `quality show` prints the suites."""
    made = site()
    url = made.variables["ISTHMUS_STORE_EU_URL"]
    migrate_store(url, RETAIL / "store_migrations")
    arguments = ["run", "--site", str(made.folder), "--region", "eu", "--json"]
    runner = CliRunner()
    good = runner.invoke(quality.app, arguments)
    assert (good.exit_code, {one["success"] for one in json.loads(good.stdout)}) == (0, {True})
    execute(
        Region("eu", url), "insert into stock_levels (warehouse_code, item_code) values ('W','I')"
    )
    bad = runner.invoke(quality.app, arguments)
    failed = [one["column"] for one in json.loads(bad.stdout) if not one["success"]]
    assert (bad.exit_code, failed) == (1, ["on_hand", "reserved", "available"])
    shown = runner.invoke(quality.app, ["show", "--site", str(made.folder), "--json"])
    assert len(json.loads(shown.stdout)) == len(SUITES) + 1
