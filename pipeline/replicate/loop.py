"""The loop of a replicator: fetches and plans in one thread, writes in the other.

Enters: records of events topics. Leaves: a store that holds what the events say; runs until told to
stop. Retriable errors reconnect, with a bounded backoff; Fatal ones end it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from pipeline.errors import Retriable, Unreachable
from pipeline.failpoints import pass_failpoint
from pipeline.replicate.batch import (
    Ownership,
    Rejected,
    StoreBatch,
    TopicPartition,
    WriteResult,
)
from pipeline.replicate.consumer import EventsConsumer, Fetched
from pipeline.replicate.core import Planner
from pipeline.replicate.record import Record
from pipeline.replicate.threads import Lock, SystemThreads, Threads

QUEUE_BATCHES_MAX = 2
BACKOFF_SECONDS_MAX = 30.0
POLL_SECONDS = 0.5

_log = structlog.get_logger()


class Store(Protocol):
    """What a replicator needs of a region's store."""

    def take_over(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Ownership]:
        """Become the owner of partitions."""

    def write(self, batch: StoreBatch, epochs: Mapping[TopicPartition, int]) -> WriteResult:
        """Write a batch in one transaction."""

    def close(self) -> None:
        """Let go of the store."""


@dataclass(frozen=True, slots=True)
class _Planned:
    fetched: Fetched
    batch: StoreBatch
    plan_ms: float


PlannedQueue = queue.Queue[_Planned | BaseException]


class _Idle:
    """Tells when nothing came for so long, counted from the newest assignment of partitions."""

    def __init__(self, seconds_max: float | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds_max = seconds_max
        self._generation = 0
        self.restart()

    def restart(self) -> None:
        self._since = self._clock()

    def is_over(self, generation: int) -> bool:
        if self._seconds_max is None:
            return False
        if generation != self._generation:
            self._generation = generation
            self.restart()
        return generation > 0 and self._clock() - self._since > self._seconds_max


def write_records(
    planner: Planner,
    store: Store,
    records: Sequence[Record],
    epochs: Mapping[TopicPartition, int],
    batch: StoreBatch | None = None,
) -> WriteResult:
    """Write records (planned as `batch`, if they are); what the store refuses is dead-lettered.

    When a batch is refused, its halves are written one after the other, down to the one record
    that is to blame: each is a prefix of what is left, so offsets never run ahead.
    """
    try:
        return store.write(batch or planner.plan(records), epochs)
    except Rejected as error:
        if len(records) == 1:
            return store.write(planner.reject(records[0], str(error)), epochs)
    middle = len(records) // 2
    first = write_records(planner, store, records[:middle], epochs)
    return first.plus(write_records(planner, store, records[middle:], epochs))


class Replicator:
    """Replicates one region; `open_store` and `open_consumer` connect anew after a failure.

    `clock` gives seconds.
    """

    def __init__(
        self,
        region: str,
        *,
        planner: Planner,
        open_store: Callable[[], Store],
        open_consumer: Callable[[Store, Lock], EventsConsumer],
        threads: Threads | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._region = region
        self._planner = planner
        self._open_store = open_store
        self._open_consumer = open_consumer
        self._threads = threads or SystemThreads()
        self._clock = clock
        self._written = 0

    def run(self, stop: threading.Event, *, idle_seconds_max: float | None = None) -> None:
        """Replicate until `stop`, or until nothing has come for `idle_seconds_max`.

        Unreachable when store or broker are not there at first; later it tries again.
        """
        backoff_seconds, connected = 0.0, False
        while not stop.is_set():
            written = self._written
            try:
                store = self._open_store()
                try:
                    self._run_session(store, stop, idle_seconds_max)
                finally:
                    store.close()
            except (Retriable, Unreachable) as error:
                if isinstance(error, Unreachable) and not (connected or self._written):
                    raise
                connected = True
                progressed = self._written > written
                backoff_seconds = 0.5 if progressed else min(
                    max(backoff_seconds * 2, 0.5), BACKOFF_SECONDS_MAX
                )  # fmt: skip
                _log.warning(
                    "replicator reconnects",
                    region=self._region, reason=str(error), backoff_seconds=backoff_seconds,
                )  # fmt: skip
                stop.wait(backoff_seconds)
            else:
                return

    def _run_session(
        self, store: Store, stop: threading.Event, idle_seconds_max: float | None
    ) -> None:
        handover = self._threads.make_lock()
        consumer = self._open_consumer(store, handover)
        planned: PlannedQueue = self._threads.make_queue(QUEUE_BATCHES_MAX)
        ended = self._threads.make_event()
        fetcher = self._threads.start(lambda: self._fetch(consumer, planned, ended), "fetch")
        idle = _Idle(idle_seconds_max, self._clock)
        try:
            while not stop.is_set() and not idle.is_over(consumer.generation):
                item = _next(planned)
                if isinstance(item, BaseException):
                    raise item
                if item is not None:
                    self._write(store, consumer, handover, item)
                    idle.restart()
        finally:
            ended.set()
            _drain(planned)
            fetcher.join()
            consumer.close()

    def _fetch(
        self,
        consumer: EventsConsumer,
        planned: PlannedQueue,
        ended: threading.Event,
    ) -> None:
        """Fetch and plan, until ended; an error goes to the writing thread, which raises it."""
        try:
            while not ended.is_set():
                fetched = consumer.fetch(POLL_SECONDS)
                if not fetched.records:
                    continue
                began = time.perf_counter()
                batch = self._planner.plan(fetched.records)
                plan_ms = (time.perf_counter() - began) * 1000
                _put(planned, _Planned(fetched, batch, plan_ms), ended)
        except BaseException as error:  # noqa: BLE001 - handed over, not swallowed
            _put(planned, error, ended)

    def _write(
        self,
        store: Store,
        consumer: EventsConsumer,
        handover: Lock,
        item: _Planned,
    ) -> None:
        fetched, batch = item.fetched, item.batch
        pass_failpoint("replicate.before_write")
        began = time.perf_counter()
        with handover:
            if fetched.generation != consumer.generation:
                return  # the partitions were given up: whoever has them now reads it again
            result = write_records(self._planner, store, fetched.records, fetched.epochs, batch)
        write_ms = (time.perf_counter() - began) * 1000
        pass_failpoint("replicate.after_commit")
        consumer.commit(batch.offsets)
        pass_failpoint("replicate.after_offsets")
        self._written += 1
        self._log_batch(item, result, write_ms)

    def _log_batch(self, item: _Planned, result: WriteResult, write_ms: float) -> None:
        _log.info(
            "replicated",
            region=self._region,
            records=item.batch.records,
            bytes=item.fetched.bytes,
            applied=result.applied,
            stale=result.stale,
            superseded=item.batch.superseded,
            domain_events=result.domain_events,
            tombstones=item.batch.tombstones,
            barriers=result.barriers,
            dead_letters=result.dead_letters,
            plan_ms=round(item.plan_ms, 1),
            write_ms=round(write_ms, 1),
        )


def _next(
    planned: PlannedQueue,
) -> _Planned | BaseException | None:
    try:
        return planned.get(timeout=0.2)
    except queue.Empty:
        return None


def _put(
    planned: PlannedQueue,
    item: _Planned | BaseException,
    ended: threading.Event,
) -> None:
    while not ended.is_set():
        try:
            planned.put(item, timeout=0.2)
        except queue.Full:
            continue
        return


def _drain(planned: PlannedQueue) -> None:
    while not planned.empty():
        planned.get_nowait()
