"""The values of a plan: states that are declared or there, and the changes between them.

Enters: nothing. Leaves: `State` and `Plan`; connectors.comparison makes one from two of the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What a change is about, in the order in which changes are made."""

    TABLE = "table"
    """A signal or barrier table."""
    IDENTITY = "replica identity"
    PUBLICATION = "publication"
    GRANT = "grant"
    TOPIC = "topic"
    CONNECTOR = "connector"
    SNAPSHOT = "snapshot"
    """Rows that are read while everything else goes on."""
    SLOT = "slot"


class Action(StrEnum):
    """What is done to it."""

    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"


class Severity(StrEnum):
    """How much an effect matters; REFUSED is never applied."""

    INFO = "info"
    WARNING = "warning"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One privilege of a role; `relation` is `schema` or `schema.table`."""

    role: str
    privilege: str
    schema: str
    table: str = ""

    @property
    def relation(self) -> str:
        """The schema or table as it is shown."""
        return f"{self.schema}.{self.table}" if self.table else self.schema

    @property
    def name(self) -> str:
        """How the plan names it."""
        return f"{self.role} on {self.relation}"


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication: its tables as `schema.table`, sorted, and what it does with them."""

    tables: tuple[str, ...]
    via_root: bool = True
    operations: str = "insert, update, delete, truncate"
    filtered: tuple[str, ...] = ()
    """Tables with a row filter or a column list."""
    all_tables: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: partitions, and the settings that the declaration states."""

    partitions: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a site's connectors consist of, by name."""

    connectors: Mapping[str, Mapping[str, str]]
    publications: Mapping[str, Publication]
    grants: frozenset[Grant]
    topics: Mapping[str, Topic]
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Signal and barrier tables, as `schema.table`: their columns, `name type`."""
    identities: Mapping[str, str] = field(default_factory=dict)
    """Replica identities of tables that need another than the default."""


class FieldChange(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """One field that differs; None where it is not set."""

    field: str
    before: str | None
    after: str | None


class Effect(msgspec.Struct, frozen=True):
    """What a change brings about, in words."""

    severity: Severity
    text: str


class Change(msgspec.Struct, frozen=True):
    """One thing to create, update or remove."""

    kind: Kind
    name: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    effects: tuple[Effect, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """All changes, in the order in which they are made, and digests of what was compared."""

    changes: tuple[Change, ...]
    seen: Mapping[str, str] = {}
    """What was there, by kind and name; see connectors.saved_plan."""
    wanted: Mapping[str, str] = {}
    """What is declared."""
    forced: Mapping[str, tuple[str, ...]] = {}
    """Findings in spite of which `apply --force` went on, by connector."""

    @property
    def hash(self) -> str:
        """A digest of what was seen and what is to be done, without sizes that always move."""
        done = [
            [change.kind, change.name, change.action, change.fields]
            + [effect.severity for effect in change.effects]
            for change in self.changes
        ]
        facts = [done, sorted(self.seen.items()), sorted(self.wanted.items())]
        return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:16]

    def to_document(self) -> dict[str, Any]:
        """Give the plan as a JSON document."""
        forced = {"forced": dict(self.forced)} if self.forced else {}
        return {"changes": msgspec.to_builtins(self.changes), "hash": self.hash, **forced}
