"""Around the supervisor: what it is told to whom, what it refuses, and signals that are real."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from rich.console import Console

from pipeline.errors import Configuration
from pipeline.local_stack import process
from pipeline.run.child import Process
from pipeline.run.lifecycle import Life, State
from pipeline.run.service import Teller, refuse_left_processes, supervise
from pipeline.run.shutdown import Stage
from pipeline.run.state_file import StateFile, read_running

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SLEEPS = (sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(60)")
SECONDS_MAX = 30.0


def ignore(lives: Sequence[Life], now: datetime) -> None:
    """Show nothing."""


def test_a_site_is_supervised_until_sigterm(tmp_path: Path) -> None:
    """While it runs the file tells of its process; afterwards that it has stopped."""
    folder = tmp_path / ".isthmus"
    seen: list[dict[str, object]] = []
    over = threading.Event()

    def stop_when_up() -> None:
        log = folder / "logs" / "publish.log"
        while not over.wait(0.01):
            document = read_running(folder / "run.json")
            if document is not None and log.exists() and "up" in log.read_text():
                seen.append(document)
                os.kill(os.getpid(), signal.SIGTERM)
                return

    watcher = threading.Thread(target=stop_when_up)
    watcher.start()
    try:
        outcome, document = supervise(
            folder, [Process("publish", Stage.PUBLISH, SLEEPS)], Console(file=io.StringIO())
        )
    finally:
        over.set()
        watcher.join(SECONDS_MAX)
    assert outcome.findings == ()
    assert seen[0]["pid"] == os.getpid()
    assert document == json.loads((folder / "run.json").read_text())
    (state,) = document["processes"]
    assert (state["state"], state["last_exit"], state["restarts"]) == ("stopped", -15, 0)


def test_processes_that_a_demo_left_are_not_doubled(tmp_path: Path) -> None:
    """The message names them, and how to end them."""
    left = process.Child("publish", tmp_path)
    pid = process.start(process.Program(left, SLEEPS))
    try:
        with pytest.raises(Configuration, match=rf"publish \(pid {pid}\).*kill {pid}"):
            refuse_left_processes(tmp_path, [Process("publish", Stage.PUBLISH, ())])
        refuse_left_processes(tmp_path, [Process("replicate-eu", Stage.REPLICATE, ())])
    finally:
        process.kill(left)


def test_the_file_is_written_on_changes_only(tmp_path: Path) -> None:
    """A terminal's figures are told anew each second; the disk has nothing to do with them."""
    teller = Teller(StateFile(tmp_path / "run.json", NOON), ignore)
    life = Life("publish", NOON, State.RUNNING, 7)
    teller.tell([life])
    (tmp_path / "run.json").unlink()
    teller.tell([life])
    assert not (tmp_path / "run.json").exists()
    teller.tell([])
    assert (tmp_path / "run.json").exists()


def test_a_disk_that_takes_nothing_ends_nothing(tmp_path: Path) -> None:
    """It is told once, and the file is written when the disk takes it again."""
    folder = tmp_path / "later"
    teller = Teller(StateFile(folder / "run.json", NOON), ignore)
    life = Life("publish", NOON, State.RUNNING, 7)
    with structlog.testing.capture_logs() as lines:
        teller.tell([life])
        teller.tell([life])
    assert [one["event"] for one in lines] == ["run.state_not_written"]
    folder.mkdir()
    teller.tell([life])
    assert (folder / "run.json").exists()


def test_a_closed_terminal_ends_nothing(tmp_path: Path) -> None:
    """What can't be shown is still in the file."""

    def break_off(*_: object) -> None:
        raise BrokenPipeError

    Teller(StateFile(tmp_path / "run.json", NOON), break_off).tell([])
    assert (tmp_path / "run.json").exists()
