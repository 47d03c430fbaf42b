"""The supervisor: starts processes, starts them again as the policy says, ends them in order.

Enters: processes, clock and signals. Leaves: the lives of all, told at each change; what was not in
good order as sentences. When it leaves, for whatever reason, none of its processes is left.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Unreachable
from pipeline.run import lifecycle
from pipeline.run.child import Process, RunningChild
from pipeline.run.lifecycle import Life, Moment, State
from pipeline.run.policy import DONE, UNREACHABLE, describe_exit
from pipeline.run.shutdown import TERM_S, may_ask, next_moment_s
from pipeline.run.signals import STOPPING

WAIT_S_MAX = 1.0
"""The terminal's figures are told anew so often."""
KILL_S_MAX = 0.5
SAME_SIGNAL_S = 0.25
"""A terminal and `timeout` send theirs twice at once; only a later one is a second one."""
IN_ORDER = frozenset({DONE, -signal.SIGTERM, UNREACHABLE})
"""How a process may end that was asked to: before it listens, or with its servers gone as well."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: all lives, and a sentence for each thing that was not in good order."""

    lives: tuple[Life, ...]
    findings: tuple[str, ...]


class Supervisor:
    """Keeps processes alive until told to stop, or until every one of them was given up on.

    `wait` waits so many seconds and returns the signals that came, at once when there are any;
    `tell` gets all lives after each wait.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        logs: Path,
        *,
        clock: Callable[[], Moment],
        wait: Callable[[float], Sequence[signal.Signals]],
        tell: Callable[[Sequence[Life]], None],
    ) -> None:
        self._processes = {process.name: process for process in processes}
        self._logs = logs
        self._clock = clock
        self._wait = wait
        self._tell = tell
        self._children: dict[str, RunningChild] = {}
        now = clock()
        self._lives = {name: lifecycle.plan_life(name, now) for name in self._processes}

    def run(self) -> Outcome:
        """Supervise, then shut down."""
        try:
            self._supervise()
            findings = self._shut_down()
        finally:
            self._kill_all()
        given_up = [
            f"{life.name} was given up on ({life.why}): {life.last_error or 'it said nothing'}"
            for life in self._lives.values()
            if life.state is State.GIVEN_UP
        ]
        return Outcome(tuple(self._lives.values()), (*given_up, *findings))

    def _supervise(self) -> None:
        while True:
            now = self._clock()
            self._collect(now, lifecycle.end)
            self._start_due(now)
            self._lives = {name: lifecycle.settle(one, now) for name, one in self._lives.items()}
            self._tell(tuple(self._lives.values()))
            if all(life.state is State.GIVEN_UP for life in self._lives.values()):
                return
            if STOPPING.intersection(self._wait(self._seconds_to_wait(now))):
                return

    def _seconds_to_wait(self, now: Moment) -> float:
        due = (lifecycle.next_moment_s(life) for life in self._lives.values())
        return min([WAIT_S_MAX, *(moment - now.s for moment in due if moment is not None)])

    def _start_due(self, now: Moment) -> None:
        for name, life in self._lives.items():
            if life.due_s is None or life.due_s > now.s:
                continue
            try:
                child = RunningChild(self._processes[name], self._logs)
            except Unreachable as error:
                self._lives[name] = lifecycle.end(life, UNREACHABLE, str(error), now)
            else:
                self._children[name] = child
                self._lives[name] = lifecycle.start(life, child.pid, now)

    def _collect(
        self, now: Moment, ended: Callable[[Life, int, str | None, Moment], Life]
    ) -> list[Life]:
        """Note which processes have ended, and return these."""
        found = []
        for name, child in list(self._children.items()):
            code = child.poll()
            if code is None:
                continue
            child.let_go()
            del self._children[name]
            self._lives[name] = ended(self._lives[name], code, child.read_message(), now)
            found.append(self._lives[name])
        return found

    def _shut_down(self) -> list[str]:
        """Ask one stage after the other to end, kill what does not; return what went wrong."""
        began = now = self._clock()
        findings: list[str] = []
        asked: set[str] = set()
        self._collect(now, lifecycle.end)
        for name in self._lives.keys() - self._children.keys():
            self._lives[name] = lifecycle.stop(self._lives[name], None, None, now)
        while self._children:
            elapsed = now.s - began.s
            self._ask(asked, elapsed)
            self._tell(tuple(self._lives.values()))
            came = self._wait(next_moment_s(elapsed))
            now = self._clock()
            elapsed = now.s - began.s
            faults = map(_find_fault, self._collect(now, lifecycle.stop))
            findings += [fault for fault in faults if fault is not None]
            second = elapsed > SAME_SIGNAL_S and not STOPPING.isdisjoint(came)
            if second or elapsed >= TERM_S:
                late = f"it did not end within {TERM_S:.0f} s"
                findings += self._kill_left("a second signal came" if second else late)
                break
        self._tell(tuple(self._lives.values()))
        return findings

    def _ask(self, asked: set[str], elapsed: float) -> None:
        living = {child.stage for child in self._children.values()}
        for name, child in self._children.items():
            if name not in asked and may_ask(child.stage, living, elapsed):
                child.send(signal.SIGTERM)
                asked.add(name)

    def _kill_left(self, reason: str) -> list[str]:
        killed = sorted(self._children)
        self._kill_all()
        now = self._clock()
        self._collect(now, lifecycle.stop)
        left = [f"{name} survived SIGKILL: look at it" for name in sorted(self._children)]
        return [
            *(f"{name} was killed ({reason}): nothing is lost by that" for name in killed),
            *left,
        ]

    def _kill_all(self) -> None:
        for child in self._children.values():
            child.send(signal.SIGKILL)
        for child in self._children.values():
            child.kill(KILL_S_MAX)


def _find_fault(life: Life) -> str | None:
    """Say what was wrong with the end of a process that was asked to end; None for nothing."""
    if life.last_exit is None or life.last_exit in IN_ORDER:
        return None
    message = life.last_error or "it said nothing"
    return f"{life.name} ended with {describe_exit(life.last_exit)} while stopping: {message}"
