"""Does to a target what the plan says, and undoes it.

Enters: a `Fault`. Leaves: facts for the journal once the fault is over: how long it lasted, what
became of a zombie. A target that is down already is waited for, within a bound.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from pipeline.local_stack import process
from torture.ground import Ground
from torture.plan import SERVERS, Fault, Kind
from torture.processes import Rival
from torture.proxy import Mode
from torture.supervised import SupervisedProcesses
from torture.takeover import read_progress

POLL_SECONDS = 0.1
PRESENT_SECONDS_MAX = 60.0
LOCK_SECONDS_MAX = 240.0
TAKE_OVER_SECONDS_MAX = 90.0
"""A process that was paused within a transaction keeps its locks for 60 s."""
FENCED_SECONDS_MAX = 20.0
IN_FLIGHT_SECONDS = 0.5
STOP_SECONDS_MAX = 60.0
MODES = {Kind.REFUSE: Mode.REFUSE, Kind.RESET: Mode.RESET, Kind.STALL: Mode.STALL}
CAPTURE_ROLE = "isthmus_capture"

Facts = dict[str, Any]


class Injectors:
    """Every fault has its way here; two of them never work on one target at the same time."""

    def __init__(
        self,
        ground: Ground,
        processes: SupervisedProcesses,
        commands: Mapping[str, tuple[str, ...]],
        folder: Path,
    ) -> None:
        self._ground = ground
        self._processes = processes
        self._commands = commands
        self._folder = folder
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()

    def inject(self, fault: Fault) -> Facts:
        """Inject a fault, wait for its end, and return facts; `skipped` says why it was not."""
        with self._alone(_component(fault)):
            began_at = time.time()
            facts = self._choose(fault)(fault)
            return {"began_at": began_at, "ended_at": time.time(), **facts}

    def _choose(self, fault: Fault) -> Callable[[Fault], Facts]:
        if fault.kind in MODES:
            return self._cut
        if fault.kind is Kind.TERMINATE:
            return self._terminate
        if fault.target in SERVERS:
            ways = {
                Kind.KILL: self._restart_server,
                Kind.RESTART: self._restart_server,
                Kind.PAUSE: self._pause_server,
            }
            return ways[fault.kind]
        return {
            Kind.KILL: self._kill_process,
            Kind.RESTART: self._restart_process,
            Kind.PAUSE: self._pause_process,
            Kind.ZOMBIE: self._make_zombie,
        }[fault.kind]

    @contextmanager
    def _alone(self, component: str) -> Iterator[None]:
        with self._locks_lock:
            lock = self._locks.setdefault(component, threading.Lock())
        if not lock.acquire(timeout=LOCK_SECONDS_MAX):
            raise TimeoutError(f"an earlier fault of {component} does not end")
        try:
            yield
        finally:
            lock.release()

    def _cut(self, fault: Fault) -> Facts:
        proxy = self._ground.proxies[fault.target]
        connections = proxy.count_connections()
        proxy.set_mode(MODES[fault.kind])
        try:
            time.sleep(fault.seconds)
        finally:
            proxy.set_mode(Mode.PASS)
        return {"connections": connections}

    def _terminate(self, fault: Fault) -> Facts:
        """End all sessions of a database, or those of Connect in the legacy one."""
        condition = "datname = %s"
        if fault.target == "capture":
            condition += f" and usename = '{CAPTURE_ROLE}'"
        statement = (
            "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity"
            f" where {condition} and pid <> pg_backend_pid()) ended"
        )
        database = self._database(fault.target)
        deadline = time.monotonic() + PRESENT_SECONDS_MAX
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):  # it is down: wait for it
                url = self._ground.direct["ISTHMUS_POSTGRES_ADMIN_URL"]
                with psycopg.connect(url, connect_timeout=5) as connection:
                    row = connection.execute(statement.encode(), (database,)).fetchone()
                return {"sessions": row[0] if row else 0}
            time.sleep(POLL_SECONDS)
        return {"skipped": "the server was down"}

    def _database(self, target: str) -> str:
        name = {
            "hub": "ISTHMUS_HUB_URL",
            "eu": "ISTHMUS_STORE_EU_URL",
            "us": "ISTHMUS_STORE_US_URL",
            "capture": "ISTHMUS_LEGACY_URL",
        }[target]
        return self._ground.direct[name].rpartition("/")[2]

    def _restart_server(self, fault: Fault) -> Facts:
        stack = self._ground.stack
        end = stack.kill if fault.kind is Kind.KILL else stack.stop
        end(fault.target)
        ended = time.monotonic()
        time.sleep(fault.seconds)
        self._ground.start(fault.target)
        return {"down_s": round(time.monotonic() - ended, 2)}

    def _pause_server(self, fault: Fault) -> Facts:
        pid = self._ground.stack.find_pid(fault.target)
        if pid is None:
            return {"skipped": "it was down"}
        return self._pause(pid, fault.seconds)

    def _kill_process(self, fault: Fault) -> Facts:
        pid = self._wait_for_pid(fault.target)
        if pid is None:
            return {"skipped": "it was down"}
        _signal(pid, signal.SIGKILL)
        return {"pid": pid}

    def _pause_process(self, fault: Fault) -> Facts:
        pid = self._wait_for_pid(fault.target)
        if pid is None:
            return {"skipped": "it was down"}
        return self._pause(pid, fault.seconds)

    def _pause(self, pid: int, seconds: float) -> Facts:
        began = process.read_began(pid)
        _signal(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            if process.read_began(pid) == began:
                _signal(pid, signal.SIGCONT)
        return {"pid": pid}

    def _restart_process(self, fault: Fault) -> Facts:
        """End a process in good order; whoever keeps it starts it again."""
        pid = self._wait_for_pid(fault.target)
        if pid is None:
            return {"skipped": "it was down"}
        asked = time.monotonic()
        _signal(pid, signal.SIGTERM)
        ended = _wait(lambda: process.read_began(pid) is None, STOP_SECONDS_MAX)
        facts: Facts = {"pid": pid, "ended_in_s": round(time.monotonic() - asked, 2)}
        if not ended:
            _signal(pid, signal.SIGKILL)
            facts["finding"] = f"{fault.target} did not end within {STOP_SECONDS_MAX:.0f} s"
        return facts

    def _make_zombie(self, fault: Fault) -> Facts:
        """Pause a process, let a rival take over and work, wake the first: one is fenced."""
        name = fault.target
        pid = self._wait_for_pid(name)
        if pid is None:
            return {"skipped": "it was down"}
        began = process.read_began(pid)
        self._processes.excuse(name)
        _signal(pid, signal.SIGSTOP)
        before = self._wait_for_progress(name)
        rival = Rival(self._commands[name], self._folder / f"{name}-rival.log")
        try:
            taken = _wait(
                lambda: before != (now := self._read_progress(name)) and now is not None,
                TAKE_OVER_SECONDS_MAX,
            )
            time.sleep(fault.seconds)
            if process.read_began(pid) == began:
                _signal(pid, signal.SIGCONT)
            self._processes.excuse(name)
            fenced = _wait(
                lambda: process.read_began(pid) != began or rival.ended, FENCED_SECONDS_MAX
            )
            loser = ("rival" if rival.ended else "zombie") if fenced else "none"
        finally:
            if process.read_began(pid) == began:
                _signal(pid, signal.SIGCONT)
            self._processes.excuse(name)
            code = rival.stop()
        return {"pid": pid, "taken_over": taken, "fenced": loser, "rival_code": code}

    def _read_progress(self, name: str) -> object | None:
        return read_progress(name, self._ground.direct)

    def _wait_for_progress(self, name: str) -> object | None:
        """Read it once the database answers; what was under way when it was paused is over then."""
        time.sleep(IN_FLIGHT_SECONDS)
        found: list[object] = []

        def answers() -> bool:
            found.append(self._read_progress(name))
            return found[-1] is not None

        _wait(answers, PRESENT_SECONDS_MAX)
        return found[-1]

    def _wait_for_pid(self, name: str) -> int | None:
        found: list[int] = []

        def is_there() -> bool:
            pid = self._processes.find_pid(name)
            if pid is not None:
                found.append(pid)
            return pid is not None

        return found[-1] if _wait(is_there, PRESENT_SECONDS_MAX) else None


def _component(fault: Fault) -> str:
    """Name what must not be struck twice at once: links and servers of one name are two."""
    return f"link {fault.target}" if fault.kind in MODES else fault.target


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
        os.kill(pid, number)


def _wait(condition: Callable[[], bool], seconds_max: float) -> bool:
    """Wait until the condition holds; False when it did not within the bound."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
