"""What a person sees: a table on a terminal, a log line for each change elsewhere."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from rich.console import Console

from pipeline.run.display import LogLines, describe_last_end, format_seconds, open_display
from pipeline.run.lifecycle import Life, State

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=2, seconds=5)
RUNNING = Life("translate-sales", NOON, State.RUNNING, 41)
FAILED = Life(
    "replicate-eu", NOON, State.BACKING_OFF, None, 2, 1, "[bold]fenced:\nanother took over", due_s=9
)
GIVEN_UP = replace(FAILED, state=State.GIVEN_UP, why="exit code 1, too often")


def render(*lives: Life, width: int = 120) -> str:
    """Show lives on a terminal and return what it got."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    with open_display(console) as show:
        show(lives, LATER)
    return screen.getvalue()


def test_a_terminal_shows_one_line_per_process() -> None:
    """Name, state, since how long, pid, restarts, and the first line of the last message."""
    text = render(RUNNING, FAILED)
    (running,) = {line.rstrip() for line in text.splitlines() if "translate-sales" in line}
    (failed,) = {line.rstrip() for line in text.splitlines() if "replicate-eu" in line}
    assert running.split() == ["translate-sales", "running", "2", "min", "5", "s", "41", "0"]
    assert failed.endswith("-         2  exit code 1: [bold]fenced:")
    assert "another took over" not in text


def test_a_narrow_terminal_cuts_messages_only() -> None:
    """Every line stays one line, and its figures whole."""
    text = render(RUNNING, FAILED, width=66)
    (failed,) = {line.rstrip() for line in text.splitlines() if "replicate-eu" in line}
    assert failed.split()[:8] == ["replicate-eu", "backing", "off", "2", "min", "5", "s", "-"]
    assert failed.endswith("…")


def test_a_terminal_keeps_the_whole_message_of_what_needs_a_person() -> None:
    """It stands above the table, once."""
    text = render(RUNNING, GIVEN_UP)
    said = (
        "replicate-eu was given up on: exit code 1, too often: [bold]fenced:\nanother took over\n"
    )
    assert text.count(said) == 1


def test_elsewhere_each_change_is_one_log_line() -> None:
    """What has not changed is not told again; the level says how bad it is."""
    with structlog.testing.capture_logs() as lines:
        logged = LogLines()
        logged.show([RUNNING, FAILED], NOON)
        logged.show([RUNNING, FAILED], LATER)
        logged.show([RUNNING, GIVEN_UP], LATER)
    assert [(one["process"], one["state"], one["log_level"]) for one in lines] == [
        ("translate-sales", "running", "info"),
        ("replicate-eu", "backing off", "warning"),
        ("replicate-eu", "given up", "error"),
    ]
    assert (lines[1]["last_exit"], lines[1]["restarts"]) == (1, 2)
    assert lines[2]["why"] == "exit code 1, too often"
    assert {one["event"] for one in lines} == {"run.process"}


def test_no_terminal_gets_no_table() -> None:
    """A file or a journal gets lines only."""
    screen = io.StringIO()
    with (
        structlog.testing.capture_logs() as lines,
        open_display(Console(file=screen)) as show,
    ):
        show([RUNNING], LATER)
    assert screen.getvalue() == ""
    assert len(lines) == 1


def test_a_last_end_is_described_in_words() -> None:
    """A process that never ended has none."""
    assert describe_last_end(RUNNING) == ""
    assert describe_last_end(replace(RUNNING, last_exit=-9)) == "SIGKILL"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (90_000, "25 h 0 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    """The two largest units are enough, and a clock that was set back does not matter."""
    assert format_seconds(seconds) == text
