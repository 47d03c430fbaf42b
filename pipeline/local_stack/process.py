"""One child process: started apart from our own session, found again by its pid file, ended by pid.

Enters: a `Program`. Leaves: pid file and log in its folder. A pid is only
trusted while the process behind it began when the pid file says, so a reused pid is never killed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Fatal, Unreachable

LOG_LINES_SHOWN = 20
LOG_BYTES_READ = 16 * 1024
POLL_SECONDS = 0.1
KILL_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that a program runs as when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Child:
    """Where a child is known by: `folder` holds its pid file and its log."""

    name: str
    folder: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds_max: float = 30.0

    @property
    def log(self) -> Path:
        """The file that holds all that the program prints."""
        return self.folder / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """The file that holds the pid and the moment at which that process began."""
        return self.folder / f"{self.name}.pid"


@dataclass(frozen=True, slots=True)
class Program:
    """How a child is started; `environment` is all that it sees of ours."""

    child: Child
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this very process: they must be waited for, or they stay behind as zombies."""


@atexit.register
def _leave_children() -> None:
    """Tell subprocess that our children outlive us on purpose: it would warn of each."""
    for running in _CHILDREN.values():
        running.returncode = running.poll() or 0


def start(program: Program) -> int:
    """Start the program detached from our session and terminal, and return its pid."""
    known = program.child
    uid, gid = split_account(program.account)
    with known.log.open("ab") as log:
        try:
            running = subprocess.Popen(  # noqa: S603 - the command is made of our own constants
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=known.folder,
                env=dict(program.environment),
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
            )
        except OSError as error:
            raise Unreachable(f"{known.name} could not be started: {error}") from error
    _CHILDREN[running.pid] = running
    document = {"pid": running.pid, "began": read_began(running.pid)}
    scratch = known.pid_file.with_suffix(".new")
    scratch.write_text(json.dumps(document))
    scratch.replace(known.pid_file)
    return running.pid


def split_account(account: Account | None) -> tuple[int | None, int | None]:
    """Return user and group as subprocess wants them: None leaves them as they are."""
    return (None, None) if account is None else (account.uid, account.gid)


def find_pid(child: Child) -> int | None:
    """Return the pid of the running program; None when it does not run."""
    try:
        document = json.loads(child.pid_file.read_text())
        pid, began = int(document["pid"]), document["began"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if pid in _CHILDREN and _CHILDREN[pid].poll() is not None:
        return None  # and no zombie of ours stays behind
    now = read_began(pid)
    return pid if now is not None and now == began else None


def read_began(pid: int) -> str | None:
    """Return an opaque mark of when the process began; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _ask_ps(pid)
    fields = stat[stat.rindex(")") + 2 :].split()
    state, threads, began = fields[0], int(fields[17]), fields[19]
    # a killed JVM's first thread is a zombie while the others still hold its ports
    return None if state in "ZX" and threads <= 1 else began


def _ask_ps(pid: int) -> str | None:
    """Ask ps where there is no /proc (macOS)."""
    answer = subprocess.run(  # noqa: S603 - a fixed command and a number
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, began = answer.stdout.strip().partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def wait_until_ready(
    child: Child,
    answers: Callable[[], bool],
    *,
    seconds_max: float,
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until `answers()`; Unreachable with the last lines of its log when it dies or is late.

    Returns early, without an answer, when `given_up()` (another part has failed already).
    """
    deadline = time.monotonic() + seconds_max
    while not given_up():
        if find_pid(child) is None:
            raise Unreachable(
                f"{child.name} ended while it was starting; the end of {child.log}:\n"
                f"{read_tail(child.log)}"
            )
        if answers():
            return
        if time.monotonic() > deadline:
            raise Unreachable(
                f"{child.name} did not answer within {seconds_max:.0f} s; the end of "
                f"{child.log}:\n{read_tail(child.log)}"
            )
        time.sleep(POLL_SECONDS)


def stop(child: Child) -> None:
    """End the child by its own signal, then by SIGKILL; nothing happens when it does not run."""
    _end(child, child.stop_signal, child.stop_seconds_max)


def kill(child: Child) -> None:
    """End the child by SIGKILL, as a crash would."""
    _end(child, signal.SIGKILL, KILL_SECONDS_MAX)


def _end(child: Child, first: signal.Signals, seconds_max: float) -> None:
    for step, seconds in ((first, seconds_max), (signal.SIGKILL, KILL_SECONDS_MAX)):
        pid = find_pid(child)
        if pid is None:
            break
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            os.kill(pid, step)
        if _wait_until_gone(child, seconds):
            break
    else:
        raise Fatal(f"{child.name} (pid in {child.pid_file}) survived SIGKILL: look at it")
    _forget(child)


def _wait_until_gone(child: Child, seconds_max: float) -> bool:
    deadline = time.monotonic() + seconds_max
    while find_pid(child) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _forget(child: Child) -> None:
    child.pid_file.unlink(missing_ok=True)
    # several children may be ended at once, each by a thread
    for pid, running in list(_CHILDREN.items()):
        if running.poll() is not None:
            _CHILDREN.pop(pid, None)


def read_tail(log: Path, lines_max: int = LOG_LINES_SHOWN) -> str:
    """Return the last lines of a log, or a sentence saying that there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES_READ))
            text = file.read().decode(errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(text.splitlines()[-lines_max:]) or "(the log is empty)"
