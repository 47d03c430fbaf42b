"""A run's landscape: what is started, how it is supervised, and how everything heals.

Enters: the world. Leaves: processes that are started again when they died, connectors that go on,
and epochs that begin when a database was restored or a snapshot is taken again.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from pipeline.errors import Fatal, IsthmusError, Unreachable
from pipeline.simulate.debezium import ConnectorFailed, DebeziumConnector
from pipeline.simulate.oracle import Epoch, Loss, Oracle, Violation
from pipeline.simulate.site import MODULES, SITE
from pipeline.simulate.workload import Workload
from pipeline.simulate.world import REGIONS

if TYPE_CHECKING:
    from pipeline.simulate.kernel import Process
    from pipeline.simulate.world import World

RESTART_S = (0.1, 12.0)
"""Between these a dead process is started again."""
CHUNK_ROWS = 2
"""Rows that an incremental snapshot reads at once: few, so that it has many windows."""
BARRIER_PREFIX = "isthmus.barrier"
TAKEN_OVER = ("took over", "slept over", "moved the published-up-to mark", "move one mark")


class Landscape:
    """Everything around the stages of one run."""

    def __init__(self, world: World, oracle: Oracle) -> None:
        self.world = world
        self.oracle = oracle
        self.workload = Workload(world.random, world.legacy, world.options.faults)
        self.processes: list[Process] = []
        self.stopped: list[str] = []
        self.records_left: dict[str, int] = {}
        self._restarts: list[tuple[float, Process]] = []

    def set_up(self) -> None:
        """Fill the legacy database, start connectors and processes."""
        self.workload.fill()
        for module, tables in MODULES.items():
            faults = self.world.options.faults
            self.world.connectors[module] = DebeziumConnector(
                self.world.legacy,
                module,
                tables,
                f"{SITE}.{module}",
                exactly_once="repeat" not in faults,
                repeats_begin="begin_again" in faults,
                counts_anew="begin_again" in faults,
                signal_table=self.world.signal_table(module),
                chunk_rows=CHUNK_ROWS,
                exact_restarts="inexact" not in faults or "begin_again" in faults,
            )
            self.oracle.epochs[module, 1] = Epoch(self.world.legacy.history)
            self.processes.append(self.world.start_translator(module))
            self.processes.append(self.world.start_publisher(module))
        self.processes += [self.world.start_replicator(region) for region in REGIONS]

    def run_connectors(self, records_max: int) -> int:
        """Let one connector write, or start it again; return how many records it wrote."""
        module = self.world.random.choice(list(MODULES))
        connector = self.world.connectors[module]
        if not connector.running:
            connector.start()
            self.world.tell(f"start connector {module}")
        if self.world.random.random() < 0.05:  # noqa: PLR2004 - links between transactions
            connector.heartbeat()
        if module not in self.records_left:
            return self._write(module, records_max)
        return self._write_and_die(module, records_max)

    def _write_and_die(self, module: str, records_max: int) -> int:
        """Let a connector write record by record until it is to die within a transaction."""
        connector = self.world.connectors[module]
        for count in range(records_max):
            if not self._write(module, 1):
                return count
            self.records_left[module] -= 1
            if self.records_left[module] <= 0 and not connector.is_between_transactions:
                self.world.tell(f"kill connector {module} within what it writes")
                del self.records_left[module]
                connector.crash()
                return count + 1
        return records_max

    def _write(self, module: str, records_max: int) -> int:
        connector = self.world.connectors[module]
        try:
            written = self.world.run_connector(module, records_max)
        except ConnectorFailed as error:
            self.world.tell(f"connector {module} fails: {error}")
            self.begin_epochs([module], restore_to=None)
            return 0
        for ended in connector.take_ended():
            self.oracle.losses.setdefault((module, connector.epoch), Loss()).note(ended)
        epoch = self.oracle.epochs[module, connector.epoch]
        if connector.snapshot_lsn is not None:
            epoch.snapshot_lsn = connector.snapshot_lsn
        return written

    def begin_epochs(self, modules: list[str], restore_to: int | None) -> None:
        """Begin a new epoch: of a restored database, or with a new snapshot of the same one."""
        if restore_to is not None:
            for epoch in self.oracle.epochs.values():
                if epoch.history is self.world.legacy.history:
                    epoch.history = list(epoch.history)
            self.world.tell(f"restore the legacy database to {restore_to:x}")
            self.world.legacy.restore(restore_to)
        for module in modules:
            self.world.epochs[module] += 1
            epoch_number = self.world.epochs[module]
            self.world.tell(f"new snapshot of {module} under epoch {epoch_number}")
            self.world.connectors[module].resnapshot(epoch_number)
            self.oracle.epochs[module, epoch_number] = Epoch(self.world.legacy.history)

    def heal_losses(self) -> None:
        """Do what an operator does to whom a reconciliation names rows that are missing.

        Where none of them is to be removed, an incremental snapshot will do.
        """
        for module, connector in self.world.connectors.items():
            loss = self.oracle.losses.get((module, connector.epoch), Loss())
            operations = {u.operation for units in loss.transactions.values() for u in units}
            if operations and operations <= {"c", "u"} and self.world.signal_table(module):
                self.world.tell(f"rows of {module} are missing: read them again")
                connector.incremental_snapshot(MODULES[module])
            elif operations:
                self.begin_epochs([module], restore_to=None)

    # supervision

    def restart_later(self, process: Process) -> None:
        """Have a process started again after a while."""
        after_s = self.world.random.uniform(*RESTART_S)
        self._restarts.append((self.world.kernel.now + after_s, process))

    def start_again(self, process: Process) -> None:
        """Start a process of the same name now."""
        self.processes.append(self.world.start_again(process))

    def supervise(self, *, at_once: bool = False) -> None:
        """Judge processes that ended, and start again what is due."""
        for process in [one for one in self.processes if not one.alive]:
            self.processes.remove(process)
            if process.failure is not None:
                self._judge(process, process.failure)
            else:
                self.restart_later(process)
        due = [one for one in self._restarts if at_once or one[0] <= self.world.kernel.now]
        for one in due:
            self._restarts.remove(one)
            if not any(alive.name == one[1].name for alive in self.processes):
                self.start_again(one[1])

    def _judge(self, process: Process, failure: BaseException) -> None:
        self.world.tell(f"{process.name} ended: {failure}")
        if isinstance(failure, Violation):
            raise failure
        fenced = isinstance(failure, Fatal) and any(one in str(failure) for one in TAKEN_OVER)
        if fenced or isinstance(failure, Unreachable):
            self.restart_later(process)
        elif isinstance(failure, IsthmusError):
            self.stopped.append(f"{process.name}: {failure}")
        else:
            raise Violation(f"{process.name} died of {type(failure).__name__}: {failure}") from (
                failure
            )

    # quiet

    def heal_all(self) -> None:
        """End every fault, commit what is open, and start whatever does not run."""
        world = self.world
        world.tell("everything heals")
        self.workload.finish()
        self.records_left.clear()
        if world.random.random() < 0.6:  # noqa: PLR2004 - else open letters stay
            self.workload.heal()
        for process in world.kernel.processes:
            process.paused_until = 0.0
            process.calls_left = None
            process.cut_off.clear()
        self.supervise(at_once=True)

    def keep_alive(self) -> None:
        """Start what is missing: one process of each kind."""
        self.supervise(at_once=True)
        alive = {process.name for process in self.processes}
        for module in MODULES:
            if f"translate-{module}" not in alive:
                self.processes.append(self.world.start_translator(module))
            if f"publish-{module}" not in alive:
                self.processes.append(self.world.start_publisher(module))
        for region in REGIONS:
            if f"replicate-{region}" not in alive:
                self.processes.append(self.world.start_replicator(region))

    def write_barrier(self) -> str:
        """Write a barrier into the legacy database and return its id."""
        identity = str(uuid.UUID(int=self.world.random.getrandbits(128)))
        transaction = self.world.legacy.begin()
        transaction.message(BARRIER_PREFIX, f'{{"id":"{identity}"}}'.encode())
        transaction.commit()
        return identity
