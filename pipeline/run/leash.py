"""Runs one command of the program so that it can't outlive the supervisor, however that ends.

Its stdin is a pipe that only the supervisor holds open: at end of file this process kills itself
(nothing is lost by that). On Linux the kernel does the same, also when this process is stopped.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
STDIN = 0


def hold() -> None:
    """Tie this process's life to its parent's; call it before anything else."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    tie_to_pipe()  # also for a parent that was gone before the call above


def tie_to_pipe() -> None:
    """End this process by SIGKILL when its stdin comes to an end."""
    threading.Thread(target=_wait_for_end, name="leash", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(STDIN, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Take the leash, then be `isthmus` with the same arguments."""
    hold()
    from pipeline.cli.app import main as isthmus  # noqa: PLC0415 - the leash comes first

    isthmus()


if __name__ == "__main__":
    main()
