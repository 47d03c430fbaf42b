"""Many runs, on all cores; and the smallest run that fails as a failing one does.

Enters: seeds. Leaves: how many passed and how fast, and for the first violation a shrunk schedule.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process

import structlog

from pipeline.simulate.mutants import mutant
from pipeline.simulate.options import Options
from pipeline.simulate.run import Result, simulate

CHUNK_RUNS = 10
"""Runs that one core is given at a time."""
SHRINK_RUNS_MAX = 120


@dataclass(frozen=True, slots=True)
class Campaign:
    """What became of many runs; `failed` are the first ones that did, by seed."""

    runs: int
    events: int
    stopped: int
    seconds: float
    failed: tuple[Result, ...]


def run_campaign(
    seeds: range,
    *,
    jobs: int | None = None,
    bug: str | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> Campaign:
    """Run these seeds until one fails; `tell` is given the runs that are done."""
    started = time.monotonic()
    runs = events = stopped = 0
    failed: list[Result] = []
    for done in _results(seeds, jobs or os.cpu_count() or 1, bug):
        for result in done:
            runs += 1
            events += result.events
            stopped += bool(result.stopped)
            if result.violation is not None:
                failed.append(result)
        tell(runs)
        if failed:
            break
    failed.sort(key=lambda one: one.options.seed)
    return Campaign(runs, events, stopped, time.monotonic() - started, tuple(failed))


def _results(seeds: range, jobs: int, bug: str | None) -> Iterator[list[Result]]:
    chunks = [seeds[first : first + CHUNK_RUNS] for first in range(0, len(seeds), CHUNK_RUNS)]
    if jobs == 1 or len(chunks) == 1:
        for chunk in chunks:
            yield _run_chunk(chunk, bug)
        return
    # the parent may have threads (a progress bar): a fork of it could stand still for ever
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_end_with_parent
    ) as pool:
        left = iter(chunks)
        running: set[Future[list[Result]]] = set()
        try:
            while True:
                for chunk in left:
                    running.add(pool.submit(_run_chunk, chunk, bug))
                    if len(running) >= 2 * jobs:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when its parent is killed: it would wait for more work for ever."""
    parent = parent_process()
    assert parent is not None  # noqa: S101 - workers have one

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, name="parent", daemon=True).start()


def _run_chunk(seeds: range, bug: str | None) -> list[Result]:
    silence()
    results = []
    with mutant(bug):
        for seed in seeds:
            results.append(simulate(Options.draw(seed)))
            if results[-1].violation is not None:
                break
    return results


def silence() -> None:
    """Let the stages log nothing: a simulation fails and retries all the time."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=True,  # else every line makes a logger, to say nothing
    )


def shrink(failing: Options, bug: str | None = None) -> Result:
    """Find a smaller run that fails too: fewer kinds of faults, fewer turns; with its schedule."""
    silence()
    with mutant(bug):
        best, tries = failing, 0
        for candidate in _smaller(failing):
            narrowed = replace(
                best,
                faults=best.faults & candidate.faults,
                turns=min(best.turns, candidate.turns),
            )
            if narrowed == best or tries >= SHRINK_RUNS_MAX:
                continue
            tries += 1
            if simulate(narrowed).violation is not None:
                best = narrowed
        return simulate(best, trace=True)


def _smaller(failing: Options) -> Iterator[Options]:
    for fault in sorted(failing.faults):
        yield replace(failing, faults=failing.faults - {fault})
    turns = failing.turns
    for part in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        yield replace(failing, turns=max(1, int(turns * part)))
