"""DDL statements give the changes that they would make of the legacy tables."""

from __future__ import annotations

import pytest

from legacy_db.ddl import parse_ddl
from legacy_db.definition import Column, Table
from legacy_db.errors import Configuration
from legacy_db.table_change import ChangeKind, TableChange, compare_tables

ADD, DROP = ChangeKind.ADD_COLUMN, ChangeKind.DROP_COLUMN


@pytest.mark.parametrize(
    ("statement", "changes"),
    [
        (
            'ALTER TABLE retail.T ADD "X y" numeric(12, 2) NOT NULL DEFAULT 5, DROP z CASCADE',
            [
                TableChange(
                    ADD, "t", "X y", type="numeric(12,2)", nullable=False, has_default=True
                ),
                TableChange(DROP, "t", "z"),
            ],
        ),
        (
            "alter table only t alter column a type varchar(5) using a::text, alter b set not null",
            [
                TableChange(ChangeKind.RETYPE_COLUMN, "t", "a", type="character varying(5)"),
                TableChange(ChangeKind.SET_NOT_NULL, "t", "b"),
            ],
        ),
        (
            "alter table t rename column a to b; alter table t rename to u",
            [
                TableChange(ChangeKind.RENAME_COLUMN, "t", "a", to="b"),
                TableChange(ChangeKind.RENAME_TABLE, "t", to="u"),
            ],
        ),
        (
            "alter table t add at timestamptz(3) default now()",
            [TableChange(ADD, "t", "at", type="timestamp(3) with time zone", has_default=True)],
        ),
        (
            "alter table t add u uuid default gen_random_uuid()",
            [TableChange(ADD, "t", "u", type="uuid", has_default=True, filled=True)],
        ),
        (
            "alter table t add g int generated always as (a + 1) stored",
            [TableChange(ADD, "t", "g", type="integer", filled=True, generated=True)],
        ),
        (
            "alter table t add primary key (a, b); truncate t; drop table t, u",
            [
                TableChange(ChangeKind.CHANGE_KEY, "t", to="a, b"),
                TableChange(ChangeKind.TRUNCATE_TABLE, "t"),
                TableChange(ChangeKind.DROP_TABLE, "t"),
                TableChange(ChangeKind.DROP_TABLE, "u"),
            ],
        ),
        (
            "alter table t attach partition p for values from (1) to (2)",
            [TableChange(ChangeKind.ATTACH_PARTITION, "t")],
        ),
        ("alter table t detach partition p", [TableChange(ChangeKind.DETACH_PARTITION, "t")]),
        (
            "alter table T drop constraint t_pkey, drop constraint t_a_check",
            [TableChange(ChangeKind.CHANGE_KEY, "t", to="")],
        ),
        (
            "alter table t drop column if exists a",
            [TableChange(DROP, "t", "a", if_exists=True)],
        ),
        ("alter table other.t drop column a", []),
        ("alter table t rename A to b", [TableChange(ChangeKind.RENAME_COLUMN, "t", "a", to="b")]),
        ("alter table t rename to u", [TableChange(ChangeKind.RENAME_TABLE, "t", to="u")]),
        ("create index on t (a); alter type mood add value 'x'", []),
        ("alter table t replica identity full; alter table t alter a drop default", []),
    ],
)
def test_postgresql_statements(statement: str, changes: list[TableChange]) -> None:
    """What changes the shape of rows is told; names are folded, other schemas are not ours."""
    assert parse_ddl(statement, "postgresql", "retail") == changes


def test_a_primary_key_of_another_name_is_known() -> None:
    """The catalogue tells what it is called; a constraint of the usual name is then another one."""
    statement = "alter table t drop constraint T_key; alter table t drop constraint t_pkey"
    assert parse_ddl(statement, "postgresql", "retail", {"t": "t_key"}) == [
        TableChange(ChangeKind.CHANGE_KEY, "t", to="")
    ]
    statement = "alter table t drop constraint `Primary`; alter table t drop constraint t_pkey"
    assert parse_ddl(statement, "mariadb", "shop") == [
        TableChange(ChangeKind.CHANGE_KEY, "t", to="")
    ]


