"""The faults of a run: each does one bad thing to the world, at a moment that the seed chooses.

Enters: the world. Leaves: a process that was killed, paused or cut off, records that came twice, a
connector or a database that went back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.simulate.clients import BROKER
from pipeline.simulate.outbox import REGISTRY
from pipeline.simulate.site import MODULES
from pipeline.simulate.world import HUB, REGIONS, changes_topic, events_topic

if TYPE_CHECKING:
    from pipeline.simulate.broker import Entry
    from pipeline.simulate.kernel import Process
    from pipeline.simulate.landscape import Landscape

REPLICATORS_MAX = 3
CALLS_MAX = 30
RECORDS_MAX = 12
"""A connector that is to be killed within a transaction writes at most so many before."""
SERVERS = {
    "translate": (HUB, BROKER),
    "publish": (HUB, BROKER, REGISTRY),
    "replicate": ("store", BROKER, REGISTRY),
}
"""What a process of each kind talks to."""


class Faults:
    """Does what `options.faults` allow; `retention` ends a run, as nothing can go on behind it."""

    def __init__(self, landscape: Landscape) -> None:
        self._landscape = landscape
        self._world = landscape.world
        self._random = landscape.world.random
        self.overrun = False
        known: dict[str, tuple[int, Callable[[], None]]] = {
            "kill": (10, self._kill),
            "zombie": (4, self._pause),
            "cut": (5, self._cut),
            "rebalance": (3, self._rebalance),
            "connect_kill": (5, self._kill_connector),
            "repeat": (4, self._kill_connector),
            "begin_again": (4, self._kill_connector),
            "duplicate": (5, self._publish_again),
            "offsets_lost": (1, self._lose_offsets),
            "restore": (1, self._restore),
            "snapshot_again": (1, self._snapshot_again),
            "rubbish": (2, self._write_rubbish),
            "ddl": (2, landscape.workload.alter),
            "retention": (1, self._overrun),
            "incremental": (5, self._ask_snapshot),
            "inexact": (20, self._kill_within),
        }
        self._faults = [one for name, one in known.items() if name in self._world.options.faults]

    def strike(self) -> None:
        """Do one of the run's faults."""
        if self._faults:
            weights = [weight for weight, _ in self._faults]
            self._random.choices(self._faults, weights)[0][1]()

    def _process(self) -> Process | None:
        """Choose a process, most often one that is in the middle of something."""
        alive = [one for one in self._world.kernel.processes if one.alive]
        busy = [one for one in alive if self._world.kernel.is_busy(one)]
        if busy and self._random.random() < 0.8:  # noqa: PLR2004 - where it hurts
            return self._random.choice(busy)
        return self._random.choice(alive) if alive else None

    def _kill(self) -> None:
        """Kill a process now, or in one of its next calls."""
        process = self._process()
        if process is None:
            return
        if self._random.random() < 0.3:  # noqa: PLR2004 - a call is hit more often than a pause
            self._world.tell(f"kill {process.name}")
            self._world.kernel.kill(process)
        else:
            process.calls_left = self._random.randint(1, CALLS_MAX)
            self._world.tell(f"kill {process.name} at its call {process.calls_left} from here")

    def _pause(self) -> None:
        """Let a process stand still; most often its successor is started meanwhile."""
        process = self._process()
        if process is None or process.paused_until > self._world.kernel.now:
            return
        seconds = self._random.choice((0.5, 5.0, 30.0))
        self._world.kernel.pause(process, self._world.kernel.now + seconds)
        self._world.tell(f"pause {process.name} for {seconds} s")
        if self._random.random() < 0.7:  # noqa: PLR2004 - else it goes on as if nothing had been
            self._landscape.start_again(process)

    def _cut(self) -> None:
        process = self._process()
        if process is not None:
            server = self._random.choice(SERVERS[process.kind])
            server = process.name.rpartition("-")[2] if server == "store" else server
            seconds = self._random.choice((0.2, 3.0, 20.0))
            process.cut_off[server] = self._world.kernel.now + seconds
            self._world.tell(f"cut {process.name} off {server} for {seconds} s")

    def _rebalance(self) -> None:
        region = self._random.choice(REGIONS)
        name = f"replicate-{region}"
        there = [one for one in self._world.kernel.processes if one.alive and one.name == name]
        if len(there) < REPLICATORS_MAX:
            self._landscape.processes.append(self._world.start_replicator(region))

    def _kill_connector(self) -> None:
        module = self._random.choice(list(MODULES))
        connector = self._world.connectors[module]
        if connector.running:
            self._world.tell(f"kill connector {module}")
            connector.crash()

    def _kill_within(self) -> None:
        """Kill the connectors behind some of their next records, within a transaction."""
        for module in MODULES:
            self._landscape.records_left[module] = left = self._random.randint(1, RECORDS_MAX)
            self._world.tell(f"kill connector {module} in a transaction, {left} records from here")

    def _publish_again(self) -> None:
        """Append copies of published events, in any order, also of aggregates that are gone."""
        module = self._random.choice(list(MODULES))
        for partition, log in enumerate(self._world.broker.topics[events_topic(module)]):
            entries = [entry for _, entry in log.committed()]
            copies = self._random.sample(entries, min(len(entries), self._random.randint(0, 4)))
            for entry in copies:
                self._append_copy(module, partition, entry)
            if copies:
                self._world.tell(f"publish {len(copies)} old events of {module} again")

    def _append_copy(self, module: str, partition: int, entry: Entry) -> None:
        place = (events_topic(module), partition)
        self._world.broker.append(place, type(entry)(entry.key, entry.value, entry.headers))

    def _lose_offsets(self) -> None:
        for group in self._world.broker.groups.values():
            group.offsets.clear()

    def _restore(self) -> None:
        history = self._world.legacy.history
        commit = self._random.choice(history[-8:])
        self._landscape.begin_epochs(list(MODULES), restore_to=commit.lsn)

    def _snapshot_again(self) -> None:
        self._landscape.begin_epochs([self._random.choice(list(MODULES))], restore_to=None)

    def _ask_snapshot(self) -> None:
        """Ask for an incremental snapshot of some tables; a running one takes them in."""
        module = self._random.choice(list(MODULES))
        if self._world.signal_table(module) is not None:
            tables = self._random.sample(
                MODULES[module], self._random.randint(1, len(MODULES[module]))
            )
            self._world.connectors[module].incremental_snapshot(tables)
            self._world.tell(f"ask for an incremental snapshot of {', '.join(tables)}")

    def _write_rubbish(self) -> None:
        module = self._random.choice(list(MODULES))
        self._world.broker.append_batch(changes_topic(module), [(None, b"rubbish", [])])
        self._world.tell(f"rubbish in the change log of {module}")

    def _overrun(self) -> None:
        """Remove all of a topic: what somebody needs next may be gone."""
        module = self._random.choice(list(MODULES))
        topic = self._random.choice((changes_topic(module), events_topic(module)))
        for log in self._world.broker.topics[topic]:
            log.start = log.last_stable()
        self.overrun = True
        self._world.tell(f"retention removes all of {topic}")
