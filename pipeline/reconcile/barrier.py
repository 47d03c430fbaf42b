"""Writes barriers into the legacy database and waits until they were passed.

Enters: connections and modules. Leaves: who has passed the barrier in time, and at which positions:
behind it, mirror and stores hold everything that was committed before it was written.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pipeline.reconcile.connections import Connection, Connections
from pipeline.replicate.barrier import passed_barrier

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Passage:
    """Who passed a barrier: modules with their positions, and the modules of each region."""

    barrier: str
    positions: Mapping[str, str]
    regions: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class EventTopics:
    """The events topics of the checked modules and their number of partitions."""

    by_module: Mapping[str, str]
    partitions: int


class Barriers:
    """Writes barriers and waits for them, at most `timeout_s` seconds each."""

    def __init__(self, connections: Connections, topics: EventTopics, timeout_s: float) -> None:
        self._connections = connections
        self._topics = topics
        self._timeout_s = timeout_s

    def write(self) -> str:
        """Write a barrier into the legacy database, committed at once, and return its id."""
        barrier = str(uuid.uuid4())
        self._connections.legacy.write_barrier(barrier)
        return barrier

    def wait(self, barrier: str, modules: Collection[str], regions: Collection[str]) -> Passage:
        """Wait until all `modules` and `regions` have passed, or the time is over.

        A region without a migrated store is not waited for.
        """
        positions: dict[str, str] = {}
        stores = {name: self._connections.stores.get(name) for name in regions}
        passed: dict[str, set[str]] = {name: set() for name, store in stores.items() if store}
        for _ in self._ticks():
            positions |= self._read_positions(barrier, set(modules) - positions.keys())
            for region, done in passed.items():
                for module in positions.keys() - done:
                    topics = {self._topics.by_module[module]: self._topics.partitions}
                    if passed_barrier(self._connections.stores[region], barrier, topics):
                        done.add(module)
            if all(len(done) == len(modules) for done in (positions, *passed.values())):
                break
        return Passage(
            barrier, positions, {name: frozenset(passed.get(name, ())) for name in regions}
        )

    def settle_emissions(self, modules: Collection[str]) -> frozenset[str]:
        """Wait until the emissions asked for by now are worked off; return modules with some left.

        A lookup that changed reaches the aggregates that show it through these, behind a barrier
        that stands in the log already.
        """
        hub = self._connections.hub
        row = hub.execute("select coalesce(max(id), 0) from hub.emission").fetchone()
        newest = row[0] if row is not None else 0
        waiting: frozenset[str] = frozenset()
        for _ in self._ticks():
            rows = hub.execute(
                "select distinct module from hub.emission where id <= %s and module = any(%s)",
                (newest, list(modules)),
            )
            waiting = frozenset(module for (module,) in rows)
            if not waiting:
                break
        return waiting

    def _read_positions(self, barrier: str, modules: Collection[str]) -> dict[str, str]:
        rows = self._connections.hub.execute(
            "select module, epoch, lsn from hub.barrier where barrier = %s and module = any(%s)",
            (barrier, list(modules)),
        )
        return {module: position_text(epoch, lsn) for module, epoch, lsn in rows}

    def _ticks(self) -> Iterator[None]:
        """Yield at once and then every POLL_SECONDS, until the time is over."""
        deadline = time.monotonic() + self._timeout_s
        yield
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            yield


def read_now(connection: Connection, modules: Collection[str]) -> dict[str, str]:
    """Return the position up to which each module is translated now."""
    rows = connection.execute(
        "select module, epoch, lsn from hub.module where module = any(%s)", (list(modules),)
    )
    return {module: position_text(epoch, lsn) for module, epoch, lsn in rows}


def position_text(epoch: int, lsn: int) -> str:
    """Print a position as a sequence begins: `<epoch>-<lsn>` in hexadecimal of fixed width."""
    return f"{epoch:08x}-{lsn:016x}"
