"""Measures processes from outside: CPU seconds and peak memory, from /proc (Linux only).

Enters: pids of the stage and of the servers, and a figure that grows with the work. Leaves: a
`Span` from the first growth to the goal, so that starting up is not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.05
GOAL_SECONDS_MAX = 900.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: wall clock, CPU seconds of the stage and of the servers, the growing figure."""

    at: float
    stage_cpu_s: float
    server_cpu_s: float
    done: int


@dataclass(frozen=True, slots=True)
class Span:
    """The samples of one piece of work, and the stage's peak memory in MB."""

    samples: tuple[Sample, ...]
    peak_rss_mb: float

    def cut(self, begin: float, end: float) -> tuple[Sample, Sample]:
        """Return the last sample before `begin` and the first after `end` (wall clock)."""
        before = [one for one in self.samples if one.at <= begin] or [self.samples[0]]
        after = [one for one in self.samples if one.at >= end] or [self.samples[-1]]
        return before[-1], after[0]

    def work(self) -> tuple[Sample, Sample]:
        """Return the first sample that shows growth, and the last one."""
        start = self.samples[0].done
        grown = [one for one in self.samples if one.done > start]
        return grown[0], self.samples[-1]


def measure(
    stage: Iterable[int],
    servers: Iterable[int],
    *,
    done: Callable[[], int],
    is_finished: Callable[[], bool],
    check: Callable[[], None] = lambda: None,
) -> Span:
    """Sample until `is_finished`; `check` raises when that can't be; at most GOAL_SECONDS_MAX."""
    stage, servers = list(stage), list(servers)
    samples = []
    deadline = time.monotonic() + GOAL_SECONDS_MAX
    while True:
        # in this order: what is seen as finished is counted
        finished = is_finished()
        children = read_children()
        samples.append(
            Sample(
                time.time(),
                sum(read_cpu_s(pid, children) for pid in stage),
                sum(read_cpu_s(pid, children) for pid in servers),
                done(),
            )
        )
        if finished:
            return Span(tuple(samples), sum(read_peak_mb(pid) for pid in stage))
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not finished within {GOAL_SECONDS_MAX:.0f} s")
        time.sleep(SAMPLE_SECONDS)


def read_children() -> dict[int, list[int]]:
    """Return the children of every process."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            fields = _read_stat(int(path.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(path.name))
    return children


def read_cpu_s(pid: int, children: dict[int, list[int]]) -> float:
    """Return the CPU seconds of a process, of all below it and of those that it has waited for."""
    fields = _read_stat(pid)
    own = sum(int(one) for one in fields[11:15]) / TICKS_PER_SECOND if fields else 0.0
    return own + sum(read_cpu_s(child, children) for child in children.get(pid, ()))


def read_peak_mb(pid: int) -> float:
    """Return the highest resident memory that a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read_stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []  # it has ended between the listing and now
    return text[text.rindex(")") + 2 :].split()
