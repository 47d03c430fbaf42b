"""What one batch writes into a region's store, in one transaction.

Enters: nothing; these are the values between the core, which makes them, and a store, which
writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.projection import ChildTable, Projection
from pipeline.errors import Fatal, Poison

if TYPE_CHECKING:
    import polars as pl

TopicPartition = tuple[str, int]

SUBJECT = "isthmus_subject"
DELETED = "isthmus_deleted"
"""Columns that staged rows have before the projection's own."""
DELETED_FIELD = "deleted"
"""The field of every contract that says whether the aggregate is gone."""


class Fenced(Fatal):
    """Another replicator took over partitions that this one believed to be its own."""


class Rejected(Poison):
    """The database does not accept a row of this batch; the others are not to blame."""


class Ownership(NamedTuple):
    """What a replicator holds of a partition: its epoch, and the offset to read next."""

    epoch: int
    next_offset: int


class GuardRow(NamedTuple):
    """The newest event of an aggregate in this batch; `time` is the commit at the source."""

    aggregate: str
    subject: str
    sequence: str
    deleted: bool
    event_id: str
    time: datetime


class BarrierPassage(NamedTuple):
    """A barrier that stands in one partition."""

    barrier: str
    topic: str
    partition: int
    module: str
    position: str
    quarantined: list[str]


class DomainRow(NamedTuple):
    """A domain event; `data` is JSON."""

    event_id: str
    type: str
    source: str
    subject: str
    sequence: str
    time: datetime
    transaction: str | None
    data: str


class DeadLetter(NamedTuple):
    """A record that can't be applied; `aggregate` and `subject` as far as they are known."""

    topic: str
    partition: int
    record_offset: int
    aggregate: str | None
    subject: str | None
    sequence: str | None
    reason: str
    payload: bytes | None
    headers: list[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table, as frames (decoded at once) and as tuples (decoded one by one)."""

    columns: tuple[str, ...]
    frames: tuple[pl.DataFrame, ...] = ()
    tuples: tuple[tuple[Any, ...], ...] = ()

    def __len__(self) -> int:
        return sum(frame.height for frame in self.frames) + len(self.tuples)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for frame in self.frames:
            yield from frame.iter_rows()
        yield from self.tuples

    def joined(self, other: Rows) -> Rows:
        """Return the rows of both."""
        return Rows(self.columns, self.frames + other.frames, self.tuples + other.tuples)


def root_columns(projection: Projection) -> tuple[str, ...]:
    """Name the columns of a projection's staged rows."""
    return (SUBJECT, DELETED, *projection.columns)


def child_columns(projection: Projection, child: ChildTable) -> tuple[str, ...]:
    """Name the columns of a child table's staged rows."""
    return (SUBJECT, *child.key[: len(projection.key)], *child.columns)


@dataclass(frozen=True, slots=True)
class ProjectedRows:
    """The rows of one projection.

    `root` begins with the columns SUBJECT and DELETED; each of `children`, by its table, with
    SUBJECT and the parent's key.
    """

    projection: Projection
    root: Rows
    children: Mapping[str, Rows]


@dataclass(frozen=True, slots=True)
class StoreBatch:
    """One batch, ready to be written; `records` of them were consumed.

    `offsets` are the next ones to read. `guard` has one row per aggregate and subject.
    `tombstones` and `superseded` (an older state in the same batch) are counted only.
    """

    records: int
    offsets: Mapping[TopicPartition, int]
    guard: tuple[GuardRow, ...] = ()
    projected: tuple[ProjectedRows, ...] = ()
    domain_events: tuple[DomainRow, ...] = ()
    barriers: tuple[BarrierPassage, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    tombstones: int = 0
    superseded: int = 0


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a store made of a batch, in events; `stale` were older than, or equal to, the stored."""

    applied: int = 0
    stale: int = 0
    domain_events: int = 0
    dead_letters: int = 0
    barriers: int = 0

    def plus(self, other: WriteResult) -> WriteResult:
        """Add the counts of another write."""
        return WriteResult(
            self.applied + other.applied,
            self.stale + other.stale,
            self.domain_events + other.domain_events,
            self.dead_letters + other.dead_letters,
            self.barriers + other.barriers,
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """The values of a group of events of one type and schema, in order.

    Either a frame with a row per event, or `values` with a dict per event. `poison` gives the
    reason for each event that can't be decoded (only beside `values`, where it is {}).
    """

    frame: pl.DataFrame | None = None
    values: tuple[dict[str, Any], ...] = ()
    poison: Mapping[int, str] = field(default_factory=dict)
