"""A small language for scripts of several sessions, and the tables that they work on.

Enters: nothing. Leaves: the tables as SQL and as the model's definitions, and Steps, each the name
and the arguments of a method that both interpreters (the model, the real programs) have.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from legacy_db.definition import Column, Table

SCHEMA = "erp"
MODULE = "shop"
MODULE_TABLES = ("cust", "empty", "line", "solo")
SIGNAL_TABLE = "signal"
CHUNK_ROWS = 3
OUT_OF_LINE = (("cust", "note"), ("cust", "raw"))
OUT_OF_LINE_LENGTH = 2500
"""PostgreSQL moves values out of rows of more than 2 kB; scripts use longer or far shorter ones."""

_COLUMNS: dict[str, tuple[str, ...]] = {
    "cust": (
        "id bigint not null",
        "name character(10) not null",
        "amount numeric(12,2)",
        "free numeric",
        "born date",
        "ymd integer",
        "at timestamp without time zone",
        "atz timestamp with time zone not null",
        "flag boolean",
        "note text",
        "order text",
        "raw bytea",
        "j jsonb",
        "u uuid",
        "t time without time zone",
    ),
    "line": ("hdr bigint not null", "no integer not null", "qty numeric(9,3)"),
    "empty": ("id integer not null",),
    "solo": (
        "code character(3) not null",
        "small smallint not null",
        "price numeric(8,2) not null",
        "free numeric not null",
        "day date not null",
        "at timestamp without time zone not null",
        "t time without time zone not null",
        "flag boolean not null",
        "raw bytea not null",
        "text character varying(20) not null",
        "ratio double precision not null",
        "u uuid not null",
    ),
    "other": ("id integer not null", "text text"),
    "signal": (
        "id character varying(64) not null",
        "type character varying(32)",
        "data character varying(2048)",
    ),
}
_KEYS = {"cust": ("id",), "line": ("hdr", "no"), "empty": ("id",), "solo": ("code",),
         "other": ("id",), "signal": ("id",)}  # fmt: skip


class Step(NamedTuple):
    """One step: the interpreter's method and its arguments; a session's name comes first."""

    action: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.action}({', '.join(map(repr, self.arguments))})"


Script = list[Step]


def step(action: str, *arguments: Any) -> Step:
    """Make a step."""
    return Step(action, arguments)


def make_definitions() -> list[Table]:
    """Make the definitions that reading the tables' catalogue would give."""
    return [
        Table(
            SCHEMA,
            name,
            tuple(_make_column(number, text) for number, text in enumerate(_COLUMNS[name], 1)),
            _KEYS[name],
        )
        for name in _COLUMNS
    ]


def make_ddl() -> list[str]:
    """Make the statements that create the tables."""
    statements = []
    for table in make_definitions():
        columns = ", ".join(
            f'"{column.name}" {column.type}{"" if column.nullable else " not null"}'
            for column in table.columns
        )
        statements.append(
            f"create table {SCHEMA}.{table.name} ({columns}, primary key ({', '.join(table.key)}))"
        )
    return statements + [
        f"alter table {SCHEMA}.{table} alter column {column} set storage external"
        for table, column in OUT_OF_LINE
    ]


def _make_column(number: int, text: str) -> Column:
    name, _, type_ = text.removesuffix(" not null").partition(" ")
    return Column(name, type_, nullable=not text.endswith(" not null"), attnum=number)
