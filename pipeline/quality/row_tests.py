"""The row-level expectations as plain functions, with the meaning that they have in the stores.

Enters: an expectation's arguments and the kind of its field. Leaves: a test of a value that is not
null, or of two. Where Great Expectations' engines differ, the SQL one counts.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from pipeline.errors import Configuration

ValueTest = Callable[[Any], bool]
PairTest = Callable[[Any, Any], bool]

NOT_NULL: Final = "expect_column_values_to_not_be_null"
NULL: Final = "expect_column_values_to_be_null"


def _make_in_set(kwargs: Mapping[str, Any], kind: str) -> ValueTest:
    if kwargs.get("value_set") is None:
        return lambda _: True
    values = frozenset(_bound(one, kind) for one in kwargs["value_set"])
    return values.__contains__


def _make_not_in_set(kwargs: Mapping[str, Any], kind: str) -> ValueTest:
    values = frozenset(_bound(one, kind) for one in kwargs.get("value_set") or ())
    return lambda value: value not in values


def _make_between(kwargs: Mapping[str, Any], kind: str) -> ValueTest:
    if kind in ("string", "boolean"):
        raise Configuration(f"is about numbers and dates, but the field is {kind}")
    least, most = (_bound(kwargs.get(name), kind) for name in ("min_value", "max_value"))
    return _make_range(kwargs, least, most)


def _make_lengths_between(kwargs: Mapping[str, Any], kind: str) -> ValueTest:
    _need_text(kind)
    within = _make_range(kwargs, kwargs.get("min_value"), kwargs.get("max_value"))
    return lambda value: within(len(value))


def _make_length_equals(kwargs: Mapping[str, Any], kind: str) -> ValueTest:
    _need_text(kind)
    length = kwargs["value"]
    return lambda value: len(value) == length


def _make_range(kwargs: Mapping[str, Any], least: Any, most: Any) -> ValueTest:
    if least is None and most is None:
        raise Configuration("needs min_value or max_value")
    if least is not None and most is not None and least > most:
        raise Configuration("min_value is above max_value")
    tests: list[ValueTest] = []
    if least is not None:
        tests.append(_least(least, above=bool(kwargs.get("strict_min"))))
    if most is not None:
        tests.append(_most(most, below=bool(kwargs.get("strict_max"))))
    if len(tests) == 1:
        return tests[0]
    first, second = tests
    return lambda value: first(value) and second(value)


def _least(bound: Any, *, above: bool) -> ValueTest:
    return (lambda value: value > bound) if above else (lambda value: value >= bound)


def _most(bound: Any, *, below: bool) -> ValueTest:
    return (lambda value: value < bound) if below else (lambda value: value <= bound)


def _make_regex(kwargs: Mapping[str, Any], kind: str) -> ValueTest:
    search = _compile(kwargs["regex"], kind)
    return lambda value: search(value) is not None


def _make_not_regex(kwargs: Mapping[str, Any], kind: str) -> ValueTest:
    search = _compile(kwargs["regex"], kind)
    return lambda value: search(value) is None


def _compile(pattern: str, kind: str) -> Callable[[str], Any]:
    _need_text(kind)
    try:
        return re.compile(pattern).search
    except re.error as error:
        raise Configuration(f"regex {pattern!r} is wrong: {error}") from error


def _need_text(kind: str) -> None:
    if kind != "string":
        raise Configuration(f"is about text, but the field is {kind}")


def _bound(value: Any, kind: str) -> Any:
    """Read a bound as the field's type: JSON has neither dates nor times."""
    if isinstance(value, float) and kind == "decimal":
        return Decimal(repr(value))  # the store's numeric compares so with a double
    if not isinstance(value, str):
        return value
    try:
        if kind == "date":
            return date.fromisoformat(value)
        if kind.startswith("timestamp"):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError as error:
        raise Configuration(f"{value!r} is not a {kind}") from error
    if kind != "string":
        raise Configuration(f"{value!r} is text, but the field is {kind}")
    return value


def make_pair_greater(kwargs: Mapping[str, Any]) -> PairTest:
    """Make the test of A > B, or A >= B."""
    return operator.ge if kwargs.get("or_equal") else operator.gt


def make_pair_equal(kwargs: Mapping[str, Any]) -> PairTest:
    """Make the test of A = B."""
    del kwargs
    return operator.eq


ValueTestMaker = Callable[[Mapping[str, Any], str], ValueTest]
PairTestMaker = Callable[[Mapping[str, Any]], PairTest]

VALUE_TESTS: Final[Mapping[str, ValueTestMaker]] = {
    "expect_column_values_to_be_in_set": _make_in_set,
    "expect_column_values_to_not_be_in_set": _make_not_in_set,
    "expect_column_values_to_be_between": _make_between,
    "expect_column_value_lengths_to_be_between": _make_lengths_between,
    "expect_column_value_lengths_to_equal": _make_length_equals,
    "expect_column_values_to_match_regex": _make_regex,
    "expect_column_values_to_not_match_regex": _make_not_regex,
}
PAIR_TESTS: Final[Mapping[str, PairTestMaker]] = {
    "expect_column_pair_values_a_to_be_greater_than_b": make_pair_greater,
    "expect_column_pair_values_to_be_equal": make_pair_equal,
}
TABLE_LEVEL: Final = frozenset(
    {
        "expect_column_values_to_be_unique",
        "expect_compound_columns_to_be_unique",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_column_distinct_values_to_be_in_set",
        "expect_column_distinct_values_to_contain_set",
        "expect_column_distinct_values_to_equal_set",
        "expect_column_most_common_value_to_be_in_set",
        "expect_column_max_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_median_to_be_between",
        "expect_column_quantile_values_to_be_between",
        "expect_column_stdev_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_to_exist",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    }
)
"""Expectations about a table as a whole: only Great Expectations runs them, on the stores."""
