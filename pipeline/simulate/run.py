"""One run: chaos for a while, then everything heals, and then all of it must have arrived.

Enters: options. Leaves: a `Result`; the same options give the same run, to the last step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from pipeline import failpoints
from pipeline.simulate.audit import Audit
from pipeline.simulate.faults import Faults
from pipeline.simulate.landscape import Landscape
from pipeline.simulate.options import Options, small_limits
from pipeline.simulate.oracle import Oracle, Violation
from pipeline.simulate.site import MODULES
from pipeline.simulate.world import EVENT_PARTITIONS, REGIONS, World, events_topic

QUIET_TURNS_MAX = 2_000
"""Turns in which everything must have arrived once all faults have ended."""
STEPS_PER_TURN = 8
QUIET_STEPS_PER_TURN = 40


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run: `violation` None when everything held.

    `stopped` are processes that gave up with a message, as they must behind lost records.
    """

    options: Options
    violation: str | None
    events: int
    stopped: tuple[str, ...]
    trace: tuple[str, ...]


def simulate(options: Options, *, trace: bool = False) -> Result:
    """Run one simulation."""
    world = World(options)
    if trace:
        world.trace = []
    run = _Run(world)
    violation = None
    with small_limits(Random(f"limits {options.seed}")), _failpoints(world):  # noqa: S311 - not for secrets
        try:
            run.go()
        except Violation as error:
            violation = str(error)
        finally:
            run.end()
    return Result(
        options,
        violation,
        len(world.hub.rows("event")),
        tuple(run.landscape.stopped),
        tuple(world.trace or ()),
    )


@contextlib.contextmanager
def _failpoints(world: World) -> Iterator[None]:
    """Let a process be killed at its named failpoints, too."""
    failpoints.watch(world.kernel.step)
    try:
        yield
    finally:
        failpoints.watch(None)


class _Run:
    def __init__(self, world: World) -> None:
        self.world = world
        oracle = Oracle()
        self.landscape = Landscape(world, oracle)
        self.audit = Audit(world, oracle)
        self.faults = Faults(self.landscape)
        self._oracle = oracle

    def go(self) -> None:
        self.landscape.set_up()
        self._oracle.note_names(self.world.legacy.tables)
        for _ in range(self.world.options.turns):
            self._turn()
        self.landscape.heal_all()
        self._oracle.note_names(self.world.legacy.tables)
        self._become_quiet()

    def end(self) -> None:
        """Let go of every process that is left."""
        for process in list(self.world.kernel.processes):
            self.world.kernel.kill(process)

    def _turn(self) -> None:
        random = self.world.random
        self._pass_time(0.02)
        if random.random() < 0.5:  # noqa: PLR2004 - the pace of the legacy application
            self.landscape.workload.turn()
            self._oracle.note_names(self.world.legacy.tables)
        if random.random() < 0.5:  # noqa: PLR2004 - the pace of the connectors
            self.landscape.run_connectors(random.choice((1, 3, 20)))
        for _ in range(random.randint(0, 2 * STEPS_PER_TURN)):
            self._step()
        if random.random() < 0.06:  # noqa: PLR2004 - ten to forty in a run
            self.faults.strike()
            self._oracle.note_names(self.world.legacy.tables)
        if random.random() < 0.03:  # noqa: PLR2004 - sessions time out, sleepers wake
            self._pass_time(random.choice((1.0, 12.0)))
        self.landscape.supervise()
        self.audit.check_hub()

    def _step(self) -> None:
        kernel = self.world.kernel
        thread = kernel.choose()
        if thread is not None:
            kernel.resume(thread)
        else:
            wake = kernel.next_time()
            if wake is not None:
                self._pass_time(wake - kernel.now)

    def _pass_time(self, seconds: float) -> None:
        kernel = self.world.kernel
        kernel.now += seconds
        self.world.broker.expire(kernel.now)

    def _become_quiet(self) -> None:
        """Wait for one barrier, for all emissions, and for a barrier behind them."""
        self._wait_for(self._is_streaming, "snapshots")
        self.landscape.heal_losses()
        self._wait_for(self._is_streaming, "new snapshots")
        self._oracle.note_names(self.world.legacy.tables)
        first = self.landscape.write_barrier()
        self._wait_for(lambda: self._is_translated(first), "the barrier in the hub")
        self._wait_for(lambda: not self.world.hub.rows("emission"), "emissions")
        second = self.landscape.write_barrier()
        self._wait_for(lambda: self._has_passed(second), "the barrier in every region")
        if self._is_over():
            self.audit.check_safety()
        else:
            self.audit.check_quiet()

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        for _ in range(QUIET_TURNS_MAX):
            if condition() or self._is_over():
                return
            self._quiet_turn()
        stopped = f"; stopped: {self.landscape.stopped}" if self.landscape.stopped else ""
        raise Violation(f"not in time: {what}{stopped}")

    def _quiet_turn(self) -> None:
        self._pass_time(0.01)
        self.landscape.run_connectors(50)
        for _ in range(QUIET_STEPS_PER_TURN):
            self._step()
        self.landscape.keep_alive()

    def _is_over(self) -> bool:
        """Say whether somebody has stopped for good; only lost records are a reason."""
        stopped = self.landscape.stopped
        if stopped and not self.faults.overrun:
            raise Violation(f"stopped for good: {stopped[0]}")
        return bool(stopped)

    def _is_streaming(self) -> bool:
        return all(
            self.world.connectors[module].running
            and self.world.connectors[module].snapshot_is_complete
            and self.world.connectors[module].is_idle
            for module in MODULES
        )

    def _is_translated(self, barrier: str) -> bool:
        return all((barrier, module) in self.world.hub.rows("barrier") for module in MODULES)

    def _has_passed(self, barrier: str) -> bool:
        return all(
            (barrier, events_topic(module), number) in store.barriers
            for region in REGIONS
            for store in (self.world.stores[region],)
            for module in MODULES
            for number in range(EVENT_PARTITIONS)
        )
