"""The main job, from nothing to the report: ten steps, with accidents on purpose in the middle.

Enters: a site's folder and options. Leaves: a report and the exit code of its verdict; servers and
processes are ended however it ends, unless they are to be kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from pipeline.demo.accidents import Accident, Incidents, plan_accidents
from pipeline.demo.children import Children, Task
from pipeline.demo.landscape import (
    apply_connectors,
    make_legacy,
    migrate_targets,
    register_site_contracts,
)
from pipeline.demo.progress import DemoProgress, DownloadTold, Step
from pipeline.demo.waiting import LOOK_SECONDS, wait_for_arrival
from pipeline.demo.watch import Watch
from pipeline.errors import Fatal
from pipeline.local_stack.stack import LocalStack
from pipeline.reconcile.options import Options
from pipeline.reconcile.record import record_document, write_record
from pipeline.reconcile.result import Reconciliation
from pipeline.reconcile.run import reconcile
from pipeline.reconcile.scope import make_scope
from pipeline.report.facts import Report
from pipeline.report.gather import gather_report
from pipeline.report.quality_record import check_quality, write_quality
from pipeline.report.write import write_report
from pipeline.settings import Settings, load_settings

REPORT_FOLDER = "report"
WORKLOAD = "workload"
OVERTIME_SECONDS_MAX = 60.0
"""How long the workload may take beyond its time, to finish what it has begun."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo does: `seconds` of workload at `rate` transactions a second."""

    orders: int = 50_000
    seconds: float = 60.0
    rate: float = 50.0
    seed: int = 1
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo ends with; `pids` are of the processes that are kept, by name."""

    report: Report
    reconciliation: Reconciliation
    paths: dict[str, Path]
    pids: dict[str, int]


class Demo:
    """One run of the demo in a site's folder."""

    STEPS = 11

    def __init__(self, site: Path, options: DemoOptions, console: Console) -> None:
        self._site = site.resolve()
        self._options = options
        self._stack = LocalStack(self._site)
        self._children = Children(self._site)
        self._progress = DemoProgress(console, self.STEPS)
        self._console = console

    def run(self) -> Outcome:
        """Do everything and return the outcome; any error of ours leaves after the cleaning up."""
        with self._cleaned_up():
            settings = self._start_stack()
            modules = self._prepare(settings)
            self._start_processes(settings, modules)
            with Watch(settings) as watch:
                with self._progress.step("snapshot and first events") as step:
                    self._wait(settings, modules, step, watch)
                self._work(settings, modules, watch)
                with self._progress.step("waiting for quiet") as step:
                    self._wait(settings, modules, step, watch)
            return self._judge(settings)

    @contextmanager
    def _cleaned_up(self) -> Iterator[None]:
        """End processes and servers behind the block, unless it went well and they are kept."""
        ended_well = False
        try:
            yield
            ended_well = True
        finally:
            if not (ended_well and self._options.keep):
                self._console.print("ending processes and servers", style="dim")
                try:
                    self._children.stop_all()
                finally:
                    self._stack.down()

    def _start_stack(self) -> Settings:
        with self._progress.step("local stack") as step:
            self._children.stop_all(step.tell)
            self._children.clear_logs()
            self._stack.up(fresh=True, progress=DownloadTold(step))
            step.tell("Kafka, Connect, registry, PostgreSQL; empty")
        return load_settings(self._site)

    def _prepare(self, settings: Settings) -> list[str]:
        options = self._options
        with self._progress.step("legacy database") as step:
            make_legacy(settings, orders=options.orders, seed_number=options.seed, tell=step.tell)
        with self._progress.step("hub and stores") as step:
            migrate_targets(settings, step.tell)
        with self._progress.step("contracts") as step:
            register_site_contracts(settings, step.tell)
        with self._progress.step("connectors") as step:
            return apply_connectors(settings, step.tell)

    def _start_processes(self, settings: Settings, modules: list[str]) -> None:
        tasks = [
            *(Task(f"translate-{one}", ("translate", "--module", one)) for one in modules),
            Task("publish", ("publish",)),
            *(Task(f"replicate-{one}", ("replicate", "--region", one)) for one in settings.regions),
        ]
        with self._progress.step("processes") as step:
            for task in tasks:
                self._children.start(task)
            step.tell(f"{len(tasks)} processes, logs in {self._children.folder}")

    def _wait(self, settings: Settings, modules: list[str], step: Step, watch: Watch) -> None:
        wait_for_arrival(settings, modules, step=step, watch=watch, children=self._children)

    def _work(self, settings: Settings, modules: list[str], watch: Watch) -> None:
        options, incidents = self._options, Incidents(settings.state_folder)
        accidents = plan_accidents(
            settings,
            self._children,
            replicator=f"replicate-{next(iter(settings.regions))}",
            translator=f"translate-{'sales' if 'sales' in modules else modules[0]}",
            seed=options.seed,
        )
        figures = {"rate": options.rate, "seconds": options.seconds, "seed": options.seed}
        arguments = [text for name, one in figures.items() for text in (f"--{name}", f"{one:g}")]
        with self._progress.step("business, with accidents") as step:
            self._children.start(Task(WORKLOAD, (WORKLOAD, "--json", *arguments)))
            self._cause_accidents(accidents, incidents, step, watch)
            self._children.forget(WORKLOAD)
            step.tell(self._read_workload())

    def _cause_accidents(
        self, accidents: list[Accident], incidents: Incidents, step: Step, watch: Watch
    ) -> None:
        """Watch the workload until it ends, and cause each accident at its time."""
        planned, seconds = list(accidents), self._options.seconds
        while self._children.is_running(WORKLOAD) or planned:
            share = step.seconds / seconds
            while planned and share >= planned[0].at_share:
                what, detail = planned.pop(0).cause()
                incidents.add(what, detail)
                step.note(f"{what} ({detail})")
            step.tell(f"{min(share, 1.0):4.0%} of {seconds:.0f} s")
            step.show(watch.look())
            if step.seconds > seconds + OVERTIME_SECONDS_MAX:
                raise Fatal(f"the workload does not end: see {self._children.log(WORKLOAD)}")
            time.sleep(LOOK_SECONDS)

    def _read_workload(self) -> str:
        """Say what the workload did; Fatal with its log when it ended without a result."""
        log = self._children.log(WORKLOAD)
        lines = log.read_text(encoding="utf-8").strip().splitlines()
        try:
            document = json.loads(lines[-1])
            return f"{document['transactions']:,} transactions, {len(document['counts'])} kinds"
        except (IndexError, ValueError, KeyError, TypeError) as error:
            raise Fatal(f"the workload ended without a result: see {log}") from error

    def _judge(self, settings: Settings) -> Outcome:
        # the suites take as long as the reconciliation, and both only read
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            checking = pool.submit(check_quality, settings, datetime.now(UTC))
            with self._progress.step("reconcile") as step:
                result = reconcile(
                    settings,
                    make_scope(settings, [], []),
                    Options(),
                    clock=lambda: datetime.now(UTC),
                    announce=step.tell,
                )
                write_record(settings, result)
                step.tell(f"{result.verdict}, {len(result.tables)} comparisons")
            with self._progress.step("quality and report") as step:
                step.tell("expectation suites over every region's tables")
                quality = checking.result()
                write_quality(settings, quality)
                report = gather_report(
                    settings, record_document(result), quality, datetime.now(UTC)
                )
                paths = write_report(report, settings.state_folder / REPORT_FOLDER)
                met = sum(one.success for one in quality.results)
                step.tell(f"{met} of {len(quality.results)} expectations are met")
        pids = self._children.pids() if self._options.keep else {}
        return Outcome(report, result, paths, pids)
