"""What plan, apply and preflight ask of a legacy database, whichever engine it is.

Enters: declarations, and changes of a plan. Leaves: what is there, what would hurt, or the change
made. Nothing of a legacy database is changed but by `make`, `drop` and the two of snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from connectors.declaration import Declaration
    from connectors.names import ModuleNames
    from connectors.plan import Change, Grant, Publication, State
    from connectors.preflight.finding import Finding

PROMISED = "isthmus-promised"
"""The type of a signal that Debezium does not know: a note of ours, see promise_snapshots."""

Offsets = list[dict[str, Any]]
"""A connector's committed source offsets, as Connect tells them."""


@dataclass(frozen=True, slots=True)
class DatabaseSide:
    """The part of a State that is in the legacy database."""

    publications: Mapping[str, Publication] = field(default_factory=dict)
    grants: frozenset[Grant] = frozenset()
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Signal and barrier tables, as `schema.table`: their columns, `name type`."""
    identities: Mapping[str, str] = field(default_factory=dict)
    """Replica identities of the tables that need another than the default."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table's rows as last counted (None: never) and bytes."""

    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class SlotState:
    """A replication slot: who reads it, how much log it keeps, and from where it can go on."""

    name: str
    active: bool
    retained_bytes: int
    flushed: int | None
    """The position (an LSN as a number) behind which everything is gone for its reader."""
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a connector would begin or go on."""

    goes_on: bool
    """Whether Connect has offsets of it."""
    anchored: bool | None
    """Whether the database keeps the log for it (a slot is there); None: it never does."""
    lost: str = ""
    """What is lost when it goes on there; '' when nothing is."""


class Source(Protocol):
    """One legacy database, seen with the owner's rights."""

    def list_tables(self, declaration: Declaration) -> list[str]:
        """List the plain names of the tables that a declaration's patterns may match."""

    def observe(self, declarations: Iterable[Declaration], desired: State) -> DatabaseSide:
        """Read what is there of everything that is desired."""

    def measure(self, declarations: Iterable[Declaration]) -> dict[str, TableSize]:
        """Read the sizes of the declared tables, by `schema.table`."""

    def read_slots(self, names: Iterable[str]) -> dict[str, SlotState]:
        """Read those of the named slots that are there; {} where the engine has none."""

    def find_publications(self, names: Iterable[str]) -> frozenset[str]:
        """Find those of the named publications that are there."""

    def watch_beginning(
        self, declaration: Declaration, names: ModuleNames
    ) -> Callable[[Offsets], Beginning]:
        """Look now from where the log can be read; what is returned judges offsets read later.

        In this order, because a running connector commits its offsets first, then frees the log.
        """

    def judge(
        self,
        declarations: Mapping[str, Declaration],
        names: Mapping[str, ModuleNames],
        connected: Collection[str],
    ) -> tuple[Finding, ...]:
        """Find what would make the capture of these modules fail or hurt.

        `connected` are those whose connector is there already.
        """

    def make(self, desired: State, change: Change) -> None:
        """Make one change of the plan that is in the database."""

    def drop(self, change: Change, report: Callable[[str], None]) -> None:
        """Drop a slot or a publication; Fatal for a slot that the owner may not drop."""

    def read_pending(self, declaration: Declaration) -> tuple[str, ...]:
        """List the tables, as `schema.table`, whose snapshot was promised and not asked for."""

    def promise_snapshots(self, declaration: Declaration, tables: Iterable[str]) -> None:
        """Note in the signal table which tables are to be read, before anything else changes."""

    def ask_snapshot(self, declaration: Declaration, table: str) -> None:
        """Ask Debezium to read a table, and strike the promise, in one transaction."""

    def write_signal(self, declaration: Declaration, type_: str, data: str) -> None:
        """Write a signal for Debezium; Configuration when the signal table does not take it."""

    def check_condition(self, declaration: Declaration, table: str, where: str) -> None:
        """Refuse a condition that the database does not take: Debezium would only log it."""

    def close(self) -> None:
        """Close the connection."""