def test_mariadb_statements() -> None:
    """MODIFY and CHANGE tell a column again, with MariaDB's own types and names."""
    statement = "alter table T change a b bigint unsigned, modify c varchar(20), add d int after a"
    assert parse_ddl(statement, "mariadb", "shop") == [
        TableChange(ChangeKind.RENAME_COLUMN, "T", "a", to="b"),
        TableChange(ChangeKind.RETYPE_COLUMN, "T", "a", type="numeric(20,0)"),
        TableChange(ChangeKind.RETYPE_COLUMN, "T", "c", type="character varying(20)"),
        TableChange(ADD, "T", "d", type="integer"),
    ]
    assert parse_ddl("rename table a to b", "mariadb", "shop") == [
        TableChange(ChangeKind.RENAME_TABLE, "a", to="b")
    ]

    assert parse_ddl("alter table t drop primary key, drop a", "mariadb", "shop") == [
        TableChange(ChangeKind.CHANGE_KEY, "t", to=""),
        TableChange(ChangeKind.DROP_COLUMN, "t", "a"),
    ]


@pytest.mark.parametrize(
    ("engine", "statement"),
    [
        ("postgresql", "alter table t owner to x, drop column a"),
        ("postgresql", "alter table t enable row level security, drop column a"),
        ("mariadb", "alter table t convert to character set utf8mb4, drop column a"),
        ("mariadb", "rename table a to b, c to d"),
    ],
)
def test_what_was_read_in_part_is_refused(engine: str, statement: str) -> None:
    """A harmless beginning says nothing of what follows it."""
    with pytest.raises(Configuration, match="can't be read as DDL"):
        parse_ddl(statement, engine, "shop")


@pytest.mark.parametrize("statement", ["", "alter table", "select 1", "do $$ begin end $$"])
def test_what_is_no_ddl_is_refused(statement: str) -> None:
    """Nothing is told of a statement that was not understood."""
    with pytest.raises(Configuration, match="--ddl"):
        parse_ddl(statement, "postgresql", "retail")


def make_table(*columns: Column, key: tuple[str, ...] = ("a",), numbered: bool = True) -> Table:
    """Make a table's definition."""
    return Table("erp", "t", columns, key, numbered=numbered)


def test_two_definitions_tell_what_happened_between_them() -> None:
    """Columns are known by their numbers: a new name is no new column."""
    before = make_table(
        Column("a", "integer", nullable=False, attnum=1),
        Column("b", "text", nullable=True, attnum=2),
        Column("c", "integer", nullable=True, attnum=3),
    )
    after = make_table(
        Column("a", "bigint", nullable=False, attnum=1),
        Column("bb", "text", nullable=False, attnum=2),
        Column("d", "integer", nullable=True, attnum=4, missing="{5}"),
    )
    assert compare_tables(before, after) == [
        TableChange(DROP, "t", "c"),
        TableChange(ChangeKind.RETYPE_COLUMN, "t", "a", type="bigint"),
        TableChange(ChangeKind.RENAME_COLUMN, "t", "b", to="bb"),
        TableChange(ChangeKind.SET_NOT_NULL, "t", "b"),
        TableChange(ADD, "t", "d", type="integer", has_default=True),
    ]


def test_columns_without_numbers_are_known_by_name() -> None:
    """On MariaDB a column's place says nothing: one that was put between two is the only change."""
    before = make_table(
        Column("a", "integer", nullable=False, attnum=1),
        Column("b", "text", nullable=True, attnum=2),
        numbered=False,
    )
    after = make_table(
        Column("a", "integer", nullable=False, attnum=1),
        Column("new", "text", nullable=True, attnum=2),
        Column("b", "text", nullable=True, attnum=3),
        numbered=False,
    )
    assert compare_tables(before, after) == [TableChange(ADD, "t", "new", type="text")]
