"""The local stack of one site: brings up what is missing, ends it, tells how it is.

Enters: the site's folder. Leaves: servers as detached child processes with everything of theirs in
`.isthmus/stack/`, and the state file that the site's settings read.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import Configuration
from pipeline.local_stack import process
from pipeline.local_stack.account import open_folder
from pipeline.local_stack.artifacts import choose_plugins
from pipeline.local_stack.bundles import fetch_bundles
from pipeline.local_stack.download import exclusive
from pipeline.local_stack.ports import find_free_port, is_free
from pipeline.local_stack.process import Child
from pipeline.local_stack.progress import Silence, StackProgress
from pipeline.local_stack.services import (
    PORTS,
    SERVICES,
    build_program,
    complete_service,
    find_child,
    find_postgres_home,
    service_answers,
)
from pipeline.local_stack.state import (
    StackState,
    build_variables,
    make_state,
    read_state,
    write_state,
)
from pipeline.settings import STACK_STATE_FILE, STATE_FOLDER

READY_SECONDS_MAX = 120.0
"""Of one service; they take 2 to 12 s on two free cores, this is for a machine that is busy."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How one service is: `state` is running, silent (it lives but does not answer) or stopped."""

    name: str
    state: str
    pid: int | None
    port: int
    log: str


class LocalStack:
    """The stack of the site in `folder`; any number of these objects may look at the same one."""

    def __init__(self, folder: Path) -> None:
        self.site = folder.resolve()
        self.folder = self.site / STATE_FOLDER / "stack"
        self.state_file = self.site / STATE_FOLDER / STACK_STATE_FILE

    def up(
        self,
        *,
        fresh: bool = False,
        only: Sequence[str] = SERVICES,
        engines: Sequence[str] = (),
        secrets: Mapping[str, str] | None = None,
        progress: StackProgress | None = None,
    ) -> dict[str, str]:
        """Start what does not run and return the variables; with `fresh`, wipe the data first.

        Connect has the connectors of `engines`, of those that were asked for before, and
        PostgreSQL's, and the `secrets` that were given, now or before; a running one that lacks
        any is started again.

        Raises Unreachable with the last lines of the log of a service that fails.
        """
        with self._exclusive():
            if fresh:
                self._wipe()
            state = self._settle_ports(read_state(self.state_file) or make_state())
            state = self._add_secrets(self._add_engines(state, engines), secrets or {})
            write_state(self.state_file, state)
            self._bring_up(only, state, progress or Silence())
            return build_variables(state)

    def down(self) -> None:
        """End every service; the data stays."""
        with self._exclusive():
            self._stop_all()

    def wipe(self) -> None:
        """End every service and remove all data, the state file too."""
        with self._exclusive():
            self._wipe()

    def start(self, name: str) -> None:
        """Start one service and wait until it answers; nothing happens when it does already."""
        self._child(name)
        with self._exclusive():
            self._bring_up([name], self.state(), Silence())

    def stop(self, name: str) -> None:
        """Stop one service in good order."""
        process.stop(self._child(name))

    def kill(self, name: str) -> None:
        """Kill one service with SIGKILL, as a crash would."""
        process.kill(self._child(name))

    def restart(self, name: str) -> None:
        """Stop one service and start it again."""
        self.stop(name)
        self.start(name)

    def status(self) -> tuple[ServiceStatus, ...]:
        """Tell how each service is, in the order of `SERVICES`; () when there is no stack."""
        state = read_state(self.state_file)
        if state is None:
            return ()
        return tuple(self._describe(name, state) for name in SERVICES)

    def state(self) -> StackState:
        """Return ports and passwords; Configuration when there is no stack yet."""
        state = read_state(self.state_file)
        if state is None:
            raise Configuration(f"no local stack in {self.site}: run `isthmus up` there")
        return state

    def variables(self, suffix: str = "") -> dict[str, str]:
        """Return the variables of a site whose databases' names end with `suffix`."""
        return build_variables(self.state(), suffix)

    def find_pid(self, name: str) -> int | None:
        """Return the pid of a service; None when it does not run."""
        return process.find_pid(self._child(name))

    def log(self, name: str) -> Path:
        """Return the log file of a service."""
        return self._child(name).log

    def _child(self, name: str) -> Child:
        if name not in SERVICES:
            raise Configuration(f"no service {name!r}: known are {', '.join(SERVICES)}")
        return find_child(self.folder, name)

    def _exclusive(self) -> contextlib.AbstractContextManager[None]:
        open_folder(self.state_file.parent)
        return exclusive(self.state_file.with_name("stack.lock"))

    def _settle_ports(self, state: StackState) -> StackState:
        """Keep the ports of before, but where somebody else took one of a stopped service."""
        ports = dict(state.ports)
        for name in SERVICES:
            if self.find_pid(name) is None:
                for port in PORTS[name]:
                    if not is_free(ports[port]):
                        ports[port] = find_free_port(ports.values())
        if ports["kafka"] != state.ports["kafka"]:
            # it would look for the broker at the old port for ever, also while it is stopping
            self.kill("connect")
        return replace(state, ports=ports)

    def _add_engines(self, state: StackState, engines: Sequence[str]) -> StackState:
        """Remember the engines; Connect looks for plugins only when it starts."""
        choose_plugins(engines)
        added = sorted(set(engines) - set(state.engines))
        if added:
            self.stop("connect")
        return replace(state, engines=(*state.engines, *added))

    def _add_secrets(self, state: StackState, secrets: Mapping[str, str]) -> StackState:
        """Remember what Connect is to have in its environment."""
        given = {**state.secrets, **secrets}
        if given != state.secrets:
            self.stop("connect")
        return replace(state, secrets=given)

    def _bring_up(self, names: Sequence[str], state: StackState, progress: StackProgress) -> None:
        """Start or check the services side by side; the first failure ends the others' waiting."""
        open_folder(self.folder)
        missing = {name for name in names if self.find_pid(name) is None}
        failed = threading.Event()
        with ThreadPoolExecutor(len(SERVICES) + 1) as pool:
            bundles = (
                pool.submit(fetch_bundles, progress, engines=state.engines)
                if missing - {"postgres"}
                else None
            )

            def bring_up_one(name: str) -> None:
                begin = time.monotonic()
                if name in missing:
                    process.start(build_program(self.folder, name, state, bundles))
                self._wait_until_ready(name, state, failed)
                if failed.is_set():
                    return
                if name in missing:
                    complete_service(name, state)
                seconds = time.monotonic() - begin
                progress.tell(name, f"answers on port {state.ports[name]} after {seconds:.1f} s")

            jobs = [pool.submit(bring_up_one, name) for name in names]
            wait(jobs, return_when=FIRST_EXCEPTION)
            if any(job.done() and job.exception() for job in jobs):
                failed.set()
        for job in jobs:
            job.result()

    def _wait_until_ready(self, name: str, state: StackState, failed: threading.Event) -> None:
        process.wait_until_ready(
            self._child(name),
            lambda: service_answers(name, state),
            seconds_max=READY_SECONDS_MAX,
            given_up=failed.is_set,
        )

    def _describe(self, name: str, state: StackState) -> ServiceStatus:
        pid = self.find_pid(name)
        word = "stopped"
        if pid is not None:
            word = "running" if service_answers(name, state) else "silent"
        return ServiceStatus(name, word, pid, state.ports[name], str(self.log(name)))

    def _stop_all(self) -> None:
        for name in reversed(SERVICES):
            self.stop(name)

    def _wipe(self) -> None:
        self._stop_all()
        for folder in (find_postgres_home(self.folder), self.folder):
            if folder.exists():
                shutil.rmtree(folder)
        self.state_file.unlink(missing_ok=True)
