"""What a reconciliation found: a state per table and region, one verdict over all of them.

Enters: counts and keys of the tables compared. Leaves: immutable results and their JSON document.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.hub.doubts import OpenDoubt

EXIT_FINE = 0
EXIT_FINDING = 1
EXIT_UNDECIDED = 4


class State(enum.StrEnum):
    """What is known of a table, and of all tables together; the gravest decides (see SEVERITY)."""

    MATCH = "MATCH"
    DIFF = "DIFF"
    UNDECIDED = "UNDECIDED"
    LAGGING = "LAGGING"
    QUARANTINED = "QUARANTINED"
    ERROR = "ERROR"


SEVERITY = (
    State.MATCH,
    State.QUARANTINED,
    State.UNDECIDED,
    State.LAGGING,
    State.DIFF,
    State.ERROR,
)
"""From harmless to grave. A difference that is proven outweighs what isn't known yet (LAGGING,
UNDECIDED); that outweighs a known dead letter, since there may be a difference behind it; an
ERROR says that a comparison did not take place, so nothing else can be concluded."""

EXIT_CODES = {
    State.MATCH: EXIT_FINE,
    State.DIFF: EXIT_FINDING,
    State.QUARANTINED: EXIT_FINDING,
    State.ERROR: EXIT_FINDING,
    State.LAGGING: EXIT_UNDECIDED,
    State.UNDECIDED: EXIT_UNDECIDED,
}

MIRROR = "mirror"
"""Stands for the region where the hub's mirror is compared with the legacy database."""


class Kind(enum.StrEnum):
    """What is wrong with a key."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"
    UNDECIDED = "undecided"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """One key of a table that is not proven equal.

    `columns` names what differs, for changed keys; `reason` is a dead letter's; `values` holds
    (expected, found) per column as text and is only there when it was asked for.
    """

    key: dict[str, Any]
    kind: Kind
    columns: tuple[str, ...] = ()
    reason: str | None = None
    values: dict[str, tuple[str | None, str | None]] | None = None

    def document(self) -> dict[str, Any]:
        """Return the finding as it stands in JSON."""
        document: dict[str, Any] = {
            "key": self.key,
            "kind": self.kind.value,
            "columns": list(self.columns),
        }
        if self.reason is not None:
            document["reason"] = self.reason
        if self.values is not None:
            document["values"] = {name: list(pair) for name, pair in self.values.items()}
        return document


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table compared in one region, or in the mirror (`region` = "mirror").

    `rows` counts what is expected there; the other counts are exact, while `keys` is capped.
    `position` is `<epoch>-<lsn>` in hexadecimal, None where the barrier was not passed. `problem`
    says why the state is ERROR or LAGGING.
    """

    module: str
    table: str
    region: str
    state: State
    rows: int = 0
    missing: int = 0
    extra: int = 0
    changed: int = 0
    undecided: int = 0
    position: str | None = None
    keys: tuple[KeyFinding, ...] = ()
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the table as it stands in JSON."""
        return {
            "module": self.module,
            "table": self.table,
            "region": self.region,
            "state": self.state.value,
            "rows": self.rows,
            "missing": self.missing,
            "extra": self.extra,
            "changed": self.changed,
            "undecided": self.undecided,
            "position": self.position,
            "keys": [finding.document() for finding in self.keys],
        }


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All tables that were compared, when, and behind which barrier.

    `doubts` are those about the change logs that this did not refute.
    """

    tables: tuple[TableResult, ...]
    barrier: str
    started_at: datetime
    finished_at: datetime
    doubts: tuple[OpenDoubt, ...] = ()

    @property
    def verdict(self) -> State:
        """The gravest state of all tables."""
        return merge_states(table.state for table in self.tables)

    @property
    def exit_code(self) -> int:
        """The exit code of `isthmus reconcile`."""
        return EXIT_CODES[self.verdict]

    def document(self) -> dict[str, Any]:
        """Return what `isthmus reconcile --json` prints; `doubts` stands there if there are any."""
        document: dict[str, Any] = {
            "verdict": self.verdict.value,
            "tables": [table.document() for table in self.tables],
        }
        if self.doubts:
            document["doubts"] = [doubt.document() for doubt in self.doubts]
        return document


def merge_states(states: Iterable[State]) -> State:
    """Return the gravest of `states`; ERROR when there is none: nothing was compared."""
    return max(states, key=SEVERITY.index, default=State.ERROR)


def decide_state(*, different: int, undecided: int, quarantined: bool) -> State:
    """Return a compared table's state from its counts."""
    if different:
        return State.DIFF
    if undecided:
        return State.UNDECIDED
    return State.QUARANTINED if quarantined else State.MATCH
