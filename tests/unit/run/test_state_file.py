"""The state file and the lock: whole, trusted only while its process lives, one supervisor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import Configuration
from pipeline.run.lifecycle import Life, State
from pipeline.run.state_file import LOCK_FILE, StateFile, only_supervisor, read_running

FIRST = """
import sys, time
from datetime import datetime
from pathlib import Path
from pipeline.run.state_file import StateFile, only_supervisor
folder = Path(sys.argv[1])
with only_supervisor(folder):
    print("locked", flush=True)
    sys.stdin.readline()
    StateFile(folder / "run.json", datetime(2026, 11, 23)).write([])
    print("written", flush=True)
    time.sleep(60)
"""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_file_tells_of_every_process(tmp_path: Path) -> None:
    """Its keys are what other programs may rely on; nothing else is left in the folder."""
    file = StateFile(tmp_path / "run.json", NOON)
    life = Life("replicate-eu", NOON, State.BACKING_OFF, None, 2, -9, "no more memory", due_s=5)
    file.write([life])
    document = json.loads(file.path.read_text())
    assert document["pid"] == os.getpid()
    assert document["started_at"] == "2026-11-23T12:00:00+00:00"
    assert document["processes"] == [
        {
            "name": "replicate-eu",
            "pid": None,
            "state": "backing off",
            "restarts": 2,
            "since": "2026-11-23T12:00:00+00:00",
            "last_exit": -9,
            "last_error": "no more memory",
        }
    ]
    assert list(tmp_path.iterdir()) == [file.path]


def test_what_was_given_up_on_without_a_word_tells_why(tmp_path: Path) -> None:
    """The reason stands where its message would."""
    life = Life("publish", NOON, State.GIVEN_UP, last_exit=-11, why="SIGSEGV, too often")
    document = StateFile(tmp_path / "run.json", NOON).document([life])
    assert document["processes"][0]["last_error"] == "SIGSEGV, too often"


def test_the_file_counts_only_while_its_process_lives(tmp_path: Path) -> None:
    """A dead pid, a reused pid or a broken file is no supervisor."""
    file = StateFile(tmp_path / "run.json", NOON)
    assert read_running(file.path) is None
    file.write([])
    document = json.loads(file.path.read_text())
    assert read_running(file.path) == document
    for broken in (
        json.dumps({**document, "began": "long ago"}),
        json.dumps({"processes": []}),
        "[]",
        "",
    ):
        file.path.write_text(broken)
        assert read_running(file.path) is None


def test_a_second_supervisor_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    """When the first one ends, however it does, the next may begin: the file it left is ignored."""
    folder = tmp_path / "state"
    with subprocess.Popen(
        [sys.executable, "-c", FIRST, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        for line, told in (("locked", "it has just begun"), ("written", f"pid {first.pid}")):
            assert first.stdout.readline().strip() == line
            with pytest.raises(Configuration, match=rf"runs already \({told}\): one is enough"):
                enter(folder)
            first.stdin.write("\n")
            first.stdin.flush()
        first.kill()
    enter(folder)
    assert read_running(folder / "run.json") is None


def enter(folder: Path) -> None:
    """Be the only supervisor for a moment."""
    with only_supervisor(folder):
        assert (folder / LOCK_FILE).exists()


def test_a_folder_that_takes_nothing_is_bad_configuration(tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(Configuration, match=r"can't write into .*state"):
        enter(tmp_path / "state")
