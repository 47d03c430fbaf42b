"""Columns of the mirror are known by their numbers in the legacy catalogue."""

from __future__ import annotations

import pytest

from legacy_db.definition import Column, Table
from pipeline.translate.mirror_table import NAME_MAX, find_survivors, short_name


def make_table(**numbers: int) -> Table:
    """Make a table of integer columns with these numbers."""
    columns = tuple(Column(name, "integer", True, number) for name, number in numbers.items())
    return Table("erp", "thing", columns, (columns[0].name,))


@pytest.mark.parametrize(
    ("table", "present", "renames"),
    [
        (make_table(a=1, b=2), {"a": 1, "b": 2}, {}),
        (make_table(a=1, c=2), {"a": 1, "b": 2}, {"b": "c"}),
        (make_table(a=1, c=3), {"a": 1, "b": 2}, {}),
        (make_table(a=1, c=2), {"a": None, "b": None}, {}),
        (make_table(a=1, b=3, c=2), {"a": 1, "b": 2, "c": 3}, {"b": "c", "c": "b"}),
        (make_table(a=1, b=2, c=3), {"a": 1, "b": 3, "c": 4}, {}),
        (make_table(b=2, a=3), {"a": 1, "b": 2, "c": 3}, {"c": "a"}),
    ],
    ids=["same", "renamed", "dropped and added", "unknown", "swapped", "restored", "replaced"],
)
def test_a_renamed_column_is_told_from_a_new_one(
    table: Table, present: dict[str, int | None], renames: dict[str, str]
) -> None:
    """A restored database numbers its columns anew, in the same order: nothing was renamed."""
    assert {
        old: new for old, new in find_survivors(table, present).items() if old != new
    } == renames


def test_a_column_that_was_added_again_is_another_one() -> None:
    """It has the name of the one before, but not its values: its number is higher than any."""
    assert find_survivors(make_table(a=1, b=3), {"a": 1, "b": 2}) == {"a": "a"}


def test_long_names_stay_different() -> None:
    """Two names with the same beginning do not share a staging table or an index."""
    first, second = ("x" * NAME_MAX + end for end in "ab")
    assert len(short_name(first)) <= NAME_MAX
    assert short_name(first) != short_name(second)
    assert short_name("short") == "short"
