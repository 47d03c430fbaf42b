"""What a plan must know beyond the two states, to say what a change brings about.

Enters: nothing. Leaves: values that connectors.observation reads and connectors.effects explains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.sources.source import Beginning, SlotState, TableSize


@dataclass(frozen=True, slots=True)
class Unread:
    """What consumer groups have not read of a topic yet."""

    groups: tuple[str, ...]
    records: int
    age_ms: int
    """How old the oldest of these records is."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What is still there of a module that is not declared any more."""

    module: str
    slot: str | None = None
    publication: str | None = None
    topics: tuple[str, ...] = ()
    connected: bool = False
    """Whether its connector is still there."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Sizes, slots, offsets and lags; empty where nothing is known."""

    signals: Mapping[str, str] = field(default_factory=dict)
    """The declared signal table (`schema.table`) of each connector that has one."""
    sizes: Mapping[str, TableSize] = field(default_factory=dict)
    slots: Mapping[str, SlotState] = field(default_factory=dict)
    beginnings: Mapping[str, Beginning] = field(default_factory=dict)
    """Where each connector that is there would go on."""
    last_epochs: Mapping[str, int] = field(default_factory=dict)
    """The epoch of the last record in the change log of each connector that is not there."""
    unbegun: frozenset[str] = frozenset()
    """Connectors that were created, and never started: an apply was interrupted."""
    pending: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Tables whose snapshot was promised by an apply that was interrupted, by connector."""
    edited: frozenset[str] = frozenset()
    """Connectors whose config is not what the last apply wrote."""
    unread: Mapping[str, Unread] = field(default_factory=dict)
    leftovers: tuple[Leftover, ...] = ()


NOTHING_KNOWN = Circumstances()
