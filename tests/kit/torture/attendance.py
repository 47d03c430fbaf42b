"""The people around the chain: clerks who go on working, and an operator who restarts tasks.

Enters: the site's folder and Connect. Leaves: a workload that begins anew when its database was
away, and failed connector tasks restarted by `isthmus connectors restart`, both counted.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.client import ConnectClient
from pipeline.errors import IsthmusError
from torture.journal import Journal
from torture.processes import spawn, stop_child

LOOK_SECONDS = 4.0
RESTART_SECONDS_MAX = 60.0
AGAIN_SECONDS = 1.0
SHIFT_SECONDS = 3_600.0

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


class Clerks:
    """`isthmus workload` in a process of its own, started anew whenever it ends."""

    def __init__(self, folder: Path, *, rate: float, clients: int, seed: int) -> None:
        self._folder = folder
        self._rate, self._clients, self._seed = rate, clients, seed
        self.shifts = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clerks", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End the work in good order."""
        self._ended.set()
        if self._child is not None:
            stop_child(self._child)
        self._thread.join(RESTART_SECONDS_MAX)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._child = spawn(self._command(), self._folder / "workload.log")
            self.shifts += 1
            while self._child.poll() is None and not self._ended.wait(0.2):
                pass
            self._ended.wait(AGAIN_SECONDS)

    def _command(self) -> tuple[str, ...]:
        options = {
            "--rate": self._rate,
            "--seconds": SHIFT_SECONDS,
            "--clients": self._clients,
            "--seed": self._seed * 1_000 + self.shifts,
            "--site": self._folder,
        }
        return ("workload", "--json", *(str(one) for pair in options.items() for one in pair))


class ConnectOperator:
    """Looks at the site's connectors every few seconds and restarts what has failed of them."""

    def __init__(self, connect_url: str, site: str, run: RunCommand, journal: Journal) -> None:
        self._client = ConnectClient(connect_url)
        self._site = site
        self._run_command = run
        self._journal = journal
        self.restarts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join(RESTART_SECONDS_MAX * 2)

    def find_failed(self) -> dict[str, str]:
        """Return why connectors or tasks of the site have failed: first lines of their traces."""
        failed = {}
        for name in self._client.list_connectors():
            status = self._client.read_status(name) if name.startswith(f"{self._site}.") else None
            for part in [status["connector"], *status["tasks"]] if status else []:
                if part["state"] == "FAILED":
                    failed[name] = _name_cause(part)
        return failed

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                failed = self.find_failed()
            except IsthmusError:
                continue  # Connect is down or starting: there is nothing to look at
            for name, reason in failed.items():
                self._restart(name, reason)

    def _restart(self, name: str, reason: str) -> None:
        module = name.removeprefix(f"{self._site}.")
        done = self._run_command("connectors", "restart", module)
        self._journal.write(
            "operator", connector=name, reason=reason, code=done.returncode, said=done.stderr[-300:]
        )
        if done.returncode == 0:
            self.restarts[module] += 1
            self.reasons[reason] += 1


def _name_cause(part: dict[str, Any]) -> str:
    """Return the last cause in a failed part's trace, without what changes from time to time."""
    lines = str(part.get("trace") or "no trace").splitlines()
    causes = [line for line in lines if line.startswith("Caused by: ")] or lines[:1]
    return json.dumps(causes[-1].removeprefix("Caused by: ")[:160])[1:-1]
