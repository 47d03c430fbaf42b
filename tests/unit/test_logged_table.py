"""Tables as DDL in MariaDB's log tells them, fitted to those that were known before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from legacy_db.definition import Column, Table
from legacy_db.mariadb.logged_table import fit_table

TYPES = {"a": "bigint", "b": "text", "c": "integer"}


def make_table(**columns: str) -> Table:
    """Make a table as the log tells it: columns are numbered by their places."""
    return Table(
        "erp",
        "t",
        tuple(
            Column(name, type_, nullable=True, attnum=number, native=f"native {type_}")
            for number, (name, type_) in enumerate(columns.items(), 1)
        ),
        ("a",),
    )


def fit(ddl: str, before: Table, **columns: str) -> Table:
    """Fit what a statement makes of a table."""
    return fit_table(make_table(**columns), before, ddl, {})


def numbers(table: Table) -> dict[str, int]:
    """Return the numbers of a table's columns."""
    return {column.name: column.attnum for column in table.columns}


def test_columns_that_move_keep_their_numbers() -> None:
    """A column that is added before others, or dropped, renumbers none of them."""
    table = make_table(**TYPES)
    added = fit("alter table t add x int first", table, x="integer", **TYPES)
    assert numbers(added) == {"x": 4, "a": 1, "b": 2, "c": 3}
    dropped = fit("alter table t drop b", added, x="integer", a="bigint", c="integer")
    assert numbers(dropped) == {"x": 4, "a": 1, "c": 3}
    assert fit("alter table t comment 'same'", table, **TYPES) == table


@pytest.mark.parametrize(
    "ddl",
    [
        "alter table t change b d text",
        "ALTER TABLE erp.t\n CHANGE COLUMN `b` `d` text, add x int",
        "alter table t rename column b to d",
        "alter table t rename column if exists B to `d`",
    ],
)
def test_a_renamed_column_keeps_its_number(ddl: str) -> None:
    """The statement tells that it is no other column."""
    fitted = fit(ddl, make_table(**TYPES), a="bigint", d="text", c="integer")
    assert numbers(fitted) == {"a": 1, "d": 2, "c": 3}


def test_a_column_in_the_place_of_another_is_a_new_one() -> None:
    """Nothing but CHANGE and RENAME carries values over."""
    ddl = "alter table t drop b, add d text after a"
    fitted = fit(ddl, make_table(**TYPES), a="bigint", d="text", c="integer")
    assert numbers(fitted) == {"a": 1, "d": 4, "c": 3}


@pytest.mark.parametrize(
    "ddl",
    [
        "alter table t drop b, add b text default 'x'",
        "ALTER TABLE t DROP COLUMN IF EXISTS `B`, ADD COLUMN b text default 'x'",
    ],
)
def test_a_column_that_is_dropped_and_added_in_one_go_is_a_new_one(ddl: str) -> None:
    """Its rows hold what its default says, and none of the values before."""
    fitted = fit_table(make_table(a="bigint", c="integer", b="text"), make_table(**TYPES), ddl,
                       {"b": "x"})  # fmt: skip
    assert numbers(fitted) == {"a": 1, "b": 4, "c": 3}
    assert fitted.column("b").missing == '{"x"}'


@pytest.mark.parametrize(
    "ddl",
    [
        "alter table t comment 'first drop column b, or rename column c to b'",
        "alter table t /* change b c text */ engine = InnoDB -- drop b",
        "alter table t drop index b_at, drop key c, drop primary key, add primary key (a)",
    ],
)
def test_what_a_text_says_of_columns_is_not_done(ddl: str) -> None:
    """Texts and remarks drop and rename nothing; indexes are no columns."""
    table = make_table(**TYPES)
    assert fit(ddl, table, **TYPES) == table


def test_columns_may_swap_their_names() -> None:
    """Each keeps its number under its new name; a freed name is a new column's."""
    ddl = "alter table t rename column b to c, rename column c to b"
    fitted = fit(ddl, make_table(**TYPES), a="bigint", c="text", b="integer")
    assert numbers(fitted) == {"a": 1, "c": 2, "b": 3}
    ddl = "alter table t change b d text, add b date"
    fitted = fit(ddl, make_table(**TYPES), a="bigint", d="text", c="integer", b="date")
    assert numbers(fitted) == {"a": 1, "d": 2, "c": 3, "b": 4}


@pytest.mark.parametrize(
    ("type_", "nullable", "default", "missing"),
    [
        ("integer", True, None, None),
        ("integer", True, "5", '{"5"}'),
        ("numeric(9,2)", False, "5.50", '{"5.50"}'),
        ("integer", False, None, '{"0"}'),
        ("text", False, None, '{""}'),
        ("text", False, "it''s \"so\"", '{"it\'s \\"so\\""}'),
        ("character varying(9)", False, "new", '{"new"}'),
    ],
)
def test_older_rows_hold_the_default(
    type_: str,
    nullable: bool,  # noqa: FBT001 - a parameter
    default: str | None,
    missing: str | None,
) -> None:
    """No change tells them of a column that is added: what they hold is a constant, or null."""
    added = Column("x", type_, nullable=nullable, attnum=4)
    table = make_table(**TYPES)
    fitted = fit_table(
        Table("erp", "t", (*table.columns, added), ("a",)), table, "alter", {"x": default}
    )
    assert (fitted.column("x").missing, fitted.column("x").filled) == (missing, False)
    later = fit_table(make_table(**TYPES, x=type_), fitted, "alter", {"x": default})
    assert later.column("x").missing == missing  # for ever: the rows are as old as they were


@pytest.mark.parametrize(
    ("type_", "default"),
    [
        ("timestamp(0) with time zone", "1970-01-01 00:00:00"),
        ("text", "uuid()"),
        ("text", r"a\\b"),
        ("uuid", None),
    ],
)
def test_what_a_default_computes_is_not_known(type_: str, default: str | None) -> None:
    """Then only a snapshot tells what older rows hold."""
    table = make_table(**TYPES)
    added = Column("x", type_, nullable=False, attnum=4)
    fitted = fit_table(
        Table("erp", "t", (*table.columns, added), ("a",)), table, "alter", {"x": default}
    )
    assert (fitted.column("x").missing, fitted.column("x").filled) == (None, True)


def test_the_first_definition_is_taken_as_it_is() -> None:
    """Nothing is known before it."""
    table = make_table(**TYPES)
    told = replace(table, numbered=False)
    assert fit_table(told, None, "create table t", {}) == table


@pytest.mark.parametrize(
    "ddl",
    [
        "alter table t add x int generated always as (a + 1)",
        "alter table t add `x` int AS (a) stored",
    ],
)
def test_what_a_generated_column_holds_is_not_known(ddl: str) -> None:
    """Debezium tells it like any other column."""
    fitted = fit(ddl, make_table(**TYPES), **TYPES, x="integer")
    assert fitted.column("x").filled
