"""What the torture needs of single processes: to start one, to end it, to judge how it ended.

Enters: command lines of the program. Leaves: children with a log, exit codes, `Death`s.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
STOP_SECONDS_MAX = 60.0
UNREACHABLE = 3
"""Exit code of a process that did not find a server when it started: it is started again."""
ASKED = frozenset({0, UNREACHABLE, -signal.SIGKILL, -signal.SIGTERM})


@dataclass(frozen=True, slots=True)
class Death:
    """A process ended unasked, neither by a signal of ours nor because a server was not there."""

    at: float
    name: str
    code: int
    tail: str


class Rival:
    """A second process of the same kind, which takes over from one that is paused."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._child = spawn(command, log)

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._child.poll() is not None

    def stop(self) -> int:
        """End it in good order, by force if need be, and return its exit code."""
        return stop_child(self._child)


def spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command of the program with its log appended."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    environment.pop("ISTHMUS_FAILPOINT", None)
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment,
        )


def is_asked(code: int) -> bool:
    """Say whether an exit code is that of a fault of ours, or of a server that was down."""
    return code in ASKED


def stop_child(child: subprocess.Popen[bytes]) -> int:
    """End a child by SIGTERM (it may be paused), after a bound by SIGKILL; return its code."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGCONT)
    try:
        return child.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait(STOP_SECONDS_MAX)


def read_tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
