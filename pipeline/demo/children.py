"""The processes of ours that the demo runs: `isthmus` children with a log and a pid file each.

Enters: names and arguments. Leaves: running processes, found again by pid file after a crash of
the demo itself; Fatal with the end of its log when one of them dies unasked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Fatal
from pipeline.local_stack import process
from pipeline.local_stack.process import Child, Program
from pipeline.settings import STATE_FOLDER

LOGS = "logs"
STOP_SECONDS_MAX = 20.0
PACKAGES = Path(__file__).resolve().parents[2]
"""Where the packages lie: a child finds them also when they are not installed."""


@dataclass(frozen=True, slots=True)
class Task:
    """One process: its name and the arguments of `isthmus`, without --site."""

    name: str
    arguments: tuple[str, ...]


class Children:
    """The site's processes; `folder` holds logs and pid files."""

    def __init__(self, site: Path) -> None:
        self._site = site.resolve()
        self.folder = self._site / STATE_FOLDER / LOGS
        self.folder.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, Task] = {}

    def start(self, task: Task) -> int:
        """Start a process and return its pid; its log begins anew with the first start."""
        child = self._child(task.name)
        self._running[task.name] = task
        return process.start(
            Program(
                child=child,
                command=(
                    *(sys.executable, "-m", "pipeline.cli", *task.arguments),
                    *("--site", str(self._site)),
                ),
                environment={**os.environ, "PYTHONPATH": str(PACKAGES), "PYTHONUNBUFFERED": "1"},
            )
        )

    def kill(self, name: str) -> int:
        """Kill a process by SIGKILL and return the pid that it had."""
        child = self._child(name)
        pid = process.find_pid(child)
        if pid is None:
            raise self._death(name)
        process.kill(child)
        return pid

    def restart(self, name: str) -> int:
        """Start a process again that was killed, and return its pid."""
        return self.start(self._running[name])

    def check(self, *, but: str | None = None) -> None:
        """Fatal when a process has died that nobody killed; `but` may be dead."""
        for name in self._running:
            if name != but and process.find_pid(self._child(name)) is None:
                raise self._death(name)

    def is_running(self, name: str) -> bool:
        """Say whether a process runs."""
        return process.find_pid(self._child(name)) is not None

    def forget(self, name: str) -> None:
        """Expect no more that a process runs: it has ended by itself."""
        self._running.pop(name, None)
        process.stop(self._child(name))

    def pids(self) -> dict[str, int]:
        """Return the pids of what runs, by name."""
        found = {name: process.find_pid(self._child(name)) for name in self._running}
        return {name: pid for name, pid in found.items() if pid is not None}

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self._child(name).log

    def stop_all(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """End all processes in good order, also those that a demo before this one left."""
        names = sorted(path.stem for path in self.folder.glob("*.pid"))
        if not names:
            return
        tell(f"ending {', '.join(names)}")
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: process.stop(self._child(name)), names))
        self._running.clear()

    def clear_logs(self) -> None:
        """Remove the logs of a demo before this one; call it when nothing runs."""
        for path in self.folder.glob("*.log"):
            path.unlink()

    def _child(self, name: str) -> Child:
        return Child(name, self.folder, stop_seconds_max=STOP_SECONDS_MAX)

    def _death(self, name: str) -> Fatal:
        log = self.log(name)
        return Fatal(f"{name} died; the end of {log}:\n{process.read_tail(log)}")
