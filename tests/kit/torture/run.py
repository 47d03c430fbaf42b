"""One torture from beginning to end: work and faults, then quiet, then the verdict.

Enters: a site of the tests, a seed and a length. Leaves: the journal and the summary as files, and
`RunFacts`. Whatever happens, every process of ours is ended and every server is back.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_site import MODULES

from pipeline.local_stack.services import SERVICES
from pipeline.local_stack.stack import LocalStack
from torture.attendance import Clerks, ConnectOperator
from torture.evidence import describe_end, keep_evidence
from torture.ground import Ground
from torture.injectors import Injectors
from torture.journal import Journal
from torture.plan import Fault, Plan, choose_targets, make_plan
from torture.pulse import Beat, Pulse, find_recovery
from torture.slow_clerk import SlowClerk
from torture.summary import Injected, RunFacts, write_summary
from torture.supervised import SUPERVISOR, SupervisedProcesses
from torture.tortured_site import TorturedSite
from torture.verdict import Verdict, judge

AT_ONCE_MAX = 4
"""So many faults may last at the same time."""
SNAPSHOT_SECONDS_MAX = 180.0
LOOK_SECONDS = 1.0
"""How often it is seen whether a process has died: such a run has failed, and is ended."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a torture is run; `quiet_seconds_max` bounds the time to catch up after the faults."""

    seed: int
    seconds: float
    report: Path
    spacing_s: float = 14.0
    rate: float = 40.0
    clients: int = 8
    orders: int = 1_000
    quiet_seconds_max: float = 240.0


