"""What a supervisor says of itself in `.isthmus/run.json`, and the lock that makes it the only one.

Enters: the lives of its processes. Leaves: a file that is whole at every moment. The lock
is the kernel's and goes with the process; the file stays, and counts only while its process lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.care.memory import CARE_FILE
from pipeline.errors import Configuration
from pipeline.local_stack.process import read_began
from pipeline.run.lifecycle import Life

STATE_FILE = "run.json"
LOCK_FILE = "run.lock"


@dataclass(frozen=True, slots=True)
class StateFile:
    """The state file of one supervisor, which began at `started_at`."""

    path: Path
    started_at: datetime

    def document(self, lives: Sequence[Life]) -> dict[str, Any]:
        """Build what the file holds."""
        pid = os.getpid()
        return {
            "pid": pid,
            "began": read_began(pid),
            "started_at": self.started_at.isoformat(),
            "processes": [_describe(life) for life in lives],
            "findings": list(read_findings(self.path.parent)),
        }

    def write(self, lives: Sequence[Life]) -> None:
        """Write the file in one step; OSError when the disk does not take it."""
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(self.document(lives), indent=1))
        scratch.replace(self.path)


def read_running(path: Path) -> dict[str, Any] | None:
    """Read the state of the supervisor that runs; None when none does, whatever the file says."""
    try:
        document = json.loads(path.read_text())
        began = read_began(int(document["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return document if began is not None and began == document.get("began") else None


def read_findings(folder: Path) -> tuple[dict[str, Any], ...]:
    """Read what the care of the connectors has found; nothing where it has not looked yet."""
    try:
        return tuple(json.loads((folder / CARE_FILE).read_text())["findings"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


@contextlib.contextmanager
def only_supervisor(folder: Path) -> Iterator[None]:
    """Be the only supervisor of a site; Configuration with the other's pid when there is one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("w")
    except OSError as error:
        raise Configuration(
            f"can't write into {folder} ({error}): it holds state and logs"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            first = read_running(folder / STATE_FILE)
            told = "it has just begun" if first is None else f"pid {first['pid']}"
            raise Configuration(
                f"`isthmus run` of this site runs already ({told}): one is enough; "
                f"its state is in {folder / STATE_FILE}"
            ) from error
        yield


def _describe(life: Life) -> dict[str, Any]:
    return {
        "name": life.name,
        "pid": life.pid,
        "state": str(life.state),
        "restarts": life.restarts,
        "since": life.since.isoformat(),
        "last_exit": life.last_exit,
        "last_error": life.why if life.last_error is None else life.last_error,
    }
