"""`isthmus demo`: the main job from nothing to the report, with live progress."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from pipeline.cli.options import SiteOption
from pipeline.cli.reconcile import print_problems, print_result
from pipeline.demo.demo import Demo, DemoOptions, Outcome
from pipeline.errors import Configuration
from pipeline.settings import SITE_FILE

INTERRUPTED = 130


def demo(
    site: SiteOption = Path(),
    *,
    orders: Annotated[int, typer.Option(min=100, help="Orders to seed.")] = 50_000,
    seconds: Annotated[float, typer.Option(min=5, help="Seconds of workload.")] = 60.0,
    rate: Annotated[float, typer.Option(min=1, help="Transactions a second.")] = 50.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave servers and processes running at the end.")
    ] = False,
) -> None:
    """Run everything once: stack, data, snapshot, workload with accidents, verdicts, report.

    Wipes the local stack of the site first. Exit code 0 only if every table matches everywhere and
    every expectation is met.
    """
    if not (site / SITE_FILE).is_file():
        raise Configuration(
            f"no {SITE_FILE} in {site.resolve()}: run in a site's folder or name one with --site"
        )
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(stderr=True, highlight=False)
    options = DemoOptions(orders=orders, seconds=seconds, rate=rate, seed=seed, keep=keep)
    try:
        outcome = Demo(site, options, console).run()
    except KeyboardInterrupt:
        console.print("interrupted: processes and servers are ended")
        raise typer.Exit(INTERRUPTED) from None
    print_problems(outcome.reconciliation, console)
    print_result(outcome.reconciliation, Console(highlight=False))
    print_next_steps(outcome, site.resolve(), console)
    typer.echo(outcome.paths["html"])
    raise typer.Exit(outcome.report.exit_code)


def print_next_steps(outcome: Outcome, site: Path, console: Console) -> None:
    """Say how to look further."""
    where = "" if site == Path.cwd() else f" --site {site}"
    if outcome.pids:
        pids = " ".join(str(pid) for pid in outcome.pids.values())
        lines: tuple[str, ...] = (
            f"isthmus status{where}              what runs, and where",
            f"isthmus workload{where}            more business; then isthmus reconcile{where}",
            f"isthmus deadletters list{where}    what waits, and why",
            f"kill {pids}; isthmus down{where}   end everything",
        )
    else:
        lines = (
            f"isthmus up{where}                  start the servers again, with this data",
            f"isthmus demo --keep{where}         the same, and leave everything running",
        )
    console.print("\nlook further:", style="bold")
    for line in lines:
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    raise KeyboardInterrupt(f"signal {number}")
