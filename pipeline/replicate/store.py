"""A region's store in PostgreSQL: writes a batch and its offsets in one transaction.

Enters: a `StoreBatch` and the epochs under which its partitions are owned. Leaves: what became of
it. Errors: Fenced, Rejected (the database refuses a row), Retriable, Unreachable, Configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from adapters.projection import Projection
from pipeline.connection import open_connection, take_rows
from pipeline.errors import Configuration, Retriable, Unreachable
from pipeline.failpoints import pass_failpoint
from pipeline.replicate import statements
from pipeline.replicate.batch import (
    DomainRow,
    Fenced,
    GuardRow,
    Ownership,
    ProjectedRows,
    Rejected,
    Rows,
    StoreBatch,
    TopicPartition,
    WriteResult,
)
from pipeline.replicate.inbox import Inbox
from pipeline.replicate.latency import find_bucket
from pipeline.replicate.staging import copy_rows

_PLAN_OPTIONS = "-c enable_hashjoin=off -c enable_mergejoin=off"
"""Staged rows are few and targets many: a hash join over the target costs three times as much."""

_TAKE_OVER = """
    insert into replication.offset as o (topic, partition, next_offset, owner_epoch)
    values (%s, %s, 0, 1)
    on conflict (topic, partition) do update set owner_epoch = o.owner_epoch + 1
    returning next_offset, owner_epoch
"""
_MOVE_OFFSETS = """
    update replication.offset o set next_offset = n.next_offset
    from unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[])
      as n (topic, partition, next_offset, owner_epoch)
    where o.topic = n.topic and o.partition = n.partition and o.owner_epoch = n.owner_epoch
"""
_ADD_LATENCY = """
    insert into replication.latency as l (minute, bucket, events, ms_max)
    select date_trunc('minute', %s::timestamptz), * from unnest(%s::int[], %s::int[], %s::float[])
    on conflict (minute, bucket) do update
    set events = l.events + excluded.events, ms_max = greatest(l.ms_max, excluded.ms_max)
