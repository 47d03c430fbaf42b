"""Our processes under `isthmus run`: found by its state file, and itself kept by whoever runs it.

Enters: the site's folder. Leaves: pids by name, the supervisor's among them: it is struck like the
others. What it gives up on, and what failed without a rival to blame, is told in `deaths`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.local_stack.process import read_began
from pipeline.settings import STATE_FOLDER
from torture.processes import (
    STOP_SECONDS_MAX,
    Death,
    is_asked,
    read_tail,
    spawn,
    stop_child,
)

SUPERVISOR = "run"
POLL_SECONDS = 0.1
EXCUSED_SECONDS = 60.0
"""How long after a zombie was made its fencing is no failure."""
AGAIN_SECONDS = 1.0
GIVEN_UP = "given up"
PROGRAM = "isthmus: "
"""How the program's last words begin."""
KILLED = "was killed (it did not end within"


@dataclass(slots=True)
class SupervisedProcesses:
    """`isthmus run` as a child; a thread starts it again when it ends, as an init does."""

    folder: Path
    names: Sequence[str]
    deaths: list[Death] = field(default_factory=list)
    killed_at_stop: int = 0
    _child: subprocess.Popen[bytes] | None = None
    _excused_until: dict[str, float] = field(default_factory=dict)
    _told: set[tuple[Any, ...]] = field(default_factory=set)
    _restarts: dict[int, int] = field(default_factory=dict)
    _starts: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None

    def start_all(self) -> None:
        """Start the supervisor and the thread that keeps it."""
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def find_pid(self, name: str) -> int | None:
        """Return the pid of the supervisor, or of a process that it says it has."""
        child = self._child
        if child is None or child.poll() is not None:
            return None
        if name == SUPERVISOR:
            return child.pid
        for process in self._read_state().get("processes", ()):
            pid = process["pid"]
            if process["name"] == name and pid is not None and read_began(pid) is not None:
                return int(pid)
        return None

    def excuse(self, name: str) -> None:
        """Expect that the process is fenced soon."""
        self._excused_until[name] = time.monotonic() + EXCUSED_SECONDS

    def count_restarts(self) -> int:
        """Return how many processes, the supervisor included, were started again."""
        return sum(self._restarts.values()) + max(self._starts - 1, 0)

    def stop_all(self) -> Mapping[str, int]:
        """End the supervisor in good order, and with it all processes."""
        self._stop_keeper()
        return {} if self._child is None else {SUPERVISOR: stop_child(self._child)}

    def end(self) -> None:
        """Kill the supervisor: its processes go with it."""
        self._stop_keeper()
        if self._child is not None:
            self._child.kill()
            self._child.wait(STOP_SECONDS_MAX)

    def _stop_keeper(self) -> None:
        self._ended.set()
        if self._keeper is not None:
            self._keeper.join(STOP_SECONDS_MAX)

    def _keep(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            if self._child is None:
                self._child = spawn(("run", "--site", str(self.folder)), self._log())
                self._starts += 1
            elif (code := self._child.poll()) is not None:
                if not is_asked(code) and not self._is_excused() and not self._only_killed():
                    self._tell(SUPERVISOR, code, (self._child.pid, code))
                self._child = None
                self._ended.wait(AGAIN_SECONDS)
            else:
                self._look_at_state()

    def _look_at_state(self) -> None:
        """Note failures and restarts; what was given up on is begun anew with the supervisor."""
        state = self._read_state()
        processes = state.get("processes", ())
        if processes:
            self._restarts[int(state["pid"])] = sum(one["restarts"] for one in processes)
        given_up = False
        for one in processes:
            code, key = one["last_exit"], (state["pid"], one["name"], one["restarts"], one["state"])
            if one["state"] == GIVEN_UP:
                given_up = True
                self._tell(one["name"], code, (*key, GIVEN_UP))
            elif _has_failed(one) and not self._is_excused(one["name"]):
                self._tell(one["name"], code, key)
        if given_up and self._child is not None:
            self._child.send_signal(signal.SIGTERM)
            self._ended.wait(AGAIN_SECONDS)

    def _only_killed(self) -> bool:
        """Say whether the supervisor only had to kill processes whose servers were down."""
        said = read_tail(self._log()).rpartition(PROGRAM)[2].splitlines()
        self.killed_at_stop += sum(KILLED in line for line in said)
        return bool(said) and all(KILLED in line for line in said)

    def _is_excused(self, *names: str) -> bool:
        now = time.monotonic()
        return any(now < self._excused_until.get(name, 0.0) for name in names or self.names)

    def _tell(self, name: str, code: int, key: tuple[Any, ...]) -> None:
        if key in self._told:
            return
        self._told.add(key)
        log = self._log() if name == SUPERVISOR else self._state_folder() / "logs" / f"{name}.log"
        self.deaths.append(Death(time.time(), name, code, read_tail(log)))

    def _read_state(self) -> dict[str, Any]:
        """Read the state file; {} unless it is that of the supervisor that runs."""
        try:
            state: dict[str, Any] = json.loads((self._state_folder() / "run.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        child = self._child
        return state if child is not None and state.get("pid") == child.pid else {}

    def _state_folder(self) -> Path:
        return self.folder / STATE_FOLDER

    def _log(self) -> Path:
        return self.folder / f"{SUPERVISOR}.log"


def _has_failed(process: Mapping[str, Any]) -> bool:
    code = process["last_exit"]
    return process["pid"] is None and code is not None and not is_asked(code)
