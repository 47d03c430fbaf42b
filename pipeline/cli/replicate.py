"""`isthmus replicate`: keeps the store of one region up to date."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from adapters.aggregate import load_adapters
from adapters.contract import load_contracts
from adapters.projection import load_projections
from pipeline.cli.options import SiteOption
from pipeline.failpoints import arm
from pipeline.replicate.migrate import migrate_store
from pipeline.replicate.replicator import make_replicator
from pipeline.settings import load_settings


def replicate(
    region: Annotated[str, typer.Option("--region", help="The region whose store is written.")],
    site: SiteOption = Path(),
    *,
    until_idle: Annotated[
        float | None,
        typer.Option("--until-idle", help="End when nothing has come for so many seconds."),
    ] = None,
) -> None:
    """Replicate events into the store of a region, until SIGTERM or Ctrl-C."""
    settings = load_settings(site)
    url = settings.region(region).url
    projections = load_projections(settings.adapters)
    aggregates = {projection.aggregate for projection in projections}
    replicator = make_replicator(
        settings,
        region,
        modules=[
            one.module for one in load_adapters(settings.adapters) if one.aggregate in aggregates
        ],
        projections=projections,
        contracts=load_contracts(settings.contracts),
    )
    arm(settings.failpoint)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    migrate_store(url, settings.store_migrations)
    replicator.run(stop, idle_seconds_max=until_idle)
