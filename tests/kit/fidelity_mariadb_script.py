"""The tables and scripts that the model and a real MariaDB both run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fidelity_script import SCHEMA, Script, step

from legacy_db.definition import Column, Table

MODULE = "shop"
MODULE_TABLES = ("barrier", "item", "line")
OTHER_TABLE = "other"
LAST_ID = 999
ENDS_SCRIPT = b'{"id":%d}' % LAST_ID
"""The key of the row that ends every script."""

_COLUMNS = {
    "item": ("id bigint not null", "name text", "price numeric(9,2)"),
    "line": ("hdr bigint not null", "no integer not null", "qty numeric(9,3)"),
    "barrier": ("id integer not null", "content text"),
    OTHER_TABLE: ("id integer not null", "content text"),
}
_KEYS = {"line": ("hdr", "no")}


def make_definitions() -> list[Table]:
    """Make the tables' definitions for the model."""
    return [
        Table(
            SCHEMA,
            name,
            tuple(_make_column(number, text) for number, text in enumerate(columns, 1)),
            _KEYS.get(name, ("id",)),
        )
        for name, columns in _COLUMNS.items()
    ]


def make_ddl() -> list[str]:
    """Make the statements that create the tables in MariaDB."""
    return [
        f"create table {name} ({', '.join(columns)}, "
        f"primary key ({', '.join(_KEYS.get(name, ('id',)))}))"
        for name, columns in _COLUMNS.items()
    ]


def _make_column(number: int, text: str) -> Column:
    name, _, type_ = text.removesuffix(" not null").partition(" ")
    return Column(name, type_, nullable=not text.endswith(" not null"), attnum=number)


def make_item(identity: int, name: str | None = "Zoë's") -> dict[str, Any]:
    """Make an item."""
    return {"id": identity, "name": name, "price": Decimal("12.30")}


def make_line(header: int, number: int, quantity: str = "1.000") -> dict[str, Any]:
    """Make a line."""
    return {"hdr": header, "no": number, "qty": Decimal(quantity)}


_CONNECTED: Script = [
    step("begin", "a"),
    step("copy", "a", "item", [make_item(1), make_item(2)]),
    step("copy", "a", "line", [make_line(1, 1, "2.500"), make_line(1, 2)]),
    step("commit", "a"),
    step("connect"),
    step("await_snapshot"),
]
_END: Script = [
    step("begin", "z"),
    step("insert", "z", "item", make_item(LAST_ID)),
    step("commit", "z"),
]

ALONE: Script = [
    *_CONNECTED,
    # inserts with nulls, a table outside the module before and after
    step("begin", "a"),
    step("insert", "a", OTHER_TABLE, {"id": 1, "content": "unseen"}),
    step("insert", "a", "item", make_item(3, None)),
    step("insert", "a", "line", make_line(3, 1)),
    step("insert", "a", OTHER_TABLE, {"id": 2, "content": "unseen"}),
    step("commit", "a"),
    # one statement of several rows, updates, a row that is written twice
    step("begin", "a"),
    step("copy", "a", "line", [make_line(4, number) for number in range(4)]),
    step("update", "a", "item", (1,), {"name": 'a "short" \\ name'}),
    step("update", "a", "item", (1,), {"price": Decimal("99.90"), "name": None}),
    step("commit", "a"),
    # keys that change, and deletes
    step("begin", "a"),
    step("update", "a", "line", (1, 2), {"no": 9, "qty": Decimal("3.142")}),
    step("update", "a", "item", (2,), {"id": 22}),
    step("delete", "a", "line", (4, 0)),
    step("commit", "a"),
    # a barrier alone, one with rows
    step("begin", "a"),
    step("insert", "a", "barrier", {"id": 1, "content": "alone"}),
    step("commit", "a"),
    step("begin", "a"),
    step("delete", "a", "line", (4, 1)),
    step("insert", "a", "barrier", {"id": 2, "content": "with rows"}),
    step("commit", "a"),
    # nothing of the module, nothing at all, all of it taken back
    step("begin", "a"),
    step("insert", "a", OTHER_TABLE, {"id": 3, "content": None}),
    step("commit", "a"),
    step("begin", "a"),
    step("insert", "a", "line", make_line(5, 1)),
    step("rollback", "a"),
    step("begin", "a"),
    step("savepoint", "a"),
    step("insert", "a", "line", make_line(5, 1)),
    step("rollback_to", "a"),
    step("commit", "a"),
    *_END,
]

