"""What differs between what is declared and what is there: a pure comparison of two states.

Enters: the desired and the observed State, and the circumstances. Leaves: a Plan of changes, field
by field, each with the effects that a person should know beforehand (connectors.effects).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors import connector_effects, effects
from connectors.circumstances import NOTHING_KNOWN
from connectors.plan import Action, Change, FieldChange, Kind, Plan, Topic
from connectors.saved_plan import digest_state
from connectors.seal import open_config, read_forced
from connectors.secret_names import is_shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.circumstances import Circumstances, Leftover
    from connectors.plan import Publication, State


def make_plan(
    desired: State,
    observed: State,
    around: Circumstances = NOTHING_KNOWN,
    *,
    destroy: bool = False,
) -> Plan:
    """Compare the states; an empty plan means that nothing differs.

    With `destroy` what is left of modules that are not declared any more is removed, too.
    """
    lost = find_lost_tables(desired, observed)
    changes = [
        *_compare_tables(desired, observed),
        *_compare_identities(desired, observed),
        *_compare_publications(desired, observed, lost, around),
        *_compare_grants(desired, observed),
        *_compare_topics(desired, observed, around),
        *_compare_connectors(desired, observed, around),
        *_list_snapshots(desired, observed, lost, around),
        *(one for left in around.leftovers for one in _list_leftovers(left, around, destroy)),
    ]
    forced = {name: read_forced(config) for name, config in observed.connectors.items()}
    return Plan(
        tuple(changes),
        digest_state(observed, desired),
        digest_state(desired, desired),
        {name: findings for name, findings in sorted(forced.items()) if findings},
    )


def list_included(config: Mapping[str, str]) -> frozenset[str]:
    """List the plain names of a connector's captured tables."""
    listed = config.get("table.include.list", "").replace("\\", "")
    return frozenset(name for name in listed.split(",") if name)


def find_lost_tables(desired: State, observed: State) -> dict[str, tuple[str, ...]]:
    """Find tables that a connector captures, and that its publication does not have (any more)."""
    lost = {}
    for name, wanted in desired.connectors.items():
        there = observed.connectors.get(name)
        publication = wanted.get("publication.name")
        if there is None or publication is None:
            continue
        published = observed.publications.get(publication)
        if published is not None and published.all_tables:
            continue
        held = set() if published is None else set(published.tables)
        missing = (list_included(there) & list_included(wanted)) - held
        if missing:
            lost[name] = tuple(sorted(missing))
    return lost


def _compare_tables(desired: State, observed: State) -> Iterator[Change]:
    for name, columns in sorted(desired.tables.items()):
        there = observed.tables.get(name)
        fields = (FieldChange("columns", _list(there), _list(columns)),)
        if there is None:
            yield Change(Kind.TABLE, name, Action.CREATE, fields, effects.explain_new_table(name))
        elif not set(columns) <= set(there):
            yield Change(Kind.TABLE, name, Action.UPDATE, fields, effects.explain_other_table())


def _compare_identities(desired: State, observed: State) -> Iterator[Change]:
    for name, wanted in sorted(desired.identities.items()):
        there = observed.identities.get(name, "default")
        if there != wanted:
            fields = (FieldChange("replica identity", there, wanted),)
            yield Change(Kind.IDENTITY, name, Action.UPDATE, fields, effects.explain_identity(name))


def _compare_publications(
    desired: State, observed: State, lost: Mapping[str, tuple[str, ...]], around: Circumstances
) -> Iterator[Change]:
    readers = {
        config["publication.name"]: name
        for name, config in desired.connectors.items()
        if "publication.name" in config
    }
    for name, wanted in sorted(desired.publications.items()):
        there = observed.publications.get(name)
        fields = _differ(_publication_fields(there), _publication_fields(wanted))
        reader = readers.get(name, "")
        missed = effects.explain_lost(lost.get(reader, ()), reader, around)
        if there is None:
            yield Change(Kind.PUBLICATION, name, Action.CREATE, fields, missed)
        elif fields:
            told = effects.explain_publication(there, wanted, lost.get(reader, ()))
            yield Change(Kind.PUBLICATION, name, Action.UPDATE, fields, (*told, *missed))


def _publication_fields(publication: Publication | None) -> dict[str, str]:
    if publication is None:
        return {}
    fields = {
        "tables": "all" if publication.all_tables else _list(publication.tables) or "",
        "publish": publication.operations,
        "publish_via_partition_root": str(publication.via_root).lower(),
    }
    if publication.filtered:
        fields["tables with a filter or column list"] = ", ".join(publication.filtered)
    return fields


