"""`make bench`: every stage alone and the whole, on a stack of its own; about five minutes.

Enters: --aggregates, --orders, --seconds. Leaves: benchmarks/out/*.json and a table on stdout.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from rich.console import Console

from benchmarks.ground import Ground, make_ground
from benchmarks.result import OUT, Result, print_results, write_results
from benchmarks.stages import measure_stages
from benchmarks.whole import measure_burst, measure_latency, measure_raw_copy
from benchmarks.workload import FAT, SINGLE_ROW

LATENCY_RATE = 200.0


def main() -> None:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument(
        "--aggregates",
        type=int,
        default=60_000,  # three of a replicator's batches: the first, with its start, is left out
        help="aggregates changed per workload, each an event",
    )
    parser.add_argument("--orders", type=int, default=60_000, help="orders in the legacy database")
    parser.add_argument("--seconds", type=float, default=30.0, help="of business for latencies")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    messages = Console(stderr=True, highlight=False)
    results: list[Result] = []
    try:
        with make_ground(options.orders, messages.print) as ground:
            run_all(ground, results, options, messages)
    finally:  # what was measured before a failure is kept
        write_results(results)
        print_results(results, Console(highlight=False, width=None if sys.stdout.isatty() else 140))
    messages.print(f"written to {OUT}")


def run_all(
    ground: Ground, results: list[Result], options: argparse.Namespace, messages: Console
) -> None:
    """Measure one thing after the other and append its result."""
    results.append(measure_raw_copy(ground))
    ground.start_all()
    messages.print("waiting for the first snapshot")
    ground.wait_for_snapshots()
    ground.children.stop_all()
    for work in (SINGLE_ROW, FAT):
        messages.print(f"each stage alone: {work.name}")
        results += measure_stages(ground, work, options.aggregates)
    pids = ground.start_all()
    ground.wait_for_arrival()
    for work in (SINGLE_ROW, FAT):
        messages.print(f"the whole: {work.name}")
        results.append(measure_burst(ground, work, options.aggregates, pids))
    messages.print(f"latencies at {LATENCY_RATE:g} transactions a second")
    results.append(measure_latency(ground, rate=LATENCY_RATE, seconds=options.seconds, pids=pids))
    for what, count in ground.count_dead_letters().items():
        messages.print(f"{count} dead letters: {what}", markup=False)
    messages.print("ending processes and servers")


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