INTERLEAVED: Script = [
    *_CONNECTED,
    step("begin", "a"),
    step("begin", "b"),
    step("insert", "a", "line", make_line(10, 1)),
    step("insert", "b", "line", make_line(11, 1)),
    step("savepoint", "a"),
    step("insert", "a", "line", make_line(10, 2)),
    step("update", "a", "item", (1,), {"price": None}),
    step("rollback_to", "a"),
    step("update", "b", "line", (1, 1), {"no": 7}),
    step("copy", "b", "line", [make_line(12, number) for number in range(3)]),
    step("commit", "b"),
    step("begin", "b"),
    step("delete", "b", "line", (12, 1)),
    step("insert", "a", "line", make_line(10, 3)),
    step("begin", "c"),
    step("insert", "c", "barrier", {"id": 1, "content": "between"}),
    step("commit", "c"),
    step("update", "a", "line", (10, 1), {"qty": Decimal(7)}),
    step("commit", "a"),
    step("insert", "b", "line", make_line(13, 1)),
    step("commit", "b"),
    *_END,
]

TRUNCATED: Script = [
    *_CONNECTED,
    step("begin", "a"),
    step("insert", "a", "item", make_item(3)),
    step("commit", "a"),
    step("begin", "b"),
    step("insert", "b", "item", make_item(4)),
    step("begin", "a"),
    step("truncate", "a", "line"),
    step("commit", "a"),
    step("begin", "a"),
    step("insert", "a", "line", make_line(2, 1)),
    step("commit", "a"),
    step("commit", "b"),
    *_END,
]

RESTARTED: Script = [
    *_CONNECTED,
    step("begin", "a"),
    step("begin", "b"),
    step("insert", "a", "line", make_line(2, 1)),
    step("insert", "b", "item", make_item(3)),
    step("update", "a", "line", (1, 1), {"no": 7}),
    step("copy", "a", "line", [make_line(3, number) for number in range(3)]),
    step("commit", "b"),
    step("commit", "a"),
    step("begin", "a"),
    step("truncate", "a", "line"),
    step("commit", "a"),
    *_END,
]
"""BEGIN c END, BEGIN c d c c c c END, BEGIN t, BEGIN c END: records 1 to 16 of the stream."""
RESTARTS = (3, 4, 6, 7, 8, 10, 13)
"""A restart behind an END, a BEGIN, a moved row's `d` and its `c`, the first row of a statement and
its last, a TRUNCATE."""

_STATEMENTS = 30
_ROWS = 100
"""Of a statement: MariaDB writes 8 kB of rows as one event, and splits what is more."""


def _copy_lines(session: str, header: int) -> Script:
    return [
        step("copy", session, "line", [make_line(one, number) for number in range(_ROWS)])
        for one in range(header, header + _STATEMENTS)
    ]


KILLED: Script = [
    *_CONNECTED,
    step("begin", "a"),
    step("begin", "b"),
    step("insert", "b", "item", make_item(3)),
    *_copy_lines("a", 100),
    step("update", "b", "item", (1,), {"id": 11}),
    step("savepoint", "a"),
    step("insert", "a", "line", make_line(31, 1)),
    step("rollback_to", "a"),
    *_copy_lines("a", 200),
    step("begin", "c"),
    step("delete", "c", "item", (2,)),
    step("commit", "a"),
    step("kill", 1_000),
    step("insert", "b", "line", make_line(34, 1)),
    step("commit", "c"),
    step("restart"),
    step("commit", "b"),
    *_END,
]
"""Connect is killed while a is written; b and c are open and have written before that."""

SCRIPTS = {"alone": ALONE, "interleaved": INTERLEAVED, "truncated": TRUNCATED}
