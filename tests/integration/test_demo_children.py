"""The processes that the demo runs: started, killed, found again, ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.demo.children import Children, Task
from pipeline.errors import Fatal


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Give the processes of a folder that is no site, so that they die by themselves."""
    made = Children(tmp_path)
    yield made
    made.stop_all()


def test_a_process_that_dies_is_fatal_and_its_log_is_shown(children: Children) -> None:
    """The message ends with what the process said last."""
    children.start(Task("translate-sales", ("translate", "--module", "sales")))
    while children.is_running("translate-sales"):
        time.sleep(0.05)
    with pytest.raises(Fatal, match=r"(?s)translate-sales died.*no isthmus\.toml"):
        children.check()


def test_a_process_that_was_killed_on_purpose_may_be_dead(children: Children) -> None:
    """`check` is told its name, and `restart` starts the same thing again."""
    first = children.start(Task("publish", ("publish",)))
    assert children.kill("publish") == first
    children.check(but="publish")
    assert children.restart("publish") != first


def test_processes_of_an_earlier_demo_are_ended(children: Children, tmp_path: Path) -> None:
    """They are found by their pid files."""
    children.start(Task("publish", ("publish",)))
    Children(tmp_path).stop_all()
    assert not children.is_running("publish")
