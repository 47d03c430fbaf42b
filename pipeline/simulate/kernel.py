"""The simulated machine: processes as greenlets, fake time, and every interleaving from a seed.

Enters: functions to run as processes. Leaves: their steps, one at a time: wherever a process calls
a simulated server, another may go on, and it may be paused, killed, or told that the call failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import greenlet

if TYPE_CHECKING:
    from random import Random

POLL_S = 0.05
"""How long a wait without a known end sleeps before it looks again."""


class Killed(BaseException):
    """This process was killed: nothing that it still does has an effect."""


@dataclass(eq=False, slots=True)
class Process:
    """One process: its threads (greenlets), the servers it can't reach, and what ends with it.

    `failure` is the error that it ended by; after `calls_left` more calls it is killed;
    `Kernel.pause` sets `paused_until`.
    """

    name: str
    kind: str
    alive: bool = True
    paused_until: float = 0.0
    cut_off: dict[str, float] = field(default_factory=dict)
    threads: list[Thread] = field(default_factory=list)
    on_death: list[Callable[[], None]] = field(default_factory=list)
    failure: BaseException | None = None
    calls_left: int | None = None


@dataclass(eq=False, slots=True)
class Thread:
    """One thread of a process; `until` is when it may go on, `ready` what it waits for besides."""

    process: Process
    run: Any
    until: float = 0.0
    ready: Callable[[], bool] | None = None
    ended: bool = False


class Kernel:
    """Runs threads one at a time; `random` decides everything that could happen otherwise.

    `yields` is how often a call lets others go on: short and long stretches find different bugs.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self._draw = random.random
        self.yields = random.choice((0.1, 0.3, 1.0))
        self.now = 0.0
        self._scheduler = greenlet.getcurrent()
        self.processes: list[Process] = []
        self._threads: list[Thread] = []
        self._pauses_until = 0.0
        self.current: Thread | None = None

    def start(self, name: str, kind: str, main: Callable[[], None]) -> Process:
        """Start a process; it runs when it is chosen."""
        process = Process(name, kind)
        self.processes.append(process)
        self.start_thread(process, main)
        return process

    def start_thread(self, process: Process, main: Callable[[], None]) -> Thread:
        """Start one more thread of a process."""

        def run() -> None:
            try:
                main()
            except Killed:
                pass
            except Exception as error:  # noqa: BLE001 - the simulation judges it
                process.failure = process.failure or error
            finally:
                thread.ended = True
                self._list_threads()

        thread = Thread(process, None)
        thread.run = greenlet.greenlet(run, self._scheduler)
        process.threads.append(thread)
        self._list_threads()
        return thread

    def _list_threads(self) -> None:
        """List the threads that have not ended: far more often chosen from than changed."""
        self._threads = [
            thread for process in self.processes for thread in process.threads if not thread.ended
        ]

    def pause(self, process: Process, until: float) -> None:
        """Let a process stand still until a moment."""
        process.paused_until = until
        self._pauses_until = max(self._pauses_until, until)

    def choose(self) -> Thread | None:
        """Choose one of the threads that could go on now; None when there is none."""
        now, draw = self.now, self._draw
        if self._pauses_until > now:
            waiting = [thread for thread in self._threads if thread.process.paused_until <= now]
        else:
            waiting = self._threads.copy()
        left = len(waiting)
        while left:
            index = int(draw() * left)
            thread = waiting[index]
            if thread.until <= now or (thread.ready is not None and thread.ready()):
                return thread
            left -= 1
            waiting[index] = waiting[left]
        return None

    def is_busy(self, process: Process) -> bool:
        """Say whether a process is in the middle of something, and does not merely wait."""
        return any(
            not thread.ended and thread.ready is None and thread.until <= self.now
            for thread in process.threads
        )

    def resume(self, thread: Thread) -> None:
        """Let a thread go on until its next call of a server, or its end."""
        self.current = thread
        thread.run.switch()
        self.current = None
        process = thread.process
        if process.alive and (process.threads[0].ended or process.calls_left == 0):
            self.kill(process)

    def next_time(self) -> float | None:
        """Return when the next sleeping thread or paused process wakes; None when none does."""
        now = self.now
        if self._pauses_until > now:
            times = [max(one.until, one.process.paused_until) for one in self._threads]
        else:
            times = [thread.until for thread in self._threads]
        return min([time for time in times if time > now], default=None)

    def kill(self, process: Process) -> None:
        """Kill a process as by SIGKILL; its connections break."""
        self._end(process)
        self.processes.remove(process)
        self._list_threads()
        for thread in process.threads:
            if not thread.ended and thread.run:
                self.current = thread
                thread.run.throw(Killed)
                self.current = None
            thread.ended = True

    def _end(self, process: Process) -> None:
        process.alive = False
        for undo in process.on_death:
            undo()
        process.on_death.clear()

    # what processes call

    @property
    def process(self) -> Process:
        """The process that runs now."""
        assert self.current is not None  # noqa: S101 - servers are called by processes only
        return self.current.process

    def step(self, what: str) -> None:
        """Pass a place where others may go on, and where this process may be killed."""
        thread = self.current
        if thread is None:  # a test or the oracle calls a server directly
            return
        process = thread.process
        if not process.alive:
            raise Killed(what)
        if process.calls_left is not None:
            process.calls_left -= 1
            if process.calls_left == 0:
                self._scheduler.switch()  # it is killed there
        if self._draw() < self.yields:
            self._switch(thread, self.now, None)

    def sleep(self, seconds: float) -> None:
        """Sleep for fake seconds."""
        thread = self.current
        if thread is not None:
            self._switch(thread, self.now + seconds, None)

    def wait(self, ready: Callable[[], bool], seconds_max: float) -> bool:
        """Wait until `ready()` or so many fake seconds have passed; return what it is then."""
        if ready():
            return True
        thread = self.current
        if thread is None:
            return False
        self._switch(thread, self.now + seconds_max, ready)
        return ready()

    def _switch(self, thread: Thread, until: float, ready: Callable[[], bool] | None) -> None:
        if not thread.process.alive:
            raise Killed
        thread.until, thread.ready = until, ready
        self._scheduler.switch()
        if not thread.process.alive:
            raise Killed
        thread.ready = None
