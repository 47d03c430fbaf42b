"""The order in which a change of a legacy table is rolled out, and what the mirror does by itself.

Enters: a change and how it breaks those who use it. Leaves: plain steps.
"""

from __future__ import annotations

import enum

from legacy_db.column_change import keeps_values, needs_calm
from legacy_db.table_change import ChangeKind, TableChange


class Breaking(enum.Enum):
    """How a change breaks those who use what it changes."""

    NOTHING = "nothing"
    VALUES = "values"
    ADAPTERS = "adapters"


_ALTER = "run the ALTER"
_COMPARE = "isthmus reconcile"
_SNAPSHOT = "isthmus connectors snapshot {table}, then isthmus reconcile"


def mirror_answer(change: TableChange, before: str | None) -> str:
    """Say what translator and mirror do once the change is made."""
    kind = change.kind
    if kind is ChangeKind.ADD_COLUMN:
        if change.generated:
            return "a generated column is left out: no change tells its values"
        if change.filled:
            return (
                "the mirror gets the column; no change tells what its default gives older rows, "
                "only a snapshot of the table does"
            )
        held = "the default's value" if change.has_default else "null"
        return f"the mirror gets the column, with {held} in older rows"
    if kind is ChangeKind.RETYPE_COLUMN:
        if before is not None and change.type is not None and keeps_values(before, change.type):
            return "the mirror follows: the new type holds every value of the old one"
        return (
            "the mirror casts its values in the same way; where USING does more, or the cast "
            "fails, only a snapshot of the table makes it equal again"
        )
    return _ANSWERS[kind]


_ANSWERS = {
    ChangeKind.DROP_COLUMN: "the mirror drops the column",
    ChangeKind.RENAME_COLUMN: "the mirror renames the column and keeps its values",
    ChangeKind.SET_NOT_NULL: "nothing to do",
    ChangeKind.DROP_NOT_NULL: "nothing to do",
    ChangeKind.CHANGE_KEY: "the mirror gets the new key, if its rows allow it",
    ChangeKind.CREATE_TABLE: "a new table is captured once a declaration names it",
    ChangeKind.DROP_TABLE: "the translator stops: it finds the table no more",
    ChangeKind.RENAME_TABLE: "the translator stops: it finds the table no more",
    ChangeKind.TRUNCATE_TABLE: "the mirror's rows go, and so do the aggregates in every region",
    ChangeKind.ATTACH_PARTITION: "no change tells the rows that the partition brings",
    ChangeKind.DETACH_PARTITION: "no change tells that the partition's rows are gone",
}


_REGISTER = "isthmus contracts check, register"
_CALM = "stop writing to {table}, and wait until nothing lags (isthmus connectors status)"
_UNDECLARE = (
    "take {table} out of its declaration, isthmus connectors apply, and start the translator again"
)
_NULLABLE = (
    f"contract: make sure that the fields may be null, or begin a new major version; {_REGISTER}"
)
_BOTH_NAMES = (
    "deploy adapters that read {to} where the row has it, else {column} (columns that a member or "
    "lookup declares can't be both: stop the translator for the ALTER instead)"
)
_STEPS: dict[ChangeKind, tuple[str, ...]] = {
    ChangeKind.DROP_COLUMN: (
        _NULLABLE,
        "deploy adapters that do not read {column} any more (the fields become null)",
        "regions: a store migration, where the column is to go there, too",
        _ALTER,
        _COMPARE,
    ),
    ChangeKind.RENAME_COLUMN: (
        _BOTH_NAMES,
        _ALTER,
        "deploy adapters that read {to} alone",
        _COMPARE,
    ),
    ChangeKind.DROP_NOT_NULL: (
        f"contract: make the fields nullable; {_REGISTER}",
        "deploy adapters and regions that take null",
        _ALTER,
    ),
    ChangeKind.DROP_TABLE: (
        "take {table} out of the adapters and deploy them",
        _UNDECLARE,
        _ALTER,
    ),
    ChangeKind.RENAME_TABLE: (
        "take {table} out of the adapters and deploy them",
        _UNDECLARE,
        _ALTER,
        "declare {to}, isthmus connectors apply: it is snapshotted; deploy adapters that read it",
    ),
    ChangeKind.CHANGE_KEY: (
        "adapt the adapters' root and the members' columns; the subject must stay the same",
        _CALM,
        _ALTER,
        "deploy the adapters, and start the translator again",
        _COMPARE,
    ),
    ChangeKind.ATTACH_PARTITION: (_ALTER, _SNAPSHOT),
    ChangeKind.DETACH_PARTITION: (_ALTER, _SNAPSHOT),
}
_ALWAYS = frozenset(
    {
        *(ChangeKind.DROP_TABLE, ChangeKind.RENAME_TABLE, ChangeKind.CHANGE_KEY),
        *(ChangeKind.ATTACH_PARTITION, ChangeKind.DETACH_PARTITION),
    }
)
"""Changes that need their steps even where no adapter uses the table: the mirror does."""


def plan_rollout(change: TableChange, breaking: Breaking, before: str | None) -> tuple[str, ...]:
    """Return the steps in order."""
    kind = change.kind
    if kind is ChangeKind.ADD_COLUMN:
        return _add_steps(change)
    if kind is ChangeKind.RETYPE_COLUMN:
        return _retype_steps(change, breaking, before)
    if breaking is Breaking.NOTHING and kind not in _ALWAYS:
        return (_ALTER,)
    names = {"table": change.table, "column": change.column, "to": change.to}
    return tuple(step.format(**names) for step in _STEPS.get(kind, (_ALTER, _COMPARE)))


def _add_steps(change: TableChange) -> tuple[str, ...]:
    if change.generated:
        return (_ALTER,)
    steps = [_ALTER]
    if change.filled:
        steps.append(_again(change))
    return (
        f"to tell it in events: add a nullable field to the contract; {_REGISTER}",
        "regions: a store migration and the projection with the new column; deploy the replicators",
        *steps,
        f"deploy adapters that read {change.column}, and ask for all aggregates again",
    )


def _retype_steps(change: TableChange, breaking: Breaking, before: str | None) -> tuple[str, ...]:
    safe = before is not None and change.type is not None and keeps_values(before, change.type)
    calm = before is None or change.type is None or needs_calm(before, change.type)
    before_it = (_CALM.format(table=change.table),) if calm else ()
    after = (_COMPARE,) if safe else (_again(change),)
    if breaking is Breaking.NOTHING:
        return (*before_it, _ALTER, *after)
    return (
        f"contract: widen the fields that are narrower; {_REGISTER}",
        "regions: a store migration that widens their columns; deploy the replicators",
        f"deploy adapters that take {change.column} as {change.type}",
        *before_it,
        _ALTER,
        *after,
    )


def _again(change: TableChange) -> str:
    return _SNAPSHOT.format(table=change.table)
