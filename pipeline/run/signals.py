"""Signals as values that a loop can wait for: the end that was asked for, the death of a child.

Enters: signals of this process. Leaves: their numbers, from `wait`. Handlers do nothing by
themselves, so nothing of ours is ever interrupted half-way.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
from collections.abc import Iterator
from types import FrameType

STOPPING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
READ_BYTES = 4096


class Signals:
    """The signals that have come; made by `caught_signals`."""

    def __init__(self, reader: socket.socket) -> None:
        self._reader = reader

    def wait(self, seconds: float) -> list[signal.Signals]:
        """Wait until a signal comes or the time is over, and return what came."""
        readable, _, _ = select.select([self._reader], [], [], max(seconds, 0.0))
        if not readable:
            return []
        return [signal.Signals(number) for number in self._reader.recv(READ_BYTES)]


@contextlib.contextmanager
def caught_signals() -> Iterator[Signals]:
    """Catch SIGTERM, SIGINT, SIGHUP (unless ignored, as by nohup) and SIGCHLD in the block."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    fd_before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    before = {number: signal.getsignal(number) for number in (*STOPPING, signal.SIGCHLD)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]
    try:
        for number in before:
            signal.signal(number, _take_note)
        yield Signals(reader)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(fd_before)
        reader.close()
        writer.close()


def _take_note(number: int, frame: FrameType | None) -> None:
    """Only be there: the number arrives through the wakeup descriptor."""
    del number, frame
