"""Row-level expectations as one function, and the files that they come from (pipeline.quality)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import load_contracts, make_contract
from pipeline.errors import Configuration
from pipeline.quality.row_checks import CheckState, compile_checks
from pipeline.quality.suite import ContractSuites, Expectation, Suite, load_suites

FOLDER = Path(__file__).parents[2] / "adapters" / "retail" / "contracts"
LINE = {"type": "record", "name": "Line", "fields": [{"name": "number", "type": ["null", "int"]}]}
CONTRACT = make_contract(
    "sales.Order.v1",
    {
        "type": "record",
        "name": "Order",
        "fields": [
            {"name": "text", "type": ["null", "string"]},
            {"name": "count", "type": ["null", "int"]},
            {"name": "most", "type": ["null", "int"]},
            {
                "name": "rate",
                "type": [
                    "null",
                    {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2},
                ],
            },
            {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
            {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
            {"name": "lines", "type": ["null", {"type": "array", "items": LINE}]},
            {"name": "deleted", "type": "boolean"},
        ],
    },
)
EMPTY = dict.fromkeys(("text", "count", "most", "rate", "day", "at", "lines"))
DAY = date(2006, 1, 2)
MOMENT = datetime(2006, 1, 2, tzinfo=UTC)
LATER = datetime(2006, 1, 2, 1, tzinfo=UTC)
NULL = "expect_column_values_to_be_null"
NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
REGEX = "expect_column_values_to_match_regex"
IN_SET = "expect_column_values_to_be_in_set"
NOT_IN_SET = "expect_column_values_to_not_be_in_set"
NOT_REGEX = "expect_column_values_to_not_match_regex"
LENGTHS = "expect_column_value_lengths_to_be_between"
LENGTH = "expect_column_value_lengths_to_equal"
EQUAL = "expect_column_pair_values_to_be_equal"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
EITHER = {"ignore_row_if": "either_value_is_missing"}


def make_check(type_: str, *, severity: str = "critical", **kwargs: Any) -> CheckState:
    """Compile a suite of one expectation on the root."""
    suite = Suite("s", (Expectation(type_, kwargs, severity),), {})
    return compile_checks(ContractSuites("sales.Order.v1", suite), CONTRACT)


def breaks(type_: str, kwargs: dict[str, Any], **state: Any) -> bool:
    """Say whether a state breaks one expectation."""
    return make_check(type_, **kwargs)({**EMPTY, **state}) is not None


PAIR = {"column_A": "most", "column_B": "count", **EITHER}
CASES: list[tuple[str, dict[str, Any], Any, Any]] = [
    (IN_SET, {"column": "text", "value_set": ["a", "b"]}, "a", "A"),
    (NOT_IN_SET, {"column": "count", "value_set": [1]}, 2, 1),
    (BETWEEN, {"column": "count", "min_value": 1}, 1, 0),
    (BETWEEN, {"column": "count", "min_value": 1, "strict_min": True}, 2, 1),
    (BETWEEN, {"column": "count", "max_value": 9, "strict_max": True}, 8, 9),
    (BETWEEN, {"column": "count", "min_value": 1, "max_value": 9}, 9, 10),
    (BETWEEN, {"column": "rate", "min_value": 0.05}, Decimal("0.05"), Decimal("0.04")),
    (BETWEEN, {"column": "day", "min_value": "2006-01-02"}, DAY, date(2006, 1, 1)),
    (BETWEEN, {"column": "at", "max_value": "2006-01-02T00:00:00"}, MOMENT, LATER),
    (REGEX, {"column": "text", "regex": "^[A-Z]{2}$"}, "DE", "DEU"),
    (REGEX, {"column": "text", "regex": "b"}, "abc", "ac"),
    (NOT_REGEX, {"column": "text", "regex": "b"}, "ac", "abc"),
    (LENGTHS, {"column": "text", "min_value": 1, "max_value": 2}, "½", ""),
    (LENGTH, {"column": "text", "value": 2}, "½½", "½"),
]


@pytest.mark.parametrize(("type_", "kwargs", "good", "bad"), CASES)
def test_an_expectation_means_the_same_on_a_state(
    type_: str, kwargs: dict[str, Any], good: Any, bad: Any
) -> None:
    """A good value passes, a bad one breaks, and null satisfies it."""
    column = kwargs["column"]
    assert not breaks(type_, kwargs, **{column: good})
    assert breaks(type_, kwargs, **{column: bad})
    assert not breaks(type_, kwargs, **{column: None})


def test_null_is_asked_for_on_its_own() -> None:
    """Only these two expectations look at null."""
    assert breaks(NOT_NULL, {"column": "text"})
    assert not breaks(NOT_NULL, {"column": "text"}, text="")
    assert not breaks(NULL, {"column": "text"})
    assert breaks(NULL, {"column": "text"}, text="")


def test_pairs_are_compared_where_both_are_there() -> None:
    """A row in which one of the two is null is passed over."""
    for type_, more, good, bad in (
        (GREATER, {"or_equal": True}, (1, 1), (1, 2)),
        (GREATER, {}, (2, 1), (1, 1)),
        (EQUAL, {}, (2, 2), (1, 2)),
    ):
        kwargs = {**PAIR, **more}
        assert not breaks(type_, kwargs, most=good[0], count=good[1])
        assert breaks(type_, kwargs, most=bad[0], count=bad[1])
        assert not breaks(type_, kwargs, most=bad[0])
        assert not breaks(type_, kwargs, count=bad[1])


def test_the_first_broken_expectation_is_named() -> None:
    """In an array the field has the array's name in front."""
    suite = Suite("s", (Expectation(BETWEEN, {"column": "number", "min_value": 1}),), {})
    suites = ContractSuites("sales.Order.v1", children={"lines": suite})
    check = compile_checks(suites, CONTRACT)
    broken = check({**EMPTY, "lines": [{"number": 1}, {"number": 0}]})
    assert str(broken) == f"lines.number: {BETWEEN}"
    assert check({**EMPTY, "lines": []}) is None


