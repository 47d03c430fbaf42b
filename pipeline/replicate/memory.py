"""A store in memory: the same guarantees as the one in PostgreSQL, for simulations and tests.

Enters: batches. Leaves: dicts of rows to look at. The contract tests in tests/contract hold both
stores to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.replicate.batch import (
    DeadLetter,
    DomainRow,
    Fenced,
    GuardRow,
    Ownership,
    ProjectedRows,
    StoreBatch,
    TopicPartition,
    WriteResult,
)

RowKey = tuple[Any, ...]


@dataclass(slots=True)
class MemoryStore:
    """All that a region holds; `tables` has a row as a dict, by table and key."""

    offsets: dict[TopicPartition, Ownership] = field(default_factory=dict)
    guard: dict[tuple[str, str], GuardRow] = field(default_factory=dict)
    tables: dict[str, dict[RowKey, dict[str, Any]]] = field(default_factory=dict)
    domain_events: dict[str, DomainRow] = field(default_factory=dict)
    barriers: set[tuple[str, str, int]] = field(default_factory=set)
    dead_letters: dict[tuple[str, int, int], DeadLetter] = field(default_factory=dict)

    def close(self) -> None:
        """Do nothing: what is in memory stays."""

    def take_over(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Ownership]:
        """Become the owner of partitions, which fences whoever was."""
        for place in partitions:
            before = self.offsets.get(place, Ownership(0, 0))
            self.offsets[place] = before._replace(epoch=before.epoch + 1)
        return {place: self.offsets[place] for place in partitions}

    def write(self, batch: StoreBatch, epochs: Mapping[TopicPartition, int]) -> WriteResult:
        """Write a batch, or nothing of it."""
        for place in batch.offsets:
            if self.offsets[place].epoch != epochs[place]:
                raise Fenced(f"another replicator took over {place}: nothing was written")
        for place, next_offset in batch.offsets.items():
            self.offsets[place] = Ownership(epochs[place], next_offset)
        stale = {one[:2] for one in batch.guard if not self._accept(one)}
        for projected in batch.projected:
            aggregate = projected.projection.aggregate
            self._merge(projected, {subject for name, subject in stale if name == aggregate})
        new = [one for one in batch.domain_events if one.event_id not in self.domain_events]
        self.domain_events |= {one.event_id: one for one in new}
        self.barriers |= {(one.barrier, one.topic, one.partition) for one in batch.barriers}
        self.dead_letters |= {one[:3]: one for one in batch.dead_letters}
        return WriteResult(
            applied=len(batch.guard) - len(stale),
            stale=len(stale),
            domain_events=len(new),
            dead_letters=len(batch.dead_letters),
            barriers=len(batch.barriers),
        )

    def _accept(self, row: GuardRow) -> bool:
        before = self.guard.get(row[:2])
        if before is not None and before.sequence >= row.sequence:
            return False
        self.guard[row[:2]] = row
        return True

    def _merge(self, rows: ProjectedRows, stale: set[str]) -> None:
        projection = rows.projection
        table = self.tables.setdefault(projection.table, {})
        for subject, deleted, *values in rows.root:
            if subject in stale:
                continue
            row = dict(zip(projection.columns, values, strict=True))
            key = tuple(row[name] for name in projection.key)
            for child in projection.children:
                self._remove_children(child.table, key)
            if deleted:
                table.pop(key, None)
            else:
                table[key] = row
        for child in projection.children:
            staged = rows.children[child.table]
            for subject, *values in staged:
                if subject not in stale:
                    row = dict(zip(staged.columns[1:], values, strict=True))
                    self.tables[child.table][tuple(row[name] for name in child.key)] = row

    def _remove_children(self, table: str, parent: RowKey) -> None:
        rows = self.tables.setdefault(table, {})
        for key in [key for key in rows if key[: len(parent)] == parent]:
            del rows[key]
