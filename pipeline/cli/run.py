"""`isthmus run`: keeps all processes of a site alive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.cli.options import JsonOption, SiteOption
from pipeline.errors import Fatal
from pipeline.run.service import supervise
from pipeline.run.site_processes import plan_processes
from pipeline.settings import load_settings
from pipeline.wiring import choose_modules


def run(
    site: SiteOption = Path(),
    *,
    module: Annotated[
        list[str] | None,
        typer.Option("--module", help="Translate and publish only this; may be repeated."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", help="Replicate only to this region; may be repeated."),
    ] = None,
    heal: Annotated[
        bool,
        typer.Option("--heal", help="Apply the declarations again where somebody undid them."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep translators, publisher, replicators and the care of the connectors alive.

    SIGTERM or Ctrl-C ends them all.

    What dies is started again, within bounds; what needs a person stays down while the others go
    on, and makes the exit code 1. How each is stands in `.isthmus/run.json`.
    """
    settings = load_settings(site)
    modules = choose_modules(settings, module or [])
    processes = plan_processes(settings, modules, region or [], heal=heal)
    outcome, state = supervise(settings.state_folder, processes, Console(stderr=True))
    if as_json:
        typer.echo(json.dumps(state))
    if outcome.findings:
        raise Fatal("\n".join(outcome.findings))