def test_a_deleted_state_is_not_checked() -> None:
    """It carries nothing but its id."""
    check = make_check(NOT_NULL, column="text")
    assert check({**EMPTY, "deleted": True}) is None
    assert check({**EMPTY, "deleted": False}) is not None


def test_what_is_not_about_single_rows_is_left_to_great_expectations() -> None:
    """Uniqueness, shares (`mostly`) and warnings do not stop an event."""
    state = dict(EMPTY)
    assert make_check("expect_column_values_to_be_unique", column="text")(state) is None
    assert make_check(NOT_NULL, column="text", mostly=0.9)(state) is None
    assert make_check(NOT_NULL, column="text", severity="warning")(state) is None
    assert make_check(NOT_NULL, column="text", mostly=1.0)(state) is not None
    assert compile_checks(None, CONTRACT)(state) is None


@pytest.mark.parametrize(
    ("type_", "kwargs", "words"),
    [
        ("expect_column_values_to_be_pretty", {"column": "text"}, "is not known"),
        (NOT_NULL, {"column": "txt"}, "names txt, which is no field"),
        (NOT_NULL, {"column": "text", "row_condition": 'col("a") > 1'}, "row_condition"),
        (BETWEEN, {"column": "count"}, "needs min_value or max_value"),
        (BETWEEN, {"column": "count", "min_value": 2, "max_value": 1}, "above max_value"),
        (BETWEEN, {"column": "text", "min_value": 2}, "but the field is string"),
        (BETWEEN, {"column": "day", "min_value": "soon"}, "not a date"),
        (REGEX, {"column": "text", "regex": "("}, "is wrong"),
        (REGEX, {"column": "text"}, "lacks 'regex'"),
        (REGEX, {"column": "count", "regex": "1"}, "about text"),
        (GREATER, {"column_A": "most", "column_B": "count"}, "either_value_is_missing"),
    ],
)
def test_what_cannot_be_enforced_is_a_configuration_error(
    type_: str, kwargs: dict[str, Any], words: str
) -> None:
    """The message names suite, expectation and reason."""
    with pytest.raises(Configuration, match=rf"suite s: {type_} .*{words}"):
        make_check(type_, **kwargs)


def test_every_state_contract_of_the_site_has_a_suite() -> None:
    """The suites compile against their contracts, and child arrays have theirs."""
    contracts = load_contracts(FOLDER)
    suites = load_suites(FOLDER, contracts)
    assert set(suites) == {
        "customers.Customer.v1",
        "inventory.StockLevel.v1",
        "sales.Order.v1",
    }
    assert set(suites["sales.Order.v1"].children) == {"lines"}
    for type_, one in suites.items():
        compile_checks(one, contracts[type_])


@pytest.mark.parametrize(
    ("name", "document", "words"),
    [
        ("sales.Nothing.v1", {"expectations": []}, "no contract"),
        ("sales.Order.v1.items", {"expectations": []}, "no field 'items'"),
        ("sales.Order.v1", {"expectations": {}}, "list `expectations`"),
        ("sales.Order.v1", {"expectations": [{"kwargs": {}}]}, r"expectations\[0\] needs a `type`"),
        ("sales.Order.v1", {"expectations": [{"type": NOT_NULL}]}, "needs `kwargs`"),
        ("sales.Order.v1", None, "not an expectation suite"),
    ],
)
def test_a_wrong_suite_file_is_named(tmp_path: Path, name: str, document: Any, words: str) -> None:
    """Whoever wrote it reads which file and what."""
    path = tmp_path / f"{name}.expectations.json"
    path.write_text(json.dumps(document))
    with pytest.raises(Configuration, match=rf"{name}\.expectations\.json: .*{words}"):
        load_suites(tmp_path, {"sales.Order.v1": CONTRACT})
