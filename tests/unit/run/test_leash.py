"""A process on the leash ends with the one that started it, whatever state both are in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pipeline.local_stack.process import read_began
from pipeline.run import leash

SECONDS_MAX = 30.0
CHILD = """
from pipeline.run.leash import hold
import time
hold()
print(1, flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def start(*command: str, stderr: int | None = None) -> subprocess.Popen[str]:
    """Start a process with pipes, which finds our packages."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Give a parent that waits, and the pid of its child on the leash."""
    with start(sys.executable, "-c", PARENT, CHILD) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        yield parent, child
        parent.kill()
    if read_began(child) is not None:
        os.kill(child, signal.SIGKILL)


def wait_until_gone(pid: int) -> bool:
    """Wait until a process is gone, and say whether it is."""
    deadline = time.monotonic() + SECONDS_MAX
    while read_began(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    return read_began(pid) is None


def test_a_child_lives_while_its_parent_does(family: tuple[subprocess.Popen[str], int]) -> None:
    """The leash alone ends nothing."""
    assert read_began(family[1]) is not None


def test_a_child_dies_with_a_parent_that_is_killed(
    family: tuple[subprocess.Popen[str], int],
) -> None:
    """SIGKILL leaves a parent no time to tell its children."""
    parent, child = family
    parent.kill()
    assert wait_until_gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
def test_a_stopped_child_dies_too(family: tuple[subprocess.Popen[str], int]) -> None:
    """A process that can do nothing by itself is killed by the kernel."""
    parent, child = family
    os.kill(child, signal.SIGSTOP)
    parent.kill()
    assert wait_until_gone(child)


def test_the_pipe_alone_is_enough() -> None:
    """Where the kernel has no such call, the end of stdin ends the process."""
    with start(sys.executable, "-c", CHILD.replace("hold", "tie_to_pipe")) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(SECONDS_MAX) == -signal.SIGKILL


def test_the_leash_is_the_program() -> None:
    """Run as a module it is `isthmus`, with the same arguments, messages and exit codes."""
    command = (sys.executable, "-P", "-m", leash.__name__, "no-such-command")
    with start(*command, stderr=subprocess.STDOUT) as child:
        assert child.wait(SECONDS_MAX) == 2
        assert child.stdout is not None
        assert "No such command 'no-such-command'" in child.stdout.read()
