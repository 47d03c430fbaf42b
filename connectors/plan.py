"""What differs between what is declared and what is there: a pure comparison of two states.

Enters: the desired and the observed `State` (connectors, publications, grants, topics). Leaves: a
`Plan` of changes, field by field, each with the effects that a person should know beforehand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Kind(StrEnum):
    """What a change is about, in the order in which changes are made."""

    PUBLICATION = "publication"
    GRANT = "grant"
    TOPIC = "topic"
    CONNECTOR = "connector"


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
    """All changes, in the order in which they are made."""

    changes: tuple[Change, ...]

    @property
    def hash(self) -> str:
        """A digest of the changes: the same plan has the same hash."""
        return hashlib.sha256(msgspec.json.encode(self.changes)).hexdigest()[:16]

    def to_document(self) -> dict[str, Any]:
        """Give the plan as a JSON document."""
        return {"changes": msgspec.to_builtins(self.changes), "hash": self.hash}


def make_plan(desired: State, observed: State) -> Plan:
    """Compare the states; an empty plan means that nothing differs."""
    changes = [
        *_compare_publications(desired, observed),
        *_compare_grants(desired, observed),
        *_compare_topics(desired, observed),
        *_compare_connectors(desired, observed),
    ]
    return Plan(tuple(changes))


def _compare_publications(desired: State, observed: State) -> Iterator[Change]:
    for name, wanted in sorted(desired.publications.items()):
        there = observed.publications.get(name)
        fields = _differ(_publication_fields(there), _publication_fields(wanted))
        if there is None:
            yield Change(Kind.PUBLICATION, name, Action.CREATE, fields)
        elif fields:
            yield Change(
                Kind.PUBLICATION, name, Action.UPDATE, fields, _publication_effects(there, wanted)
            )


def _publication_fields(publication: Publication | None) -> dict[str, str]:
    if publication is None:
        return {}
    tables = "ALL TABLES" if publication.all_tables else ", ".join(publication.tables)
    return {
        "tables": tables,
        "publish": publication.operations,
        "publish_via_partition_root": str(publication.via_root).lower(),
        **({"filtered": ", ".join(publication.filtered)} if publication.filtered else {}),
    }


def _publication_effects(there: Publication, wanted: Publication) -> tuple[Effect, ...]:
    if there.all_tables:
        text = "a publication FOR ALL TABLES cannot be narrowed: drop it, then apply again"
        return (Effect(Severity.REFUSED, text),)
    added = sorted(set(wanted.tables) - set(there.tables))
    dropped = sorted(set(there.tables) - set(wanted.tables))
    effects = []
    if added:
        text = (
            f"{', '.join(added)}: only changes from now on are captured; older rows need a snapshot"
        )
        effects.append(Effect(Severity.WARNING, text))
    if dropped:
        text = f"{', '.join(dropped)}: changes are not captured any more"
        effects.append(Effect(Severity.WARNING, text))
    return tuple(effects)


def _compare_grants(desired: State, observed: State) -> Iterator[Change]:
    for grant in sorted(desired.grants - observed.grants):
        field = FieldChange(grant.privilege, None, f"granted to {grant.role}")
        yield Change(Kind.GRANT, grant.name, Action.CREATE, (field,))


def _compare_topics(desired: State, observed: State) -> Iterator[Change]:
    for name, wanted in sorted(desired.topics.items()):
        there = observed.topics.get(name)
        fields = _differ(_topic_fields(there, wanted), _topic_fields(wanted, wanted))
        if there is None:
            yield Change(Kind.TOPIC, name, Action.CREATE, fields)
        elif fields:
            effects: tuple[Effect, ...] = ()
            if there.partitions != wanted.partitions:
                text = (
                    f"{there.partitions} partitions cannot become {wanted.partitions}: records "
                    "would move between partitions and lose their order; make a new topic"
                )
                effects = (Effect(Severity.REFUSED, text),)
            yield Change(Kind.TOPIC, name, Action.UPDATE, fields, effects)


def _topic_fields(topic: Topic | None, wanted: Topic) -> dict[str, str]:
    if topic is None:
        return {}
    settings = {key: topic.settings[key] for key in wanted.settings if key in topic.settings}
    return {"partitions": str(topic.partitions), **settings}


def _compare_connectors(desired: State, observed: State) -> Iterator[Change]:
    for name, wanted in sorted(desired.connectors.items()):
        there = observed.connectors.get(name)
        fields = _differ(there or {}, wanted)
        if there is None:
            text = (
                f"reads every row of {wanted['table.include.list']} once (a snapshot), then follows"
            )
            effect = Effect(Severity.INFO, text)
            yield Change(Kind.CONNECTOR, name, Action.CREATE, fields, (effect,))
        elif fields:
            effects = tuple(_config_effects({change.field for change in fields}))
            yield Change(Kind.CONNECTOR, name, Action.UPDATE, fields, effects)
    for name in sorted(set(observed.connectors) - set(desired.connectors)):
        text = "is not declared any more; it is deleted only by `delete`, or `apply --remove`"
        effect = Effect(Severity.WARNING, text)
        yield Change(Kind.CONNECTOR, name, Action.REMOVE, (), (effect,))


def _config_effects(changed: set[str]) -> Iterator[Effect]:
    yield Effect(Severity.INFO, "the task restarts and goes on where it was")
    if "table.include.list" in changed:
        yield Effect(
            Severity.WARNING,
            "rows that added tables hold already are not read: they need a snapshot",
        )
    if "transforms.epoch.value.literal" in changed:
        yield Effect(Severity.WARNING, "a new epoch begins: positions are compared within it only")
    if changed & {"database.hostname", "database.port", "database.dbname"}:
        yield Effect(
            Severity.WARNING,
            "another database has other positions: delete the offsets and raise the epoch, too",
        )


def _differ(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """List the fields that differ, in name order; secrets that are not references are hidden."""
    return tuple(
        FieldChange(key, _hide(key, before.get(key)), _hide(key, after.get(key)))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    )


def _hide(key: str, value: str | None) -> str | None:
    """Hide a secret that somebody wrote in the clear into a connector."""
    if value is None or value.startswith("${"):
        return value
    secret = any(word in key for word in ("password", "secret", "jaas", "credential"))
    return "(hidden)" if secret else value
