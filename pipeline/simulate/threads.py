"""Locks, events, queues and threads of simulated processes.

Enters: what a stage does with `threading` and `queue`. Leaves: the same in fake time: whoever
waits lets others go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.simulate.kernel import POLL_S

if TYPE_CHECKING:
    from pipeline.simulate.kernel import Kernel, Thread


class SimulatedEvent(threading.Event):
    """An event whose `wait` passes fake time."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set."""
        return self._kernel.wait(self.is_set, 1e9 if timeout is None else timeout)


class SimulatedQueue(queue.Queue[Any]):
    """A bounded queue between two threads of a process."""

    def __init__(self, kernel: Kernel, size_max: int) -> None:
        super().__init__(size_max)
        self._kernel = kernel

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 - the library's signature
        """Put an item, waiting for room."""
        self._kernel.step("queue.put")
        if block and not self._kernel.wait(
            lambda: not self.full(), 1e9 if timeout is None else timeout
        ):
            raise queue.Full
        super().put(item, block=False)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - as above
        """Get an item, waiting for one."""
        if block and not self._kernel.wait(self._has_items, 1e9 if timeout is None else timeout):
            raise queue.Empty
        return super().get(block=False)

    def _has_items(self) -> bool:
        return bool(self.queue)  # `empty` would take the lock, and one thread runs at a time


class SimulatedLock:
    """A lock between two threads of a process."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._held = False

    def __enter__(self) -> None:
        while not self._kernel.wait(lambda: not self._held, POLL_S):
            pass
        self._held = True

    def __exit__(self, *error: object) -> None:
        self._held = False


@dataclass(frozen=True, slots=True)
class SimulatedThreads:
    """Threads of the process that runs now."""

    kernel: Kernel

    def start(self, target: Callable[[], None], name: str) -> SimulatedJoin:
        """Run a function beside."""
        del name
        return SimulatedJoin(self.kernel, self.kernel.start_thread(self.kernel.process, target))

    def make_lock(self) -> Any:
        """Make a lock."""
        return SimulatedLock(self.kernel)

    def make_event(self) -> threading.Event:
        """Make an event."""
        return SimulatedEvent(self.kernel)

    def make_queue(self, size_max: int) -> queue.Queue[Any]:
        """Make a queue."""
        return SimulatedQueue(self.kernel, size_max)


@dataclass(frozen=True, slots=True)
class SimulatedJoin:
    """A started thread."""

    kernel: Kernel
    thread: Thread

    def join(self) -> None:
        """Wait until it has ended."""
        while not self.kernel.wait(lambda: self.thread.ended, POLL_S):
            pass
