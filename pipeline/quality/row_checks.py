"""Compiles the row-level expectations of a contract's suites into one function of a state.

Enters: suites and their contract. Leaves: `check_state(state)`, the first broken expectation or
None. Only `critical` expectations without `mostly` are enforced on events; Great Expectations runs
all of them on the stores. NULL satisfies everything but not-null, as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.contract import Contract
from pipeline.errors import Configuration
from pipeline.quality import row_tests
from pipeline.quality.row_tests import PAIR_TESTS, TABLE_LEVEL, VALUE_TESTS, PairTest, ValueTest
from pipeline.quality.suite import CRITICAL, ContractSuites, Expectation, Suite

_EITHER_MISSING: Final = "either_value_is_missing"


@dataclass(frozen=True, slots=True)
class Broken:
    """The expectation that a state broke, and the field (`lines.quantity` in an array)."""

    expectation: str
    column: str

    def __str__(self) -> str:
        return f"{self.column}: {self.expectation}"


State = Mapping[str, Any]
CheckState = Callable[[State], Broken | None]


@dataclass(slots=True)
class _ColumnChecks:
    """What is asked of one column: is null allowed, and the tests of a value that is not null."""

    column: str
    null: Broken | None = None
    tests: list[tuple[ValueTest, Broken]] | None = None


def compile_checks(suites: ContractSuites | None, contract: Contract) -> CheckState:
    """Compile the suites of a contract; Configuration names an expectation that can't be."""
    if suites is None:
        return _accept
    root = _compile_suite(suites.root, contract.schema["fields"], "") if suites.root else _accept
    children = tuple(
        (array, _compile_suite(suite, _record_fields(contract, array), f"{array}."))
        for array, suite in suites.children.items()
    )

    def check_state(state: State) -> Broken | None:
        if state.get("deleted"):
            return None
        broken = root(state)
        if broken is not None:
            return broken
        for array, check in children:
            for record in state[array] or ():
                broken = check(record)
                if broken is not None:
                    return broken
        return None

    return check_state


def _accept(state: State) -> Broken | None:
    del state
    return None


def _compile_suite(suite: Suite, fields: Sequence[Mapping[str, Any]], path: str) -> CheckState:
    kinds = {field["name"]: _kind(field["type"]) for field in fields}
    columns: dict[str, _ColumnChecks] = {}
    pairs: list[tuple[str, str, PairTest, Broken]] = []
    for expectation in suite.expectations:
        try:
            if _is_row_level(expectation):
                _compile_expectation(expectation, kinds, path, columns, pairs)
        except (Configuration, KeyError, TypeError) as error:
            reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise Configuration(
                f"suite {suite.name}: {expectation.type} of {expectation.column or 'the table'} "
                f"{reason}"
            ) from error
    return _make_check(columns, pairs)


def _is_row_level(expectation: Expectation) -> bool:
    kwargs = expectation.kwargs
    if expectation.type in TABLE_LEVEL:
        return False
    known = {row_tests.NOT_NULL, row_tests.NULL, *VALUE_TESTS, *PAIR_TESTS}
    if expectation.type not in known:
        raise Configuration("is not known: neither a row-level nor a table-level expectation")
    if kwargs.get("row_condition") is not None:
        raise Configuration("has a row_condition, which is not supported: split the suite")
    mostly = kwargs.get("mostly")
    return expectation.severity == CRITICAL and (mostly is None or mostly >= 1)


def _compile_expectation(
    expectation: Expectation,
    kinds: Mapping[str, str],
    path: str,
    columns: dict[str, _ColumnChecks],
    pairs: list[tuple[str, str, PairTest, Broken]],
) -> None:
    type_, kwargs = expectation.type, expectation.kwargs
    if type_ in PAIR_TESTS:
        first, second = (_known(kwargs[name], kinds, path) for name in ("column_A", "column_B"))
        if kwargs.get("ignore_row_if") != _EITHER_MISSING:
            raise Configuration(
                f'needs "ignore_row_if": "{_EITHER_MISSING}": with anything else the engines of '
                "Great Expectations differ"
            )
        broken = Broken(type_, f"{path}{first}, {path}{second}")
        pairs.append((first, second, PAIR_TESTS[type_](kwargs), broken))
        return
    column = _known(kwargs["column"], kinds, path)
    checks = columns.setdefault(column, _ColumnChecks(column, tests=[]))
    broken = Broken(type_, f"{path}{column}")
    if type_ == row_tests.NOT_NULL:
        checks.null = broken
    elif checks.tests is not None:
        test = _never if type_ == row_tests.NULL else VALUE_TESTS[type_](kwargs, kinds[column])
        checks.tests.append((test, broken))


def _never(value: Any) -> bool:
    del value
    return False


def _known(column: str, kinds: Mapping[str, str], path: str) -> str:
    if column not in kinds:
        raise Configuration(f"names {path}{column}, which is no field of the contract")
    return column


def _make_check(
    columns: Mapping[str, _ColumnChecks], pairs: Sequence[tuple[str, str, PairTest, Broken]]
) -> CheckState:
    plan = tuple((one.column, one.null, tuple(one.tests or ())) for one in columns.values())
    pair_plan = tuple(pairs)

    def check(row: State) -> Broken | None:
        for column, null, tests in plan:
            value = row[column]
            if value is None:
                if null is not None:
                    return null
                continue
            for test, broken in tests:
                if not test(value):
                    return broken
        for first, second, pair_test, broken in pair_plan:
            left, right = row[first], row[second]
            if left is not None and right is not None and not pair_test(left, right):
                return broken
        return None

    return check


def _record_fields(contract: Contract, array: str) -> Sequence[Mapping[str, Any]]:
    field = next(one for one in contract.schema["fields"] if one["name"] == array)
    for branch in field["type"] if isinstance(field["type"], list) else [field["type"]]:
        if isinstance(branch, dict) and branch.get("type") == "array":
            items = branch["items"]
            if isinstance(items, dict) and items.get("type") == "record":
                fields: Sequence[Mapping[str, Any]] = items["fields"]
                return fields
    raise Configuration(f"{contract.type}.{array} is no array of records: it can't have a suite")


def _kind(type_: Any) -> str:
    """Return the logical or plain Avro type of a field, without null."""
    if isinstance(type_, list):
        return next((_kind(one) for one in type_ if one != "null"), "null")
    if isinstance(type_, dict):
        return str(type_.get("logicalType") or type_["type"])
    return str(type_)
