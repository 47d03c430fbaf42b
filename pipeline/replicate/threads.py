"""What a replicator uses of threading, so that a simulator can interleave its two threads.

Enters: a function to run beside. Leaves: something to wait for; locks, events and a bounded queue
with the meaning of the standard library's.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

Lock = AbstractContextManager[Any]


class Joinable(Protocol):
    """A function that runs beside."""

    def join(self) -> None:
        """Wait until it has ended."""


class Threads(Protocol):
    """Makes threads, and what they meet at."""

    def start(self, target: Callable[[], None], name: str) -> Joinable:
        """Run a function beside."""

    def make_lock(self) -> Lock:
        """Make a lock."""

    def make_event(self) -> threading.Event:
        """Make an event that is not set."""

    def make_queue(self, size_max: int) -> queue.Queue[Any]:
        """Make a queue of at most so many items."""


class SystemThreads:
    """The threads of the operating system."""

    def start(self, target: Callable[[], None], name: str) -> Joinable:
        """Run a function in a daemon thread."""
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def make_lock(self) -> Lock:
        """Make a lock."""
        return threading.Lock()

    def make_event(self) -> threading.Event:
        """Make an event that is not set."""
        return threading.Event()

    def make_queue(self, size_max: int) -> queue.Queue[Any]:
        """Make a queue of at most so many items."""
        return queue.Queue(size_max)
