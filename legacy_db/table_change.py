"""Changes of a legacy table's definition: what a DDL statement asks for, or two definitions tell.

Enters: two definitions of a table. Leaves: changes in the order of the table's columns. A column is
known by its number, so that a renamed one is not taken for a dropped and an added one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legacy_db.definition import Column, Table


class ChangeKind(enum.StrEnum):
    """What happens to a table."""

    ADD_COLUMN = "add column"
    DROP_COLUMN = "drop column"
    RENAME_COLUMN = "rename column"
    RETYPE_COLUMN = "retype column"
    SET_NOT_NULL = "set not null"
    DROP_NOT_NULL = "drop not null"
    CHANGE_KEY = "change key"
    CREATE_TABLE = "create table"
    DROP_TABLE = "drop table"
    RENAME_TABLE = "rename table"
    TRUNCATE_TABLE = "truncate table"
    ATTACH_PARTITION = "attach partition"
    DETACH_PARTITION = "detach partition"


@dataclass(frozen=True, slots=True)
class TableChange:
    """One change; `to` is the new name of what is renamed, `type` the new or added type.

    `filled` says that an added column is filled by what no change tells (a default that is not
    constant, an identity, a generated column); `generated` that no change ever tells it.
    `if_exists`: nothing happens where the column is not there.
    """

    kind: ChangeKind
    table: str
    column: str | None = None
    to: str | None = None
    type: str | None = None
    nullable: bool = True
    has_default: bool = False
    filled: bool = False
    generated: bool = False
    if_exists: bool = False


def compare_tables(before: Table, after: Table) -> list[TableChange]:
    """Return the changes between two definitions of one table."""
    name = after.name
    numbered = before.numbered and after.numbered
    old = {column.attnum if numbered else column.name: column for column in before.columns}
    new = {column.attnum if numbered else column.name: column for column in after.columns}
    changes = [
        TableChange(ChangeKind.DROP_COLUMN, name, column.name)
        for number, column in old.items()
        if number not in new
    ]
    for number, column in new.items():
        known = old.get(number)
        if known is None:
            changes.append(_added(name, column))
        else:
            changes += _altered(name, known, column)
    changes += [
        TableChange(ChangeKind.ADD_COLUMN, name, column, generated=True, filled=True)
        for column in after.generated
        if column not in before.generated
    ]
    renamed = {known.name: new[number].name for number, known in old.items() if number in new}
    if tuple(renamed.get(one, one) for one in before.key) != after.key:
        changes.append(TableChange(ChangeKind.CHANGE_KEY, name, to=", ".join(after.key)))
    return changes


def _added(table: str, column: Column) -> TableChange:
    return TableChange(
        ChangeKind.ADD_COLUMN,
        table,
        column.name,
        type=column.type,
        nullable=column.nullable,
        has_default=column.missing is not None or column.filled,
        filled=column.filled,
    )


def _altered(table: str, before: Column, after: Column) -> list[TableChange]:
    changes = []
    if before.name != after.name:
        changes.append(TableChange(ChangeKind.RENAME_COLUMN, table, before.name, to=after.name))
    if before.type != after.type:
        changes.append(TableChange(ChangeKind.RETYPE_COLUMN, table, before.name, type=after.type))
    if before.nullable != after.nullable:
        kind = ChangeKind.DROP_NOT_NULL if after.nullable else ChangeKind.SET_NOT_NULL
        changes.append(TableChange(kind, table, before.name))
    return changes
