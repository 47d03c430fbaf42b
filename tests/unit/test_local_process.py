"""Child processes: found by pid file, never confused with another's pid, ended by signals."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from pipeline.errors import Unreachable
from pipeline.local_stack import process
from pipeline.local_stack.process import Child, Program


def make_program(folder: Path, code: str, *, stop_seconds_max: float = 10.0) -> Program:
    """Return a program that runs a few lines of Python."""
    child = Child("thing", folder, stop_seconds_max=stop_seconds_max)
    return Program(child, (sys.executable, "-c", code))


def test_a_child_is_found_and_stopped(tmp_path: Path) -> None:
    """A started child is found by its pid file, and gone after stop."""
    program = make_program(tmp_path, "import time; time.sleep(60)")
    pid = process.start(program)
    assert process.find_pid(program.child) == pid
    process.stop(program.child)
    assert process.find_pid(program.child) is None
    assert not program.child.pid_file.exists()


def test_a_child_that_ignores_its_signal_is_killed(tmp_path: Path) -> None:
    """SIGKILL follows when the stop signal does nothing within its bound."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    program = make_program(tmp_path, f"{code}; time.sleep(60)", stop_seconds_max=0.2)
    process.start(program)
    process.wait_until_ready(
        program.child, lambda: "1" in process.read_tail(program.child.log), seconds_max=10
    )
    process.stop(program.child)
    assert process.find_pid(program.child) is None


def test_a_child_that_dies_is_reported_at_once_with_its_log(tmp_path: Path) -> None:
    """The error names the child and holds the last lines that it printed, and only these."""
    program = make_program(tmp_path, "print(*range(100), sep=chr(10)); raise SystemExit(3)")
    process.start(program)
    with pytest.raises(Unreachable, match=r"(?s)thing ended .*80\n81\n.*99$") as caught:
        process.wait_until_ready(program.child, lambda: False, seconds_max=60)
    assert "\n79\n" not in str(caught.value)


def test_a_child_that_is_late_is_reported(tmp_path: Path) -> None:
    """A child that lives but does not answer in time is named with its bound."""
    program = make_program(tmp_path, "import time; time.sleep(60)")
    process.start(program)
    with pytest.raises(Unreachable, match=r"thing did not answer within 0 s"):
        process.wait_until_ready(program.child, lambda: False, seconds_max=0.1)
    process.kill(program.child)


def test_a_reused_pid_is_not_ours(tmp_path: Path) -> None:
    """A pid file whose process began at another time is never trusted, nor killed."""
    child = Child("thing", tmp_path)
    child.pid_file.write_text(json.dumps({"pid": os.getpid(), "began": "long ago"}))
    assert process.find_pid(child) is None
    process.stop(child)


@pytest.mark.parametrize("content", ["", "12", "{}", '{"pid": "x", "began": null}'])
def test_a_broken_pid_file_means_that_nothing_runs(tmp_path: Path, content: str) -> None:
    """A pid file that can't be read is no pid."""
    child = Child("thing", tmp_path)
    child.pid_file.write_text(content)
    assert process.find_pid(child) is None


def test_ps_tells_when_a_process_began() -> None:
    """Where there is no /proc, ps gives a mark that stays the same while the process lives."""
    mark = process._ask_ps(os.getpid())
    assert mark
    assert mark == process._ask_ps(os.getpid())


def test_a_missing_program_is_unreachable(tmp_path: Path) -> None:
    """A command that does not exist is named, without a pid file."""
    program = Program(Child("thing", tmp_path), (str(tmp_path / "absent"),))
    with pytest.raises(Unreachable, match="thing could not be started"):
        process.start(program)
    assert not program.child.pid_file.exists()
