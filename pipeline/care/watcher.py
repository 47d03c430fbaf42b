"""Watches the connectors of a site: looks at all facts every few seconds, and does what is safe.

Enters: settings. Leaves: one log line per thing found and per thing done, `.isthmus/care.json`,
doubts in the hub. Whatever is away meanwhile is told once, and looked at again.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import structlog

from connectors import operate
from connectors.apply import apply_site, open_servers
from connectors.health.binlog_source import read_at
from connectors.health.gather import gather
from connectors.health.log_end import LogReader
from connectors.health.opening import open_sources
from connectors.health.rules import find
from connectors.site_lock import hold
from pipeline.care.doubt import note_lost_changes
from pipeline.care.memory import (
    CARE_FILE,
    Memory,
    dump_memories,
    load_memories,
    recall,
    remember,
)
from pipeline.care.step import Action, Deed, Line, take_step, watch_log, watch_running
from pipeline.care.translators import read_translators
from pipeline.errors import IsthmusError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping

    from connectors.health.facts import ModuleFacts, TranslatorFacts
    from connectors.health.finding import Finding, Kind
    from connectors.health.gather import Sources
    from connectors.target import Target
    from pipeline.settings import Settings

log = structlog.get_logger()

STOP_S_MAX = 5.0
WHOLE_LOOK_S = 60.0
"""A binary log that was purged shows only against a connector's offset: so soon at the latest."""


class Watcher:
    """Watches the chosen modules until told to stop; `read_target` reads the declarations anew."""

    def __init__(
        self,
        settings: Settings,
        modules: Collection[str],
        read_target: Callable[[], Target],
        *,
        heal: bool,
    ) -> None:
        self._settings = settings
        self._modules = modules
        self._read_target = read_target
        self._heal = heal
        self._path = settings.state_folder / CARE_FILE
        self._memories = load_memories(self._path)
        self._problem: str | None = None
        self._whole_due_s = 0.0

    def run(self, stop: threading.Event) -> None:
        """Look, every `care.interval_s`, until `stop` is set."""
        with closing(LogReader(self._settings.bootstrap_servers)) as logs:
            while not stop.is_set():
                try:
                    self.look(logs)
                except (IsthmusError, psycopg.Error) as error:
                    self._tell_problem(str(error).strip().partition("\n")[0])
                else:
                    self._tell_problem(None)
                stop.wait(self._settings.care.interval_s)

    def look(self, logs: LogReader) -> None:
        """Look at every module once, and act."""
        target = self._read_target()
        problems: list[str] = []
        with open_sources(target, problems.append, logs) as sources:
            translators = read_translators(self._settings.hub_url, problems.append)
            found: list[Finding] = []
            for module, facts in self._gather(target, sources, translators).items():
                if module in self._modules:
                    found += self._look_at(target, sources, facts)
        self._write(found)
        if problems:
            raise IsthmusError("; ".join(problems))

    def _gather(
        self, target: Target, sources: Sources, translators: Mapping[str, TranslatorFacts]
    ) -> dict[str, ModuleFacts]:
        """Gather what all is decided by; while nothing seems amiss, Connect's offsets seldom."""
        now_s = time.monotonic()
        if now_s < self._whole_due_s:
            quick = gather(target, sources, translators, offsets=False)
            if not any(self._seems_amiss(sources, one, now_s) for one in quick.values()):
                return quick
        self._whole_due_s = now_s + WHOLE_LOOK_S
        return gather(target, sources, translators)

    def _seems_amiss(self, sources: Sources, facts: ModuleFacts, now_s: float) -> bool:
        memory = self._memories.get(facts.module, Memory())
        slotless = facts.source is not None and facts.source.slot is None
        recalled = _look_where_seen(sources, recall(facts, memory, now_s))
        found = find(recalled, self._settings.care.limits)
        return bool(slotless or found or memory.watched.told)

    def _look_at(self, target: Target, sources: Sources, facts: ModuleFacts) -> list[Finding]:
        memory, now_s = self._memories.get(facts.module, Memory()), time.monotonic()
        watched = watch_log(facts, watch_running(facts, memory.watched, now_s), now_s)
        memory = replace(memory, watched=watched)
        facts = _look_where_seen(sources, recall(facts, memory, now_s))
        findings = find(facts, self._settings.care.limits)
        memory = remember(facts, findings, memory)
        step = take_step(facts, findings, memory.watched, now_s, heal=self._heal)
        self._memories[facts.module] = replace(memory, watched=step.watched)
        for line in step.lines:
            _tell(facts.module, line)
        failed: set[Deed] = set()
        for action in step.actions:
            try:
                done = self._act(target, sources, facts, action)
            except (IsthmusError, psycopg.Error) as error:
                failed.add(action.deed)
                log.warning(
                    "care.failed",
                    module=facts.module,
                    deed=str(action.deed),
                    error=str(error).strip().partition("\n")[0],
                )
                continue
            if done and action.deed is Deed.DOUBT and Deed.STOP not in failed:
                self._remember_doubt(facts.module, action.finding.kind)
        return findings

    def _remember_doubt(self, module: str, kind: Kind) -> None:
        memory = self._memories[module]
        doubted = memory.watched.doubted | {kind}
        watched = replace(memory.watched, doubted=doubted)
        self._memories[module] = replace(memory, watched=watched)

    def _act(self, target: Target, sources: Sources, facts: ModuleFacts, action: Action) -> bool:
        """Do it; False when there was nothing to do it to."""
        name, finding = facts.connector.name, action.finding
        if action.deed is Deed.STOP:
            # waited for briefly: a task that hangs while it starts would hold up all the others
            operate.change_state(sources.connect, name, "stop", timeout_s=STOP_S_MAX)
        elif action.deed is Deed.RESTART:
            failed = facts.connector.failure is not None
            sources.connect.restart(name, only_failed=failed)
        elif action.deed is Deed.RESUME:
            operate.change_state(sources.connect, name, "resume")
        elif action.deed is Deed.DOUBT:
            if not note_lost_changes(self._settings.hub_url, sources, facts, finding):
                return False
        else:
            with hold(target):
                # what is amiss with another one does not hinder it
                alone = self._read_target().only(facts.module)
                with open_servers(alone) as servers:
                    apply_site(alone, servers)
        log.warning(
            "care.done",
            module=facts.module,
            deed=str(action.deed),
            connector=name,
            why=str(finding.kind),
        )
        return True

    def _write(self, found: list[Finding]) -> None:
        document = dump_memories(
            self._memories, [one.document() for one in found], datetime.now(UTC).isoformat()
        )
        scratch = self._path.with_suffix(".new")
        try:
            scratch.write_text(json.dumps(document, indent=1))
            scratch.replace(self._path)
        except OSError as error:
            raise IsthmusError(f"can't write {self._path}: {error}") from error

    def _tell_problem(self, problem: str | None) -> None:
        if problem == self._problem:
            return
        self._problem = problem
        if problem is None:
            log.info("care.looks_again")
        else:
            log.warning("care.cannot_look", error=problem)


def _look_where_seen(sources: Sources, facts: ModuleFacts) -> ModuleFacts:
    """Add what stands in the binary log now where it ended at an earlier look."""
    if sources.binlog is None or facts.binlog is None or facts.seen_binlog is None:
        return facts
    return replace(facts, at_seen=read_at(sources.binlog, facts.seen_binlog))


def _tell(module: str, line: Line) -> None:
    level = {"error": log.error, "warning": log.warning}.get(str(line.severity), log.info)
    level("care.found", module=module, kind=str(line.kind), text=line.text)
