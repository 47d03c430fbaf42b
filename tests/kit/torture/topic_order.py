"""Checks what a reader of an events topic sees, against the event store's numbers; pure.

Enters: a topic's records in the order of each partition (committed ones only) and the number of
each event id. Leaves: findings in words. Repeats are allowed as whole runs: the same ids, the same
bytes, in the same order, without a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FINDINGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """One record: its event's id, and a digest of key, headers and value."""

    partition: int
    offset: int
    event_id: str
    digest: bytes


@dataclass(slots=True)
class _Partition:
    """What was seen of one partition: first occurrences in order, and the place of the last one."""

    order: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)
    at: int = -1
    highest: int = 0


@dataclass(slots=True)
class TopicCheck:
    """Takes the records of one module's topic; `numbers` are those of its events by id."""

    module: str
    numbers: Mapping[str, int]
    barriers: frozenset[str]
    partitions: int
    records: int = 0
    repeats: int = 0
    findings: list[str] = field(default_factory=list)
    _seen: dict[int, _Partition] = field(default_factory=dict)

    def take(self, seen: Seen) -> None:
        """Take the next record of a partition."""
        self.records += 1
        partition = self._seen.setdefault(seen.partition, _Partition())
        place = partition.places.get(seen.event_id)
        if place is None:
            self._take_new(partition, seen)
        else:
            self._take_repeat(partition, seen, place)

    def finish(self) -> list[str]:
        """Return all findings, those about what never came included."""
        homes: dict[str, int] = {}
        for partition in self._seen.values():
            for event_id in partition.order:
                homes[event_id] = homes.get(event_id, 0) + 1
        lost = [one for one in self.numbers if one not in homes]
        if lost:
            self._find(f"{len(lost)} events never came, e.g. {lost[0]}")
        for event_id, count in homes.items():
            if event_id in self.barriers and count != self.partitions:
                self._find(f"barrier {event_id} is in {count} of {self.partitions} partitions")
            if event_id not in self.barriers and count > 1:
                self._find(f"event {event_id} is in {count} partitions")
        return self.findings

    def _take_new(self, partition: _Partition, seen: Seen) -> None:
        number = self.numbers.get(seen.event_id)
        if number is None:
            self._find(f"{_place(seen)}: event {seen.event_id} is not in the event store")
            return
        if number <= partition.highest:
            self._find(f"{_place(seen)}: number {number} comes after {partition.highest}")
        if partition.at != len(partition.order) - 1:
            self._find(f"{_place(seen)}: a repeat broke off before number {number}")
        partition.highest = max(partition.highest, number)
        partition.at = len(partition.order)
        partition.places[seen.event_id] = partition.at
        partition.digests[seen.event_id] = seen.digest
        partition.order.append(seen.event_id)

    def _take_repeat(self, partition: _Partition, seen: Seen, place: int) -> None:
        self.repeats += 1
        if seen.digest != partition.digests[seen.event_id]:
            self._find(f"{_place(seen)}: event {seen.event_id} came again with other bytes")
        if place > partition.at + 1:
            self._find(f"{_place(seen)}: a repeat leaves out {place - partition.at - 1} records")
        partition.at = place

    def _find(self, words: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(f"{self.module}: {words}")


def find_reordered(rows: Iterable[tuple[str, str, str, int]]) -> list[str]:
    """Find aggregates whose sequence does not rise.

    Rows are (aggregate, subject, sequence, number) in the order of their numbers.
    """
    last: dict[tuple[str, str], str] = {}
    findings: list[str] = []
    for aggregate, subject, sequence, number in rows:
        name = (aggregate, subject)
        if sequence <= last.get(name, "") and len(findings) < FINDINGS_MAX:
            findings.append(f"{aggregate} {subject}: {sequence} at number {number} does not rise")
        last[name] = sequence
    return findings


def _place(seen: Seen) -> str:
    return f"partition {seen.partition}, offset {seen.offset}"
