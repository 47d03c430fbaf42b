"""Definitions: the declared key of a table without one, and what can't be a key."""

from __future__ import annotations

import pytest

from legacy_db.definition import Column, Table, apply_keys
from legacy_db.errors import Configuration

KEYLESS = Table(
    "erp",
    "log",
    (
        Column("at", "date", False, 1),
        Column("no", "integer", False, 2),
        Column("memo", "text", True, 3),
    ),
    (),
)
KEYED = Table("erp", "item", (Column("id", "integer", nullable=False, attnum=1),), ("id",))
TABLES = {"log": KEYLESS, "item": KEYED}


def test_a_declared_key_is_that_of_a_keyless_table() -> None:
    """A table without a primary key gets the declared one, in its order; the others stay."""
    found = apply_keys(TABLES, {"log": ("no", "at"), "elsewhere": ("id",)})
    assert found["log"].key == ("no", "at")
    assert found["item"] is KEYED
    assert apply_keys(TABLES, {}) == TABLES


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ("item", ("id",), r"erp\.item has a primary key \(id\)"),
        ("log", ("num",), r"erp\.log has no column num"),
        ("log", ("no", "memo"), "column memo may be null"),
    ],
)
def test_what_can_not_be_a_key_is_refused(table: str, key: tuple[str, ...], words: str) -> None:
    """A key beside a primary key, of an absent column or of one that may be null is refused."""
    with pytest.raises(Configuration, match=words):
        apply_keys(TABLES, {table: key})