"""
_DOMAIN_COLUMNS = DomainRow._fields


class PostgresStore:
    """The store at `url`; `clock` gives the time (aware)."""

    def __init__(
        self,
        url: str,
        projections: Sequence[Projection],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._inbox = Inbox("domain_event")
        self._roots = {one.type: statements.make_root_statements(one) for one in projections}
        self._children = {
            child.table: statements.make_child_statements(one, child)
            for one in projections
            for child in one.children
        }
        self._connection = _connect(url)
        with self._translated(), self._connection.transaction():
            self._connection.execute(statements.CREATE_GUARD_STAGE)
            for table in (*self._roots.values(), *self._children.values()):
                for statement in table.create:
                    self._connection.execute(statement)

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back by the server."""
        self._connection.close()

    def take_over(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Ownership]:
        """Become the owner of partitions, which fences whoever was; waits for its open batch."""
        places = sorted(partitions)

        def take() -> dict[TopicPartition, Ownership]:
            taken = {}
            for topic, partition in places:
                row = self._connection.execute(_TAKE_OVER, (topic, partition)).fetchone()
                assert row is not None  # noqa: S101 - an upsert without condition returns its row
                taken[topic, partition] = Ownership(epoch=row[1], next_offset=row[0])
            return taken

        with self._translated():
            return take_rows(
                self._connection,
                take,
                table="replication.offset",
                condition="(taken.topic, taken.partition) in"
                " (select * from unnest(%s::text[], %s::int[]))",
                parameters=([topic for topic, _ in places], [number for _, number in places]),
            )

    def write(self, batch: StoreBatch, epochs: Mapping[TopicPartition, int]) -> WriteResult:
        """Write a batch in one transaction, or nothing of it."""
        with self._translated(), self._connection.transaction():
            self._move_offsets(batch.offsets, epochs)
            stale = self._merge_guard(batch.guard)
            for projected in batch.projected:
                self._merge(projected, stale)
            domain_events = self._write_domain_events(batch.domain_events)
            self._write_barriers(batch)
            self._write_dead_letters(batch)
            self._add_latency(batch.guard, stale)
            pass_failpoint("replicate.before_commit")
        return WriteResult(
            applied=len(batch.guard) - len(stale),
            stale=len(stale),
            domain_events=domain_events,
            dead_letters=len(batch.dead_letters),
            barriers=len(batch.barriers),
        )

    def _move_offsets(
        self, offsets: Mapping[TopicPartition, int], epochs: Mapping[TopicPartition, int]
    ) -> None:
        places = sorted(offsets)
        moved = self._connection.execute(
            _MOVE_OFFSETS,
            (
                [topic for topic, _ in places],
                [partition for _, partition in places],
                [offsets[place] for place in places],
                [epochs[place] for place in places],
            ),
        ).rowcount
        if moved != len(places):
            raise Fenced(
                f"another replicator took over partitions of {places[0][0]} in this region's "
                "store while this one was working on them: nothing of the batch was written; "
                "run one replicator per region, or start this one again"
            )

    def _merge_guard(self, guard: Sequence[GuardRow]) -> set[tuple[str, str]]:
        """Stage the batch's aggregates and return those whose stored sequence is not older."""
        if not guard:
            return set()
        tuples = tuple(one[: len(statements.GUARD_COLUMNS)] for one in guard)
        copy_rows(
            self._connection,
            statements.GUARD_STAGE,
            Rows(statements.GUARD_COLUMNS, tuples=tuples),
        )
        row = self._connection.execute(statements.MERGE_GUARD).fetchone()
        if row is not None and row[0] == len(guard):
            return set()
        return set(self._connection.execute(statements.READ_STALE).fetchall())

    def _merge(self, rows: ProjectedRows, stale: set[tuple[str, str]]) -> None:
        """Merge a projection: children go before their parents and come after them."""
        projection = rows.projection
        root = self._roots[projection.type]
        children = [(self._children[table], one) for table, one in rows.children.items()]
        unwanted = [subject for aggregate, subject in stale if aggregate == projection.aggregate]
        for table, staged in ((root, rows.root), *children):
            copy_rows(self._connection, table.stage, staged)
            if unwanted:
                self._connection.execute(table.unstage, (unwanted,))
        for table, _ in children:
            self._connection.execute(table.delete)
        self._connection.execute(root.delete)
        self._connection.execute(root.upsert)
        for table, staged in children:
            if len(staged):
                self._connection.execute(table.upsert)

    def _write_domain_events(self, rows: Sequence[DomainRow]) -> int:
        if not rows:
            return 0
        new = self._inbox.claim(self._connection, [row.event_id for row in rows], self._clock())
        wanted = tuple(row for row in rows if row.event_id in new)
        copy_rows(
            self._connection, "replication.domain_event", Rows(_DOMAIN_COLUMNS, tuples=wanted)
        )
        return len(wanted)

    def _write_barriers(self, batch: StoreBatch) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into replication.barrier"
                " (barrier, topic, partition, module, position, quarantined, passed_at)"
                " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                [(*one, self._clock()) for one in batch.barriers],
            )

    def _write_dead_letters(self, batch: StoreBatch) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into replication.dead_letter (topic, partition, record_offset, aggregate,"
                " subject, sequence, reason, payload, headers, at)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                [(*one[:-1], Jsonb(one.headers), self._clock()) for one in batch.dead_letters],
            )

    def _add_latency(self, guard: Sequence[GuardRow], stale: set[tuple[str, str]]) -> None:
        """Count the applied events by their age now, which is a moment before the commit."""
        times = Counter(
            one.time for one in guard if not stale or (one.aggregate, one.subject) not in stale
        )
        now = self._clock()
        buckets: dict[int, tuple[int, float]] = {}
        for time, events in times.items():
            ms = max(0.0, (now - time).total_seconds() * 1000)
            bucket = find_bucket(ms)
            count, highest = buckets.get(bucket, (0, 0.0))
            buckets[bucket] = (count + events, max(highest, ms))
        if buckets:
            counts, highs = zip(*buckets.values(), strict=True)
            self._connection.execute(_ADD_LATENCY, (now, list(buckets), list(counts), list(highs)))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (
            psycopg.DataError,
            psycopg.IntegrityError,
            psycopg.errors.CardinalityViolation,
        ) as e:
            raise Rejected(f"the store refuses a row ({type(e).__name__}{_constraint(e)})") from e
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Retriable(f"the store failed ({_first_line(error)})") from error
        except psycopg.ProgrammingError as error:
            raise Configuration(
                f"the store's tables are not as the projections say ({_first_line(error)}): "
                "migrate the store, or correct the projections"
            ) from error


def _connect(url: str) -> psycopg.Connection[Any]:
    try:
        return open_connection(url, "replicate", _PLAN_OPTIONS)
    except psycopg.OperationalError as error:
        place = conninfo_to_dict(url)
        raise Unreachable(
            f"can't reach the store {place.get('dbname')} at {place.get('host')}:"
            f"{place.get('port')} ({_first_line(error)}): is it running, is the region's url right?"
        ) from error


def _constraint(error: psycopg.Error) -> str:
    """Name table, column and constraint, never the row's values."""
    parts = (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
    named = " ".join(part for part in parts if part)
    return f" on {named}" if named else ""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
