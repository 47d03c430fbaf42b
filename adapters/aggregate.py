"""What an adapter is: a pure function of an aggregate's rows before and after a transaction.

A site's adapter package has `ADAPTERS: tuple[Adapter, ...]`. Enters: rows as typed structs, one
attribute per legacy column. Leaves: one state (a dict in the contract's fields) and domain events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from adapters.site_package import read_tuple

Row = Any
"""A msgspec Struct whose attributes are the legacy columns: int, str (blank-padded as stored),
Decimal, datetime.date/datetime, bool, bytes or None."""

Key = tuple[Any, ...]
"""The values of a table's primary key, in key order."""


@dataclass(frozen=True, slots=True)
class Member:
    """A table of the same module whose rows belong to the aggregate.

    `columns` hold the root's key, in the order of the root's key.
    """

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A row of another aggregate or module that the adapter reads, e.g. the customer of an order.

    `table` is looked up by its whole primary key, whose values are in `columns` of `member` (the
    root's or a member's table). `watched` are the looked-up columns that the adapter uses: a change
    of any other column emits nothing.
    """

    table: str
    member: str
    columns: tuple[str, ...]
    watched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AggregateRows:
    """The rows of one aggregate as of one commit; `members` and `lookups` are by table name.

    A member's rows stand in the order of their key. A lookup that is not there is absent.
    """

    root: Row
    members: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    lookups: Mapping[str, Mapping[Key, Row]] = field(default_factory=dict)

    def rows(self, table: str) -> Sequence[Row]:
        """Return the member rows of a table, in key order."""
        return self.members.get(table, ())

    def lookup(self, table: str, *key: Any) -> Row | None:
        """Return the looked-up row with that key, None when it is not there (yet)."""
        return self.lookups.get(table, {}).get(key)


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """Something that happened; `type` names a contract, e.g. `sales.OrderPlaced.v1`."""

    type: str
    data: Mapping[str, Any]


@runtime_checkable
class Adapter(Protocol):
    """Owns one aggregate. Every method is pure; Poison says that these rows can't be understood.

    `aggregate` is e.g. `sales.Order`; `contract` the state's type, e.g. `sales.Order.v1`;
    `module` where the tables of `root` and `members` are captured.
    """

    aggregate: str
    contract: str
    domain_contracts: tuple[str, ...]
    module: str
    root: str
    members: tuple[Member, ...]
    lookups: tuple[Lookup, ...]

    def subject(self, key: Key) -> str:
        """Return the aggregate's id for a root key."""

    def state(self, rows: AggregateRows) -> dict[str, Any] | None:
        """Return the contract's fields, `deleted` False; None where the rows say it is removed."""

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the fields of a deleted aggregate: its id, `deleted` True, None in all others."""

    def domain_events(
        self, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> Iterable[DomainEvent]:
        """Return what happened between two states (None: was not, or is not, there)."""


def load_adapters(package: str) -> tuple[Adapter, ...]:
    """Import a site's adapters; Configuration when the package or its ADAPTERS is not there."""
    return read_tuple(package, "ADAPTERS", Adapter)
