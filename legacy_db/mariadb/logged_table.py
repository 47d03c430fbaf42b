"""A table as DDL in the change log tells it, fitted to the one that was known before.

Enters: a definition from the log, and the one that the mirror follows. Leaves: the definition whose
columns have numbers of their own, as PostgreSQL's catalogue gives them and MariaDB's does not: a
column keeps its number when others move, and when it is renamed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from legacy_db.mariadb.text import type_base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from legacy_db.definition import Column, Table

_NAME = r"(`(?:[^`]|``)+`|[\w$]+)"
_RENAMES = (
    re.compile(rf"\bchange\s+(?:column\s+)?(?:if\s+exists\s+)?{_NAME}\s+{_NAME}", re.IGNORECASE),
    re.compile(rf"\brename\s+column\s+(?:if\s+exists\s+)?{_NAME}\s+to\s+{_NAME}", re.IGNORECASE),
)
_DROPS = re.compile(
    rf"\bdrop\s+(?:column\s+(?:if\s+exists\s+)?|if\s+exists\s+)?(?P<name>{_NAME})", re.IGNORECASE
)
_NO_COLUMNS = frozenset(
    {*("index", "key", "primary", "foreign", "constraint", "check"), *("partition", "default")}
)
"""What else ALTER TABLE drops, said where a column's name would stand."""
_TEXTS = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|/\*(?![!M]).*?\*/|(?:--\s|\#)[^\n]*""", re.DOTALL
)
"""Texts and remarks in a statement: what they say of columns is nothing that is done."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NUMERIC = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_TEXTUAL = frozenset({"text", "character varying"})


def fit_table(
    table: Table, kept: Table | None, ddl: str, defaults: Mapping[str, str | None]
) -> Table:
    """Give columns the numbers that `kept` has, and say what older rows hold in new ones."""
    if kept is None:
        return replace(table, numbered=True)
    ddl = _TEXTS.sub("''", ddl)
    dropped = _find_dropped(ddl)
    known = {column.name: column for column in kept.columns}
    before = {new: old for old, new in find_renames(ddl, table, kept).items()}
    newest = max((column.attnum for column in kept.columns), default=0)
    columns = []
    for column in table.columns:
        same = known.get(before.get(column.name, column.name))
        is_other = column.name in before.values() or column.name.lower() in dropped
        if same is None or (is_other and column.name not in before):
            newest += 1
            added = replace(column, attnum=newest)
            if _is_computed(ddl, column.name):
                columns.append(replace(added, filled=True))
            else:
                columns.append(_fill(added, defaults.get(column.name)))
            continue
        native = same.native if same.type == column.type else column.native
        columns.append(
            replace(
                column,
                attnum=same.attnum,
                native=native,
                missing=same.missing,
                filled=same.filled,
            )
        )
    return replace(table, columns=tuple(columns), numbered=True)


def find_renames(ddl: str, table: Table, kept: Table) -> dict[str, str]:
    """Return the new names of columns that a statement renames: CHANGE or RENAME COLUMN."""
    old_names = {column.name.lower(): column.name for column in kept.columns}
    new_names = {column.name.lower(): column.name for column in table.columns}
    renames = {}
    for pattern in _RENAMES:
        for match in pattern.finditer(ddl):
            old, new = (_unquote(name).lower() for name in match.groups())
            if old != new and old in old_names and new in new_names:
                renames[old_names[old]] = new_names[new]
    return renames


def _find_dropped(ddl: str) -> set[str]:
    """Find the columns that a statement drops: it may add others of these names in one go."""
    names = (match["name"] for match in _DROPS.finditer(ddl))
    return {_unquote(name).lower() for name in names if name.lower() not in _NO_COLUMNS}


def _is_computed(ddl: str, name: str) -> bool:
    """Tell whether a statement adds a generated column: Debezium does not say so."""
    return bool(re.search(rf"\b{re.escape(name)}\b[^,]*?\bas\s*\(", ddl, re.IGNORECASE))


def _fill(column: Column, default: str | None) -> Column:
    """Say what rows hold that are older than a column: no change tells of them.

    Debezium gives a constant as it was written, but for the quotes around it, and 1970 for the
    current time.
    """
    base, text = type_base(column.type), None
    if default is None and column.nullable:
        return column
    if base in _NUMERIC:
        text = default if default is not None else "0"
        text = text if _NUMBER.fullmatch(text) else None
    elif base in _TEXTUAL and (default is not None or not _is_enum(column)):
        text = (default or "").replace("''", "'")
        text = None if re.search(r"[(\\]", text) else text  # an expression, or one more escape
    if text is None:
        return replace(column, filled=True)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return replace(column, missing=f'{{"{escaped}"}}')


def _is_enum(column: Column) -> bool:
    """Tell whether a column's implicit default is the first of its values."""
    return (column.native or "").startswith("enum")


def _unquote(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
