"""Patterns under `tables`: resolved against the names that are there, before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.declaration import Declaration
from connectors.errors import Configuration
from connectors.tables import resolve_declarations, resolve_tables

if TYPE_CHECKING:
    from collections.abc import Iterable

THERE = ("ord_hdr", "ord_lin", "ord_Arch", "item", "isthmus_barrier", "sales_signals")


def declare(
    module: str, *tables: str, keys: tuple[tuple[str, tuple[str, ...]], ...] = ()
) -> Declaration:
    """Make a declaration with a barrier and a signal table."""
    return Declaration(
        module=module,
        engine="mariadb",
        host="h",
        port=1,
        database="erp",
        user="u",
        password="${env:P}",
        schema="erp",
        tables=tables,
        keys=keys,
        barrier_table="isthmus_barrier",
        config=(("signal.data.collection", f"erp.{module}_signals"),),
    )


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (("ord_*",), ("ord_Arch", "ord_hdr", "ord_lin")),
        (("ord_[a-z]*",), ("ord_hdr", "ord_lin")),
        (("ord_???", "item"), ("item", "ord_hdr", "ord_lin")),
        (("ord_*", "ord_hdr"), ("ord_Arch", "ord_hdr", "ord_lin")),
        (("*",), ("item", "ord_Arch", "ord_hdr", "ord_lin")),
        (("absent",), ("absent",)),
    ],
)
def test_patterns_are_resolved(declared: tuple[str, ...], found: tuple[str, ...]) -> None:
    """A pattern becomes the tables that it matches, but never Isthmus's or Debezium's own."""
    assert resolve_tables(declare("sales", *declared), THERE).tables == found


def test_a_pattern_that_matches_nothing_is_named() -> None:
    """A pattern without any table is refused with its module and its text."""
    with pytest.raises(Configuration, match=r"module 'sales': tables: 'inv_\*' matches no table"):
        resolve_tables(declare("sales", "ord_hdr", "inv_*"), THERE)


def test_names_are_only_asked_for_where_there_is_a_pattern() -> None:
    """Plain names need no catalogue: nobody is asked."""
    asked = []

    def list_names(declaration: Declaration) -> Iterable[str]:
        asked.append(declaration.module)
        return THERE

    declared = {"a": declare("a", "item"), "b": declare("b", "ord_*")}
    resolved = resolve_declarations(declared, list_names)
    assert asked == ["b"]
    assert resolved["a"] == declared["a"]


def test_two_modules_whose_patterns_meet_are_refused() -> None:
    """A table that a pattern of one module and a name of another give is refused."""
    declared = {"a": declare("a", "ord_hdr"), "b": declare("b", "ord_*")}
    with pytest.raises(Configuration, match="'ord_hdr' belongs to module 'a' already"):
        resolve_declarations(declared, lambda _: THERE)


def test_keys_of_a_table_that_no_pattern_matches_are_refused() -> None:
    """`keys` of a table that is not captured after all would do nothing: it is refused."""
    keys = (("ord_gone", ("id",)),)
    with pytest.raises(Configuration, match="keys: 'ord_gone' is none of the captured tables"):
        resolve_tables(declare("sales", "ord_*", keys=keys), THERE)
