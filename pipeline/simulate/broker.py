"""A model of Kafka: partitions, transactions, fenced producers, groups that rebalance eagerly.

Enters: calls of the simulated clients. Leaves: logs that a reader of committed records sees as on
a real broker: nothing behind an open transaction, gaps where its markers stand.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SESSION_S = 10.0
"""How long a group member that sends no heartbeat keeps its partitions."""

Headers = list[tuple[str, bytes | None]]
Place = tuple[str, int]


class Entry(msgspec.Struct):
    """One record or transaction marker (`value` and `key` None, `marker` True)."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    transaction: Transaction | None = None
    marker: bool = False


@dataclass(eq=False, slots=True)
class Transaction:
    """A producer's transaction: `state` is open, committed or aborted."""

    state: str = "open"
    places: dict[Place, None] = field(default_factory=dict)


@dataclass(slots=True)
class Partition:
    """A log; its first `start` entries were removed by retention."""

    entries: list[Entry] = field(default_factory=list)
    start: int = 0
    _stable: int = 0

    @property
    def end(self) -> int:
        """Return the offset of the next record."""
        return len(self.entries)

    def last_stable(self) -> int:
        """Return the offset before which no transaction is open."""
        entries = self.entries
        while self._stable < len(entries):
            transaction = entries[self._stable].transaction
            if transaction is not None and transaction.state == "open":
                break
            self._stable += 1
        return self._stable

    def committed(self, since: int = 0) -> list[tuple[int, Entry]]:
        """List the records that a reader of committed records sees, with their offsets."""
        return self._list_visible(max(since, self.start))

    def ever_committed(self) -> list[Entry]:
        """List the committed records, also those that retention has removed."""
        return [entry for _, entry in self._list_visible(0)]

    def _list_visible(self, since: int) -> list[tuple[int, Entry]]:
        return [
            (offset, self.entries[offset])
            for offset in range(since, self.last_stable())
            if is_visible(self.entries[offset])
        ]


def is_visible(entry: Entry) -> bool:
    """Say whether a record is one for readers of committed records."""
    if entry.marker:
        return False
    return entry.transaction is None or entry.transaction.state == "committed"


@dataclass(eq=False, slots=True)
class Member:
    """A consumer in a group; `generation` is the one whose assignment it has taken."""

    topics: Sequence[str]
    is_alive: Any
    seen_at: float
    generation: int = -1
    holds: tuple[Place, ...] = ()


@dataclass(slots=True)
class Group:
    """A consumer group."""

    members: list[Member] = field(default_factory=list)
    generation: int = 0
    offsets: dict[Place, int] = field(default_factory=dict)


class Broker:
    """All topics, groups and producers; `version` grows with whatever a consumer may wait for."""

    def __init__(self) -> None:
        self.version = 0
        self.asked = 0
        self.topics: dict[str, list[Partition]] = {}
        self.groups: dict[str, Group] = {}
        self.producer_epochs: dict[str, int] = {}
        self._open: dict[str, Transaction] = {}

    def create(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        self.topics[topic] = [Partition() for _ in range(partitions)]

    def partition_of(self, topic: str, key: bytes) -> int:
        """Return where a key belongs."""
        return zlib.crc32(key) % len(self.topics[topic])

    def append(self, place: Place, entry: Entry) -> int:
        """Append an entry and return its offset."""
        entries = self.topics[place[0]][place[1]].entries
        entries.append(entry)
        self.version += 1
        if entry.transaction is not None:
            entry.transaction.places[place] = None
        return len(entries) - 1

    def append_batch(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes, Headers]]
    ) -> None:
        """Append records to the first partition in one committed transaction."""
        transaction = Transaction()
        for key, value, headers in records:
            self.append((topic, 0), Entry(key, value, headers, transaction))
        self._end(transaction, "committed")

    # transactional producers

    def init_producer(self, name: str) -> int:
        """Fence the producers before this one, abort what they left open; return the epoch."""
        epoch = self.producer_epochs[name] = self.producer_epochs.get(name, 0) + 1
        left = self._open.pop(name, None)
        if left is not None:
            self._end(left, "aborted")
        return epoch

    def is_fenced(self, name: str, epoch: int) -> bool:
        """Say whether a later producer took over."""
        return self.producer_epochs[name] != epoch

    def transaction(self, name: str) -> Transaction:
        """Return the open transaction of a producer, a new one when there is none."""
        return self._open.setdefault(name, Transaction())

    def end_transaction(self, name: str, state: str) -> None:
        """Commit or abort a producer's open transaction."""
        transaction = self._open.pop(name, None)
        if transaction is not None:
            self._end(transaction, state)

    def _end(self, transaction: Transaction, state: str) -> None:
        transaction.state = state
        self.version += 1
        for place in transaction.places:
            self.append(place, Entry(None, None, [], None, marker=True))

    # groups

    def join(self, group: str, member: Member) -> None:
        """Add a member: the group rebalances."""
        found = self.groups.setdefault(group, Group())
        found.members.append(member)
        found.generation += 1
        self.version += 1

    def leave(self, group: str, member: Member) -> None:
        """Remove a member: the group rebalances."""
        found = self.groups[group]
        if member in found.members:
            found.members.remove(member)
            found.generation += 1
            self.give_up(member)

    def give_up(self, member: Member) -> None:
        """Take from a member what it holds: others may have waited for that."""
        member.holds = ()
        self.version += 1

    def take(self, group: str, member: Member) -> tuple[Place, ...]:
        """Give a member its part under the present generation."""
        member.generation = self.groups[group].generation
        member.holds = self.assignment(group, member)
        self.version += 1
        return member.holds

    def expire(self, now: float) -> None:
        """Take partitions from members that sent no heartbeat for too long."""
        for name, group in self.groups.items():
            gone = []
            for member in group.members:
                if member.is_alive():
                    member.seen_at = now
                elif now - member.seen_at > SESSION_S:
                    gone.append(member)
            for member in gone:
                self.leave(name, member)

    def may_join(self, group: str, member: Member) -> bool:
        """Say whether all others gave up what they held under an earlier generation."""
        found = self.groups[group]
        return all(
            other is member or other.generation == found.generation or not other.holds
            for other in found.members
        )

    def assignment(self, group: str, member: Member) -> tuple[Place, ...]:
        """Return the member's part of all partitions."""
        found = self.groups[group]
        places = sorted(
            (topic, number)
            for topic in {topic for one in found.members for topic in one.topics}
            for number in range(len(self.topics.get(topic, ())))
        )
        return tuple(places[found.members.index(member) :: len(found.members)])
