"""Supervises the processes of a site: lock, state file, display and signals around the supervisor.

Enters: the site's folder for state, and processes. Leaves: how it ended, and the document of the
last state; nothing of it runs any more.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console

from pipeline.errors import Configuration
from pipeline.local_stack.process import Child, find_pid
from pipeline.run.child import Process
from pipeline.run.display import Show, open_display
from pipeline.run.lifecycle import Life, Moment
from pipeline.run.signals import caught_signals
from pipeline.run.state_file import STATE_FILE, StateFile, only_supervisor, read_findings
from pipeline.run.supervisor import Outcome, Supervisor

LOGS = "logs"
_TOLD = ("module", "kind", "severity", "text")

log = structlog.get_logger()


def read_clock() -> Moment:
    """Read both clocks."""
    return Moment(datetime.now(UTC), time.monotonic())


def supervise(
    folder: Path, processes: Sequence[Process], console: Console
) -> tuple[Outcome, dict[str, Any]]:
    """Keep the processes alive until a signal says to stop; return how it ended, and the state.

    `folder` is the site's state folder. Configuration when they run there already.
    """
    with only_supervisor(folder), caught_signals() as signals, open_display(console) as show:
        logs = folder / LOGS
        logs.mkdir(exist_ok=True)
        refuse_left_processes(logs, processes)
        teller = Teller(StateFile(folder / STATE_FILE, datetime.now(UTC)), show)
        supervisor = Supervisor(
            processes, logs, clock=read_clock, wait=signals.wait, tell=teller.tell
        )
        outcome = supervisor.run()
        return outcome, teller.file.document(outcome.lives)


def refuse_left_processes(logs: Path, processes: Sequence[Process]) -> None:
    """Raise Configuration when `demo --keep` has left its processes running: they are the same."""
    found = {one.name: find_pid(Child(one.name, logs)) for one in processes}
    left = {name: pid for name, pid in found.items() if pid is not None}
    if left:
        names = ", ".join(f"{name} (pid {pid})" for name, pid in left.items())
        pids = " ".join(str(pid) for pid in left.values())
        raise Configuration(f"running already, kept by a demo: {names}: end them by `kill {pids}`")


class Teller:
    """Writes the state file at each change and shows the lives; neither is worth an end of ours."""

    def __init__(self, file: StateFile, show: Show) -> None:
        self.file = file
        self._show = show
        self._written: tuple[Sequence[Life], tuple[dict[str, Any], ...]] | None = None
        self._problem: str | None = None

    def tell(self, lives: Sequence[Life]) -> None:
        """Tell how the processes are now."""
        known, self._problem = self._problem, self._write(lives)
        # a terminal may be closed, and the reader of a pipe may be gone: the processes are not
        with contextlib.suppress(OSError):
            if self._problem not in {None, known}:
                log.warning("run.state_not_written", error=self._problem)
            self._show(lives, datetime.now(UTC))

    def _write(self, lives: Sequence[Life]) -> str | None:
        """Write what has changed, and say why it could not be written; None when it was."""
        now = (tuple(lives), read_findings(self.file.path.parent))
        if now == self._written:
            return None
        try:
            self.file.write(lives)
        except OSError as error:
            return str(error)
        self._tell_findings(now[1])
        self._written = now
        return None

    def _tell_findings(self, findings: tuple[dict[str, Any], ...]) -> None:
        """Tell what the care of the connectors has found since the last time."""
        before = () if self._written is None else self._written[1]
        for one in findings:
            if one not in before:
                log.warning("run.connector", **{key: one.get(key) for key in _TOLD})
