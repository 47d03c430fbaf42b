"""One supervised process as the system knows it: spawned on a leash, signalled, waited for.

Enters: its name, stage and command. Leaves: a running process with its log, and in the end its exit
code and last message.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Unreachable
from pipeline.run.child_log import read_last_message, rotate_log
from pipeline.run.shutdown import Stage


@dataclass(frozen=True, slots=True)
class Process:
    """What is kept alive: `command` is whole, with the interpreter."""

    name: str
    stage: Stage
    command: tuple[str, ...]


class RunningChild:
    """A process that was started; Unreachable when it can't be. Its log is appended to."""

    def __init__(self, process: Process, logs: Path) -> None:
        self.stage = process.stage
        self._log = logs / f"{process.name}.log"
        try:
            rotate_log(self._log)
            with self._log.open("ab") as log:
                self._begin = log.tell()
                self._popen = subprocess.Popen(  # noqa: S603 - made of our own constants
                    process.command,
                    stdin=subprocess.PIPE,  # the leash: see pipeline.run.leash
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=_make_environment(),
                    start_new_session=True,  # Ctrl-C is ours: the order of the shutdown is too
                )
        except OSError as error:
            raise Unreachable(f"{process.name} could not be started: {error}") from error

    @property
    def pid(self) -> int:
        """Its pid, also when it has ended."""
        return self._popen.pid

    def poll(self) -> int | None:
        """Return its exit code (minus a signal's number), None while it runs."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended just now."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(number)

    def kill(self, seconds_max: float) -> bool:
        """End it by SIGKILL and say whether it is gone."""
        self.send(signal.SIGKILL)
        try:
            self._popen.wait(seconds_max)
        except subprocess.TimeoutExpired:
            return False
        self.let_go()
        return True

    def read_message(self) -> str | None:
        """Return the message with which it ended, None when it said nothing."""
        return read_last_message(self._log, self._begin)

    def let_go(self) -> None:
        """Close the leash of a process that has ended."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()


def _make_environment() -> dict[str, str]:
    """Return our environment; the process imports from where we do, in the same order."""
    places = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    return {**os.environ, "PYTHONPATH": places, "PYTHONUNBUFFERED": "1"}
