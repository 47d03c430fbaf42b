"""Types of legacy columns: what each is in the mirror, and which changes keep values."""

from __future__ import annotations

import pytest

from legacy_db.column_change import keeps_values, needs_calm
from legacy_db.definition import Column, Table
from legacy_db.supported_types import (
    CatalogueType,
    find_hazards,
    find_unsupported,
    is_supported,
    mirror_type,
)


@pytest.mark.parametrize(
    ("found", "type_"),
    [
        (CatalogueType("numeric(12,2)", "b", "numeric", builtin=True), "numeric(12,2)"),
        (CatalogueType("money", "b", "money", builtin=True), "numeric"),
        (CatalogueType("xml", "b", "xml", builtin=True), "text"),
        (CatalogueType("interval day to second(3)", "b", "interval", builtin=True), "interval"),
        (CatalogueType("erp.mood", "e", "mood", builtin=False), "text"),
        (CatalogueType("erp.mood[]", "e", "mood", builtin=False, is_array=True), "text[]"),
        (CatalogueType("public.citext", "b", "citext", builtin=False), "text"),
        (CatalogueType("citext[]", "b", "citext", builtin=False, is_array=True), "text[]"),
        (CatalogueType("hstore", "b", "hstore", builtin=False), "jsonb"),
        (CatalogueType("hstore[]", "b", "hstore", builtin=False, is_array=True), "hstore[]"),
        (
            CatalogueType("integer[]", "b", "int4", builtin=True, is_array=True, dimensions=2),
            "integer[][]",
        ),
        (CatalogueType("erp.pair", "c", "pair", builtin=False), "erp.pair"),
        (CatalogueType("bit(3)[]", "b", "bit", builtin=True, is_array=True), "bit(3)[]"),
    ],
)
def test_the_mirror_has_a_type_that_every_server_has(found: CatalogueType, type_: str) -> None:
    """Enums and extensions' types become text or jsonb; domains were resolved before."""
    assert mirror_type(found) == type_


def test_columns_that_cannot_come_through_are_named_with_a_reason() -> None:
    """Every unsupported column is told at once, by its own type."""
    table = Table(
        "erp",
        "thing",
        (
            Column("id", "integer", nullable=False, attnum=1),
            Column("flags", "bit varying(8)", nullable=True, attnum=2),
            Column("pairs", "erp.pair", nullable=True, attnum=3),
            Column("spans", "interval[]", nullable=True, attnum=4),
            Column("at", "timestamp(3) without time zone", nullable=True, attnum=5),
        ),
        ("id",),
    )
    refused = find_unsupported(table)
    assert [(one.column, one.type) for one in refused] == [
        ("flags", "bit varying(8)"),
        ("pairs", "erp.pair"),
        ("spans", "interval[]"),
    ]
    assert len({one.reason for one in refused}) == len(refused)
    assert is_supported("timestamp(3) with time zone[]")


def test_arrays_without_a_mark_for_unchanged_values_are_a_hazard() -> None:
    """The statement that mends it stands beside the reason."""
    table = Table(
        "erp",
        "thing",
        (
            Column("id", "integer", nullable=False, attnum=1),
            Column("days", "date[]", nullable=True, attnum=2),
            Column("words", "text[]", nullable=True, attnum=3),
        ),
        ("id",),
    )
    (hazard,) = find_hazards(table)
    assert hazard.column == "days"
    assert hazard.advice == 'alter table "erp"."thing" replica identity full'


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("integer", "numeric(10,0)", True),
        ("integer", "numeric(9,0)", False),
        ("numeric(8,2)", "numeric(10,4)", True),
        ("numeric(8,2)", "numeric(8,3)", False),
        ("numeric(8,2)", "numeric", True),
        ("numeric", "numeric(8,2)", False),
        ("character varying(5)", "character varying(6)", True),
        ("character varying(6)", "character varying(5)", False),
        ("character varying(6)", "text", True),
        ("text", "character varying(5)", False),
        ("character(3)", "character(5)", True),
        ("timestamp(3) without time zone", "timestamp without time zone", True),
        ("timestamp without time zone", "timestamp(0) without time zone", False),
        ("timestamp without time zone", "timestamp with time zone", False),
        ("text", "jsonb", False),
        ("real", "double precision", True),
    ],
)
def test_a_wider_type_keeps_every_value(before: str, after: str, kept: bool) -> None:  # noqa: FBT001 - a parameter of the cases
    """A narrower type, or one whose cast hangs on the session, may not."""
    assert keeps_values(before, after) is kept


@pytest.mark.parametrize(
    ("before", "after", "calm"),
    [
        ("smallint", "bigint", False),
        ("character varying(5)", "text", False),
        ("numeric(8,2)", "numeric(10,2)", False),
        ("integer", "numeric", True),
        ("numeric(8,2)", "numeric(8,1)", True),
        ("text", "integer", True),
    ],
)
def test_a_type_of_another_family_needs_a_calm_moment(before: str, after: str, calm: bool) -> None:  # noqa: FBT001 - a parameter of the cases
    """Debezium reads what was written before by the catalogue of after."""
    assert needs_calm(before, after) is calm
