"""Starts children that end with us, however we come to our end.

Enters: programs. Leaves: children known by their pid files. A guard waits at a pipe from us; at its
end of file, which even our SIGKILL brings about, it ends them by their pids.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.local_stack.process import Child, Program, start, stop


@dataclass(frozen=True, slots=True)
class GuardedChild:
    """A child and the guard that outlives us."""

    child: Child
    guard: subprocess.Popen[bytes]


def start_guarded(program: Program) -> GuardedChild:
    """Start a child, with its guard before it."""
    child = program.child
    guard = subprocess.Popen(
        [sys.executable, __file__, child.name, str(child.folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    start(program)
    return GuardedChild(child, guard)


def end_children(*guarded: GuardedChild) -> None:
    """End children in good order, and their guards."""
    for one in guarded:
        try:
            stop(one.child)
        finally:
            one.guard.communicate()


def main(name: str, folder: str) -> None:
    """Wait for the end of stdin and end the child."""
    sys.stdin.buffer.read()
    stop(Child(name, Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
