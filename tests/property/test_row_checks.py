"""The compiled checks agree with Great Expectations on the same rows (pipeline.quality)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import great_expectations
import pandas as pd
import pytest
from great_expectations.data_context.types.base import ProgressBarsConfig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import make_contract
from pipeline.quality.row_checks import compile_checks
from pipeline.quality.suite import ContractSuites, Expectation, Suite

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}
CONTRACT = make_contract(
    "t.Row.v1",
    {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "text", "type": ["null", "string"], "default": None},
            {"name": "first", "type": ["null", MONEY], "default": None},
            {"name": "second", "type": ["null", MONEY], "default": None},
        ],
    },
)
NUMBERS = st.integers(-300, 300).map(lambda one: Decimal(one).scaleb(-2))
TEXTS = st.text("aAb1½ \\.", max_size=3)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | TEXTS,
            "first": st.none() | NUMBERS,
            "second": st.none() | NUMBERS,
        }
    ),
    min_size=1,
    max_size=8,
)
BOUNDS = st.tuples(st.integers(-2, 0), st.integers(0, 2))
NUMERIC = st.sampled_from(["first", "second"])
PAIR = {"column_A": "first", "column_B": "second", "ignore_row_if": "either_value_is_missing"}
REGEXES = st.sampled_from([r"\Aa", r"b\Z", r"[aA]{2}", r"^.$", r"\A[^ ]+\Z", "1|½", r"\\"])


def _expect(type_: str, **kwargs: Any) -> Expectation:
    return Expectation(type_, kwargs)


EXPECTATIONS = st.one_of(
    st.sampled_from(["text", "first"]).map(
        lambda column: _expect("expect_column_values_to_not_be_null", column=column)
    ),
    st.sampled_from(["text", "first"]).map(
        lambda column: _expect("expect_column_values_to_be_null", column=column)
    ),
    st.builds(
        lambda type_, values: _expect(type_, column="text", value_set=values),
        st.sampled_from(
            ["expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set"]
        ),
        st.lists(TEXTS, min_size=1, max_size=3),
    ),
    st.builds(
        lambda column, bounds, low, high: _expect(
            "expect_column_values_to_be_between",
            column=column,
            min_value=bounds[0],
            max_value=bounds[1],
            strict_min=low,
            strict_max=high,
        ),
        NUMERIC,
        BOUNDS,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        lambda type_, regex: _expect(type_, column="text", regex=regex),
        st.sampled_from(
            ["expect_column_values_to_match_regex", "expect_column_values_to_not_match_regex"]
        ),
        REGEXES,
    ),
    st.builds(
        lambda least, more: _expect(
            "expect_column_value_lengths_to_be_between",
            column="text",
            min_value=least,
            max_value=least + more,
        ),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    st.integers(0, 3).map(
        lambda length: _expect("expect_column_value_lengths_to_equal", column="text", value=length)
    ),
    st.booleans().map(
        lambda equal: _expect(
            "expect_column_pair_values_a_to_be_greater_than_b", or_equal=equal, **PAIR
        )
    ),
    st.just(_expect("expect_column_pair_values_to_be_equal", **PAIR)),
)

Validate = Callable[[list[dict[str, Any]], Expectation], int]


@pytest.fixture(scope="module")
def validate() -> Validate:
    """Count, with Great Expectations, the rows that break an expectation."""
    context = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("rows")

    def count(rows: list[dict[str, Any]], expectation: Expectation) -> int:
        frame = pd.DataFrame(rows, columns=["text", "first", "second"], dtype=object)
        suite = great_expectations.ExpectationSuite(
            name="s", expectations=[{"type": expectation.type, "kwargs": dict(expectation.kwargs)}]
        )
        batch = definition.get_batch({"dataframe": frame})
        (result,) = batch.validate(suite).results
        assert not result.exception_info.get("raised_exception"), result.exception_info
        return int(result.result["unexpected_count"])

    return count


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=ROWS, expectation=EXPECTATIONS)
def test_compiled_checks_break_the_same_rows(
    validate: Validate, rows: list[dict[str, Any]], expectation: Expectation
) -> None:
    """As many rows break the compiled expectation as Great Expectations calls unexpected."""
    check = compile_checks(ContractSuites("t.Row.v1", Suite("s", (expectation,), {})), CONTRACT)
    broken = sum(check(row) is not None for row in rows)
    assert broken == validate(rows, expectation)
