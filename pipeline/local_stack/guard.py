"""Ends a stack when the process that wanted it is gone, however that came to its end.

`guarded(stack)` starts this module as a process of its own session whose stdin is a pipe from us:
at its end of file, which even our SIGKILL brings about, it stops the services and wipes the data.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.local_stack.stack import LocalStack


@contextlib.contextmanager
def guarded(stack: LocalStack) -> Iterator[None]:
    """Wipe the stack at the end of the block, or by the guard when we don't reach it."""
    guard = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "pipeline.local_stack.guard", str(stack.site)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        try:
            stack.wipe()
        finally:
            guard.communicate()  # closes the pipe and waits: nothing stays behind us


def main(arguments: list[str]) -> None:
    """Wait for the end of stdin unless `--now` comes first, then wipe the stack of the folder."""
    if arguments[0] == "--now":
        arguments = arguments[1:]
    else:
        sys.stdin.buffer.read()
    stack = LocalStack(Path(arguments[0]))
    if stack.state_file.exists():
        stack.wipe()


if __name__ == "__main__":
    main(sys.argv[1:])
