"""Which change of a schema can't read what was written before (adapters.compatibility)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from adapters.compatibility import find_incompatibilities

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
LINE = {"type": "record", "name": "Line", "fields": [{"name": "number", "type": "int"}]}
OLD: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "namespace": "t.v1",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "total", "type": ["null", MONEY], "default": None},
        {"name": "lines", "type": {"type": "array", "items": LINE}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "child", "type": ["null", "Order"], "default": None},
    ],
}


def change(index: int, **changes: Any) -> dict[str, Any]:
    """Return the old schema with one field changed."""
    schema = copy.deepcopy(OLD)
    schema["fields"][index] |= changes
    return schema


def add(**field: Any) -> dict[str, Any]:
    """Return the old schema with one more field."""
    return {**OLD, "fields": [*OLD["fields"], field]}


def without(index: int) -> dict[str, Any]:
    """Return the old schema without one of its fields."""
    return {**OLD, "fields": [one for at, one in enumerate(OLD["fields"]) if at != index]}


@pytest.mark.parametrize(
    "reader",
    [
        OLD,
        change(0, type="long"),
        change(0, type=["null", "long"]),
        change(0, doc="another text"),
        change(0, name="number", aliases=["id"]),
        change(3, type={"type": "enum", "name": "Kind", "symbols": ["B", "C", "A"]}),
        change(3, type={"type": "enum", "name": "Kind", "symbols": ["A"], "default": "A"}),
        add(name="new", type="string", default=""),
        without(2),
    ],
)
def test_these_changes_read_the_old_values(reader: dict[str, Any]) -> None:
    """Promotions, defaults, aliases, new symbols and removed fields are compatible."""
    assert find_incompatibilities(reader, OLD) == ()


@pytest.mark.parametrize(
    ("reader", "field", "reason"),
    [
        (add(name="new", type="string"), "new", "is new and has no default"),
        (change(0, name="other"), "other", "is new and has no default"),
        (change(0, type="string"), "id", "is string, was int"),
        (change(0, type=["null", "string"]), "id", "is one of null, string, was int"),
        (change(1, type=MONEY), "total", "is bytes, was null"),
        (change(1, type=["null", {**MONEY, "scale": 3}]), "total", "scale is 3, was 2"),
        (change(1, type=["null", {**MONEY, "precision": 9}]), "total", "precision is 9, was 12"),
        (change(1, type=["null", "bytes"]), "total", "logicalType is None, was decimal"),
        (
            change(3, type={"type": "enum", "name": "Kind", "symbols": ["A"]}),
            "kind",
            "lost the symbols B",
        ),
        (change(4, type={"type": "map", "values": "int"}), "tags", "is int, was string"),
        (
            change(
                2,
                type={"type": "array", "items": {**LINE, "fields": [{"name": "n", "type": "int"}]}},
            ),
            "lines.n",
            "is new and has no default",
        ),
        ({**OLD, "name": "Other"}, "(the schema)", "name is Other, was Order"),
    ],
)
def test_these_changes_are_told_with_their_field(
    reader: dict[str, Any], field: str, reason: str
) -> None:
    """The path leads into arrays, and the reason says what is and what was."""
    found = [(one.field, one.reason) for one in find_incompatibilities(reader, OLD)]
    assert (field, reason) in found