@dataclass(slots=True)
class _Scene:
    """Who takes part in a run, and what has been found so far."""

    live: TorturedSite
    processes: SupervisedProcesses
    operator: ConnectOperator
    pulse: Pulse
    clerks: Clerks
    slow_clerk: SlowClerk
    injected: list[tuple[Fault, dict[str, Any]]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    quiet_s: float = 0.0


class Torture:
    """A site under torture; `stack` serves it and `direct` are its variables without proxies."""

    def __init__(
        self, stack: LocalStack, folder: Path, direct: Mapping[str, str], options: Options
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._direct = direct
        self._options = options
        self._journal = Journal(options.report.with_suffix(".jsonl"))

    def run(self) -> RunFacts:
        """Run, write journal and summary, and return the facts."""
        with Ground(self._stack, self._direct, self._options.seed) as ground:
            ground.write_variables(self._folder)
            scene = self._set_scene()
            try:
                scene.processes.start_all()
                scene.operator.start()
                self._strike(ground, scene)
                self._become_quiet(ground, scene)
                facts = self._conclude(scene)
            finally:
                scene.operator.stop()
                scene.processes.end()
        self._options.report.with_suffix(".txt").write_text(write_summary(facts))
        self._journal.write("verdict", **dataclasses.asdict(facts), passed=facts.passed)
        return facts

    def _set_scene(self) -> _Scene:
        options = self._options
        live = TorturedSite(self._folder, orders=options.orders)
        live.set_up()
        return _Scene(
            live,
            SupervisedProcesses(live.folder, tuple(live.arguments)),
            ConnectOperator(
                self._direct["ISTHMUS_CONNECT_URL"], live.settings.site, live.run, self._journal
            ),
            Pulse(self._direct["ISTHMUS_LEGACY_OWNER_URL"]),
            Clerks(self._folder, rate=options.rate, clients=options.clients, seed=options.seed),
            SlowClerk(
                live.settings.legacy.owner_url,
                orders=options.orders,
                rows=80,
                pause_s=2.0,
                seed=options.seed,
            ),
        )

    def _strike(self, ground: Ground, scene: _Scene) -> None:
        """Let the clerks work and inject all faults, once the snapshot is there."""
        scene.live.set_deadline(SNAPSHOT_SECONDS_MAX)
        scene.live.wait_for_snapshot()
        options, processes = self._options, scene.processes
        plan = make_plan(
            options.seed,
            seconds=options.seconds,
            spacing_s=options.spacing_s,
            targets=choose_targets(processes.names, supervisor=SUPERVISOR),
        )
        self._journal.write("plan", seed=plan.seed, seconds=plan.seconds, faults=len(plan.faults))
        injectors = Injectors(ground, processes, scene.live.commands(), self._folder)
        scene.pulse.start()
        scene.clerks.start()
        scene.slow_clerk.start()
        try:
            scene.injected = self._inject_all(plan, injectors, processes)
        finally:
            scene.clerks.stop()
            scene.slow_clerk.stop()
        scene.findings += [str(one["finding"]) for _, one in scene.injected if "finding" in one]

    def _inject_all(
        self, plan: Plan, injectors: Injectors, processes: SupervisedProcesses
    ) -> list[tuple[Fault, dict[str, Any]]]:
        """Inject each fault at its time and wait for the last one's end; no more after a death."""
        started = time.monotonic()
        jobs: list[tuple[Fault, Future[dict[str, Any]]]] = []

        def wait_until(at_s: float) -> None:
            while not processes.deaths and (left := started + at_s - time.monotonic()) > 0:
                time.sleep(min(left, LOOK_SECONDS))

        with ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="fault") as pool:
            for fault in plan.faults:
                wait_until(fault.at_s)
                if processes.deaths:
                    break
                jobs.append((fault, pool.submit(self._inject, injectors, fault)))
            wait_until(plan.seconds)
        return [(fault, job.result()) for fault, job in jobs]

    def _inject(self, injectors: Injectors, fault: Fault) -> dict[str, Any]:
        """Inject a fault; what goes wrong with that is found at the end, and fails the run."""
        planned = dataclasses.asdict(fault)
        self._journal.write("fault", phase="due", **planned)
        began_at = time.time()
        try:
            facts = injectors.inject(fault)
        except Exception as error:  # noqa: BLE001 - told as a finding
            words = f"{fault.kind} of {fault.target} could not be injected or undone: {error!r}"
            facts = {"began_at": began_at, "ended_at": time.time(), "finding": words}
        self._journal.write("fault", phase="over", **planned, **facts)
        return facts

    def _become_quiet(self, ground: Ground, scene: _Scene) -> None:
        """End all faults and wait until everything is everywhere."""
        began = time.monotonic()
        ground.heal()
        self._journal.write("quiet", phase="begun")
        if scene.processes.deaths:
            scene.pulse.stop()
            return
        scene.live.set_deadline(self._options.quiet_seconds_max)
        try:
            scene.live.wait_for_quiet()
        except TimeoutError as error:
            scene.findings.append(
                f"{error}, {self._options.quiet_seconds_max:.0f} s after all faults"
            )
        scene.quiet_s = time.monotonic() - began
        scene.pulse.stop()
        self._journal.write("quiet", phase="over", seconds=round(scene.quiet_s, 1))

    def _conclude(self, scene: _Scene) -> RunFacts:
        """Judge, end our processes in good order, and gather the facts."""
        live, processes = scene.live, scene.processes
        verdict = judge(live, self._direct["ISTHMUS_KAFKA"])
        stores = [region.url for region in live.settings.regions.values()]
        partitions = len(MODULES) * live.settings.event_partitions
        beats = scene.pulse.collect(stores, partitions=partitions)
        figures = _gather_figures(verdict, beats, scene)
        end: list[str] = []
        if verdict.findings or scene.findings:
            logs = [self._stack.log(name) for name in SERVICES]
            keep_evidence(live, self._direct["ISTHMUS_KAFKA"], self._options.report, logs)
            end = describe_end(live, self._direct["ISTHMUS_KAFKA"])
        codes = processes.stop_all()
        died = [f"{one.name} died with code {one.code}: {one.tail}" for one in processes.deaths]
        ended = [f"{name} ended with code {code}" for name, code in codes.items() if code]
        return RunFacts(
            seed=self._options.seed,
            seconds=self._options.seconds,
            faults=[_describe(fault, facts, beats) for fault, facts in scene.injected],
            figures=figures,
            operator=dict(scene.operator.restarts),
            reasons=dict(scene.operator.reasons),
            findings=[*scene.findings, *verdict.findings, *died, *ended],
            end=end,
        )


def _describe(fault: Fault, facts: Mapping[str, Any], beats: list[Beat]) -> Injected:
    return Injected(
        kind=str(fault.kind),
        target=fault.target,
        lasted_s=facts["ended_at"] - facts["began_at"],
        recovered_s=find_recovery(beats, facts["ended_at"]),
        skipped="skipped" in facts,
    )


def _gather_figures(verdict: Verdict, beats: list[Beat], scene: _Scene) -> dict[str, Any]:
    return {
        **verdict.figures,
        "barriers written": len(beats),
        "barriers lost": sum(beat.passed_at is None for beat in beats),
        "processes started again": scene.processes.count_restarts(),
        "processes killed while stopping": scene.processes.killed_at_stop,
        "workload started": scene.clerks.shifts,
        "seconds until all was quiet": round(scene.quiet_s, 1),
    }
