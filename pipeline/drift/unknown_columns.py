"""Finds columns in DDL that the tables do not have: a slip of the pen is no harmless change. Pure.

Enters: changes in order, the definitions of now. Leaves: nothing; Configuration names the column
and the one that was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from legacy_db.definition import Table
from legacy_db.table_change import ChangeKind, TableChange
from pipeline.errors import Configuration

_OF_COLUMNS = frozenset(
    {
        *(ChangeKind.DROP_COLUMN, ChangeKind.RENAME_COLUMN, ChangeKind.RETYPE_COLUMN),
        *(ChangeKind.SET_NOT_NULL, ChangeKind.DROP_NOT_NULL),
    }
)


def check_columns(changes: Iterable[TableChange], tables: Mapping[str, Table]) -> None:
    """Refuse a change of a column that its table, as the changes before leave it, does not have.

    A table that is not captured is unknown, and so are its columns.
    """
    known = {
        name: {*(column.name for column in table.columns), *table.generated}
        for name, table in tables.items()
    }
    for change in changes:
        names = known.get(change.table)
        if names is None or change.column is None:
            continue
        if change.kind in _OF_COLUMNS and change.column not in names and not change.if_exists:
            near = get_close_matches(change.column, sorted(names), n=1)
            meant = f": is {near[0]} meant?" if near else f": it has {', '.join(sorted(names))}"
            raise Configuration(f"--ddl: {change.table} has no column {change.column}{meant}")
        if change.kind is ChangeKind.ADD_COLUMN:
            names.add(change.column)
        elif change.kind is ChangeKind.DROP_COLUMN:
            names.discard(change.column)
        elif change.kind is ChangeKind.RENAME_COLUMN and change.to is not None:
            names.add(change.to)  # MariaDB's CHANGE tells the rest by the old name
