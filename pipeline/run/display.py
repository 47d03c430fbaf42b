"""Tells a person how the processes are: one line each on a terminal, else a log line per change.

Enters: the lives of all processes, again and again. Leaves: text on stderr; it decides nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import structlog
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.run.lifecycle import Life, State
from pipeline.run.policy import describe_exit

Show = Callable[[Sequence[Life], datetime], None]
"""Shows all lives as of a moment; called at each change, and about once a second."""

log = structlog.get_logger()

STYLES = {
    State.STARTING: "cyan",
    State.RUNNING: "green",
    State.BACKING_OFF: "yellow",
    State.GIVEN_UP: "bold red",
    State.STOPPED: "dim",
}
MINUTE_S = 60
HOUR_S = 60 * MINUTE_S


@contextlib.contextmanager
def open_display(console: Console) -> Iterator[Show]:
    """Show a live table while the block runs when the console is a terminal, log lines if not."""
    if not console.is_terminal:
        yield LogLines().show
        return
    live = Live(console=console, auto_refresh=False)
    live.start()
    try:
        yield LiveTable(live).show
    finally:
        with contextlib.suppress(OSError):  # the terminal may have been closed
            live.stop()


class LiveTable:
    """Keeps a table up to date; a message that needs a person is left above it, whole."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._changes = Changes()

    def show(self, lives: Sequence[Life], now: datetime) -> None:
        """Draw the table anew."""
        for life in self._changes.find(lives):
            if life.state is State.GIVEN_UP:
                text = f"{life.name} was given up on: {describe_last_end(life)}"
                self._live.console.print(text, style="red", markup=False, highlight=False)
        self._live.update(build_table(lives, now), refresh=True)


class LogLines:
    """Logs a life when its state has changed since it was shown last."""

    def __init__(self) -> None:
        self._changes = Changes()

    def show(self, lives: Sequence[Life], now: datetime) -> None:
        """Log what has changed."""
        del now
        for life in self._changes.find(lives):
            _log_life(life)


class Changes:
    """Finds the lives whose state or process is another one than the last time."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[State, int | None]] = {}

    def find(self, lives: Sequence[Life]) -> list[Life]:
        """Return those that have changed, and remember them."""
        changed = [life for life in lives if self._seen.get(life.name) != (life.state, life.pid)]
        self._seen |= {life.name: (life.state, life.pid) for life in changed}
        return changed


def _log_life(life: Life) -> None:
    facts = {"process": life.name, "state": str(life.state), "pid": life.pid}
    if life.restarts:
        facts["restarts"] = life.restarts
    if life.state in {State.BACKING_OFF, State.GIVEN_UP, State.STOPPED}:
        facts |= {"last_exit": life.last_exit, "last_error": life.last_error}
    if life.state is State.GIVEN_UP:
        log.error("run.process", **facts, why=life.why)
    elif life.state is State.BACKING_OFF:
        log.warning("run.process", **facts)
    else:
        log.info("run.process", **facts)


def build_table(lives: Sequence[Life], now: datetime) -> Table:
    """Build one line per process; `now` is on the lives' wall clock."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("process", "state", "for"):
        table.add_column(name, no_wrap=True)
    for name in ("pid", "restarts"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("last end")  # the only one that may shrink: its text is cut by itself
    for life in lives:
        table.add_row(
            life.name,
            f"[{STYLES[life.state]}]{life.state}[/]",
            format_seconds((now - life.since).total_seconds()),
            str(life.pid or "-"),
            str(life.restarts),
            _cut_to_line(describe_last_end(life)),
        )
    return table


def _cut_to_line(text: str) -> Text:
    return Text(text.partition("\n")[0], "dim", no_wrap=True, overflow="ellipsis")


def describe_last_end(life: Life) -> str:
    """Say how the process ended the last time, and with which message; empty when it never did."""
    if life.last_exit is None:
        return ""
    how = life.why or describe_exit(life.last_exit)
    return how if life.last_error is None else f"{how}: {life.last_error}"


def format_seconds(seconds: float) -> str:
    """Write a duration in its two largest units."""
    whole = max(int(seconds), 0)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
