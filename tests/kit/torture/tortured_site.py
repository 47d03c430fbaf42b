"""A running site whose processes are somebody else's: they may be down while it is waited."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from live_site import MODULES, LiveSite

POLL_SECONDS = 0.3
WAIT_SECONDS_MAX = 240.0


class TorturedSite(LiveSite):
    """As a running site, but each wait ends at `deadline` (monotonic seconds) with TimeoutError."""

    def __init__(self, folder: Path, *, orders: int) -> None:
        super().__init__(folder, orders=orders)
        self.deadline = time.monotonic() + WAIT_SECONDS_MAX

    def set_deadline(self, seconds: float) -> None:
        """Bound the waits to come."""
        self.deadline = time.monotonic() + seconds

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds; a database that has just come back is asked once more."""
        while not _holds(condition):
            if time.monotonic() > self.deadline:
                raise TimeoutError(f"not in time: {what}")
            time.sleep(POLL_SECONDS)

    def wait_for_snapshot(self) -> None:
        """Wait until the snapshots of all modules are translated."""
        complete = "select count(*) from hub.module where snapshot = 'complete'"
        self.wait(lambda: bool(self.hub(complete)[0][0] == len(MODULES)), "the snapshots")

    def commands(self) -> dict[str, tuple[str, ...]]:
        """Return the command line of every process of the site."""
        site = ("--site", str(self.folder))
        return {name: (*arguments, *site) for name, arguments in self.arguments.items()}


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except psycopg.OperationalError:
        return False
