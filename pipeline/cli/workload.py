"""`isthmus workload`: business transactions on the reference legacy system."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from legacy_db.retail.workload import run_workload
from pipeline.cli.options import JsonOption, SiteOption
from pipeline.errors import Configuration
from pipeline.settings import load_settings, read_variables

if TYPE_CHECKING:
    from legacy_db.retail.workload import WorkloadResult
    from pipeline.settings import Settings

APP_URL = "ISTHMUS_LEGACY_APP_URL"
"""The legacy application's own URL: Isthmus itself never writes there, so no site file names it."""


def workload(
    site: SiteOption = Path(),
    *,
    rate: Annotated[float, typer.Option(help="Transactions a second, of all clients.")] = 50.0,
    seconds: Annotated[float, typer.Option(help="How long, in seconds.")] = 60.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same transactions.")] = 1,
    clients: Annotated[int, typer.Option(help="Sessions that work at the same time.")] = 4,
    batches: Annotated[
        bool, typer.Option(help="Now and then a huge batch update of thousands of orders.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Make business transactions on the reference legacy system, from several sessions at once."""
    settings = load_settings(site)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    result = run_workload(
        _read_app_url(settings),
        rate=rate,
        seconds=seconds,
        seed=seed,
        clients=clients,
        schema=settings.legacy.schema,
        batches=batches,
        stop=stop,
    )
    typer.echo(json.dumps(result.as_document()) if as_json else _format_summary(result))


def _read_app_url(settings: Settings) -> str:
    url = read_variables(settings.root).get(APP_URL)
    if not url:
        raise Configuration(
            f"{APP_URL} is neither in the environment nor given by a local stack: set it to the "
            "URL of a role that may write the legacy tables, or run `isthmus up`"
        )
    return url


def _format_summary(result: WorkloadResult) -> str:
    rate = result.transactions / max(result.seconds, 0.001)
    lines = [
        f"{result.transactions} transactions in {result.seconds:.1f} s, {rate:.1f}/s",
        f"{result.rolled_back} rolled back, {result.retries} retried",
    ]
    for kind in sorted({*result.counts, *result.idle}):
        idle = f"  ({result.idle[kind]} with nothing to do)" if result.idle[kind] else ""
        lines.append(f"  {kind:<22}{result.counts[kind]:>8}{idle}")
    return "\n".join(lines)