def _compare_grants(desired: State, observed: State) -> Iterator[Change]:
    for grant in sorted(desired.grants - observed.grants):
        field = FieldChange(grant.privilege, None, f"granted to {grant.role}")
        yield Change(Kind.GRANT, grant.name, Action.CREATE, (field,))


def _compare_topics(desired: State, observed: State, around: Circumstances) -> Iterator[Change]:
    for name, wanted in sorted(desired.topics.items()):
        there = observed.topics.get(name)
        fields = _differ(_topic_fields(there, wanted), _topic_fields(wanted, wanted))
        if there is None:
            yield Change(Kind.TOPIC, name, Action.CREATE, fields)
        elif fields:
            told = effects.explain_topic(there, wanted, around.unread.get(name))
            yield Change(Kind.TOPIC, name, Action.UPDATE, fields, told)


def _topic_fields(topic: Topic | None, wanted: Topic) -> dict[str, str]:
    if topic is None:
        return {}
    settings = {key: topic.settings[key] for key in wanted.settings if key in topic.settings}
    return {"partitions": str(topic.partitions), **settings}


def _compare_connectors(desired: State, observed: State, around: Circumstances) -> Iterator[Change]:
    for name, wanted in sorted(desired.connectors.items()):
        there = observed.connectors.get(name)
        if there is None:
            told = connector_effects.explain_creation(wanted, around)
            fields = _differ({}, wanted)
            yield Change(Kind.CONNECTOR, name, Action.CREATE, fields, told)
            continue
        fields = _differ(open_config(there), wanted)
        told = (
            *(connector_effects.explain_config(name, there, wanted, around) if fields else ()),
            *connector_effects.explain_standing(name, there, around),
        )
        if name in around.unbegun:
            fields = (*fields, FieldChange("state", "STOPPED", "RUNNING"))
        elif told and not fields:
            fields = (FieldChange("offset", "behind what the database still has", None),)
        if fields:
            yield Change(Kind.CONNECTOR, name, Action.UPDATE, fields, told)
    for name in sorted(set(observed.connectors) - set(desired.connectors)):
        told = connector_effects.explain_removal(observed.connectors[name], around)
        yield Change(Kind.CONNECTOR, name, Action.REMOVE, (), told)


def _list_snapshots(
    desired: State, observed: State, lost: Mapping[str, tuple[str, ...]], around: Circumstances
) -> Iterator[Change]:
    """List the tables that are to be read while everything else goes on.

    These are added ones, those that the publication had lost, and those that an apply which was
    interrupted had promised; each only where the declaration has a signal table.
    """
    for name in sorted(
        around.signals.keys() & observed.connectors.keys() & desired.connectors.keys()
    ):
        if name in around.unbegun:
            continue
        there, wanted = observed.connectors[name], desired.connectors[name]
        added = list_included(wanted) - list_included(there) - set(desired.tables)
        promised = set(around.pending.get(name, ())) & list_included(wanted)
        for table in sorted({*added, *lost.get(name, ()), *promised}):
            told = effects.explain_snapshot(table, around)
            yield Change(Kind.SNAPSHOT, table, Action.CREATE, (), told)


def _list_leftovers(
    left: Leftover,
    around: Circumstances,
    destroy: bool,  # noqa: FBT001 - as given
) -> Iterator[Change]:
    """List what is left of an undeclared module; only a slot does harm while it is there."""
    if left.slot is not None and (destroy or not left.connected):
        told = connector_effects.explain_leftover_slot(around.slots.get(left.slot))
        yield Change(Kind.SLOT, left.slot, Action.REMOVE, (), told)
    if destroy and left.publication is not None:
        yield Change(Kind.PUBLICATION, left.publication, Action.REMOVE)
    if destroy:
        for topic in left.topics:
            yield Change(
                Kind.TOPIC, topic, Action.REMOVE, (), connector_effects.explain_leftover_topic()
            )


def _list(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else ", ".join(names)


def _differ(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """List the fields that differ, in name order; secrets that are not references are hidden."""
    return tuple(
        FieldChange(key, hide_secret(key, before.get(key)), hide_secret(key, after.get(key)))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    )


def hide_secret(key: str, value: str | None) -> str | None:
    """Hide a secret that somebody wrote in the clear into a connector."""
    return value if value is None or is_shown(key, value) else "(hidden)"
