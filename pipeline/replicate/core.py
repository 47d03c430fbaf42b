"""The core of replication: decides what a batch of records writes into a store.

Enters: records of events topics, in the order of each partition. Leaves: a `StoreBatch`. No
clock, no network but the schema source that is passed in; a simulator can drive it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from adapters.contract import Contract
from adapters.projection import Projection
from pipeline.errors import Configuration, Poison
from pipeline.replicate.batch import (
    DELETED_FIELD,
    BarrierPassage,
    DeadLetter,
    Decoded,
    DomainRow,
    GuardRow,
    ProjectedRows,
    StoreBatch,
    TopicPartition,
)
from pipeline.replicate.decoding import Decoders, SchemaKey, SchemaSource
from pipeline.replicate.projecting import check_projection, project
from pipeline.replicate.record import (
    BARRIER_TYPE,
    Envelope,
    Record,
    read_barrier,
    read_envelope,
)

FRAME_BYTES = 5
_BARRIER = BARRIER_TYPE.encode()


@dataclass(slots=True)
class _Group:
    """The events of one type and schema in a batch, in the order of arrival."""

    type: str
    key: SchemaKey
    records: list[Record] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    decoded: Decoded = field(default_factory=Decoded)


@dataclass(slots=True)
class _Draft:
    """What is known of a batch while it is being planned."""

    groups: dict[tuple[str, bytes, bytes | None], _Group] = field(default_factory=dict)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    barriers: list[BarrierPassage] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    tombstones: int = 0


class Planner:
    """Plans batches for one set of projections and contracts."""

    def __init__(
        self,
        projections: Sequence[Projection],
        contracts: Mapping[str, Contract],
        schemas: SchemaSource,
    ) -> None:
        self.projections = {one.type: one for one in projections}
        if len({one.aggregate for one in projections}) < len(projections):
            raise Configuration("two projections of one aggregate: their sequences would clash")
        for projection in projections:
            check_projection(projection, contracts)
        self._types: dict[bytes | None, str] = {one.encode(): one for one in contracts}
        self._decoders = Decoders(contracts, schemas)

    def plan(self, records: Sequence[Record]) -> StoreBatch:
        """Plan the write of records; what can't be decoded becomes a dead letter."""
        draft = _Draft()
        for record in records:
            draft.offsets[record.topic, record.partition] = record.offset + 1
            headers = dict(record.headers)
            try:
                self._sort(draft, record, headers)
            except Poison as error:
                draft.dead_letters.append(self.make_dead_letter(record, str(error)))
        for group in draft.groups.values():
            self._decode(draft, group)
        guard, projected, superseded = self._choose(list(draft.groups.values()))
        return StoreBatch(
            records=len(records),
            offsets=draft.offsets,
            guard=guard,
            projected=projected,
            domain_events=self._domain_rows(draft),
            barriers=tuple(draft.barriers),
            dead_letters=tuple(draft.dead_letters),
            tombstones=draft.tombstones,
            superseded=superseded,
        )

    def reject(self, record: Record, reason: str) -> StoreBatch:
        """Plan a record that the database refused: its dead letter and its offset."""
        return StoreBatch(
            records=1,
            offsets={(record.topic, record.partition): record.offset + 1},
            dead_letters=(self.make_dead_letter(record, reason),),
        )

    def make_dead_letter(self, record: Record, reason: str) -> DeadLetter:
        """Make the dead letter of a record, with as much of its headers as can be read."""
        texts = {name: _clean(value) for name, value in record.headers}
        projection = self.projections.get(texts.get("ce_type") or "")
        try:
            sequence = read_envelope(dict(record.headers)).sequence
        except Poison:
            sequence = None
        return DeadLetter(
            record.topic,
            record.partition,
            record.offset,
            None if projection is None else projection.aggregate,
            texts.get("ce_subject"),
            sequence,
            f"{record.place}: {reason}",
            record.value,
            [(_clean(name.encode()) or "", _clean(value)) for name, value in record.headers],
        )

    def _sort(self, draft: _Draft, record: Record, headers: dict[str, bytes | None]) -> None:
        if headers.get("ce_type") == _BARRIER:
            barrier = read_barrier(record.value)
            draft.barriers.append(
                BarrierPassage(
                    barrier.barrier,
                    record.topic,
                    record.partition,
                    barrier.module,
                    barrier.position,
                    barrier.quarantined,
                )
            )
            return
        type_ = self._types.get(headers.get("ce_type"))
        if type_ is None:
            raise Poison(
                f"header ce_type names no contract ({_clean(headers.get('ce_type'))}): "
                "update the site's contracts"
            )
        envelope = read_envelope(headers)
        value, dataschema = record.value, headers.get("ce_dataschema")
        if value is None:
            draft.tombstones += 1  # the deleted state before it did the work
            return
        place = (type_, value[:FRAME_BYTES], dataschema)
        group = draft.groups.get(place)
        if group is None:
            group = _Group(type_, SchemaKey.read(value, dataschema))
            draft.groups[place] = group
        group.records.append(record)
        group.envelopes.append(envelope)

    def _decode(self, draft: _Draft, group: _Group) -> None:
        projection = self.projections.get(group.type)
        try:
            decoder = self._decoders.find(group.type, group.key)
        except Poison as error:
            reason = str(error)
            group.decoded = Decoded(poison=dict.fromkeys(range(len(group.records)), reason))
        else:
            bodies = [one.value[FRAME_BYTES:] for one in group.records if one.value is not None]
            required = (*projection.key, DELETED_FIELD) if projection else ()
            group.decoded = decoder.decode(bodies, required=required)
        draft.dead_letters += [
            self.make_dead_letter(group.records[index], reason)
            for index, reason in group.decoded.poison.items()
        ]

    def _choose(
        self, groups: Sequence[_Group]
    ) -> tuple[tuple[GuardRow, ...], tuple[ProjectedRows, ...], int]:
        """Choose the newest state of each aggregate, the first one of equals."""
        newest: dict[tuple[str, str], tuple[str, int, int]] = {}
        states = 0
        for number, group in enumerate(groups):
            projection = self.projections.get(group.type)
            if projection is None:
                continue
            aggregate, poison = projection.aggregate, group.decoded.poison
            for index, envelope in enumerate(group.envelopes):
                if index in poison:
                    continue
                states += 1
                key = (aggregate, envelope.subject)
                best = newest.get(key)
                if best is None or best[0] < envelope.sequence:
                    newest[key] = (envelope.sequence, number, index)
        chosen: list[list[int]] = [[] for _ in groups]
        for _, number, index in newest.values():
            chosen[number].append(index)
        guard: list[GuardRow] = []
        projected: dict[str, ProjectedRows] = {}
        for group, indices in zip(groups, chosen, strict=True):
            if indices:
                self._project(group, sorted(indices), guard, projected)
        return tuple(guard), tuple(projected.values()), states - len(newest)

    def _project(
        self,
        group: _Group,
        indices: list[int],
        guard: list[GuardRow],
        projected: dict[str, ProjectedRows],
    ) -> None:
        projection = self.projections[group.type]
        envelopes = [group.envelopes[index] for index in indices]
        subjects = [one.subject for one in envelopes]
        deleted = _deleted(group.decoded, indices)
        aggregate = projection.aggregate
        guard += [
            GuardRow(aggregate, one.subject, one.sequence, gone, one.id, one.time)
            for one, gone in zip(envelopes, deleted, strict=True)
        ]
        rows = project(projection, group.decoded, indices, subjects)
        before = projected.get(projection.type)
        projected[projection.type] = rows if before is None else _join(before, rows)

    def _domain_rows(self, draft: _Draft) -> tuple[DomainRow, ...]:
        rows: dict[str, DomainRow] = {}
        for group in draft.groups.values():
            if group.type in self.projections:
                continue
            frame = group.decoded.frame
            values: Sequence[dict[str, Any]] = (
                group.decoded.values if frame is None else frame.to_dicts()
            )
            for index, one in enumerate(group.envelopes):
                if index in group.decoded.poison or one.id in rows:
                    continue
                data = msgspec.json.encode(values[index]).decode()
                rows[one.id] = DomainRow(
                    one.id, one.type, one.source, one.subject, one.sequence,
                    one.time, one.transaction, data,
                )  # fmt: skip
        return tuple(rows.values())


def _deleted(decoded: Decoded, indices: Sequence[int]) -> list[bool]:
    if decoded.frame is None:
        return [bool(decoded.values[index][DELETED_FIELD]) for index in indices]
    return decoded.frame[DELETED_FIELD].gather(list(indices)).to_list()


def _join(one: ProjectedRows, other: ProjectedRows) -> ProjectedRows:
    children = {name: rows.joined(other.children[name]) for name, rows in one.children.items()}
    return ProjectedRows(one.projection, one.root.joined(other.root), children)


def _clean(value: bytes | None) -> str | None:
    """Return a text that any database takes, whatever the bytes are."""
    if value is None:
        return None
    return value.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
