"""`isthmus up`, `down` and `status`: the local stack on the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from connectors.declaration import known_engines, known_secrets
from pipeline.cli.options import JsonOption, SiteOption
from pipeline.errors import Configuration
from pipeline.local_stack.progress import ConsoleProgress
from pipeline.local_stack.stack import LocalStack, ServiceStatus
from pipeline.settings import SITE_FILE, read_connectors_folder, read_own_variables


def _open_stack(site: Path) -> LocalStack:
    if not (site / SITE_FILE).is_file():
        raise Configuration(
            f"no {SITE_FILE} in {site.resolve()}: run in a site's folder or name one with --site"
        )
    return LocalStack(site)


def up(
    site: SiteOption = Path(),
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Wipe all data of the local stack first.")
    ] = False,
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", help="Debezium's connector for it, too; may stand repeatedly."),
    ] = None,
) -> None:
    """Start the local stack: Kafka, Connect, registry and PostgreSQL; what runs is left alone.

    Connect has Debezium's connectors of the engines that the site's declarations name, and in its
    environment what they refer to, where the environment or site.env has it.
    """
    console = Console(stderr=True)
    stack = _open_stack(site)
    declared = read_connectors_folder(site)
    variables = read_own_variables(stack.site)
    stack.up(
        fresh=fresh,
        engines=[*known_engines(declared), *(engine or [])],
        secrets={one: variables[one] for one in known_secrets(declared) if one in variables},
        progress=ConsoleProgress(console),
    )
    console.print(f"the local stack is up; its addresses are in {stack.state_file}")


def down(site: SiteOption = Path()) -> None:
    """Stop the local stack; its data stays for the next `up`."""
    _open_stack(site).down()
    Console(stderr=True).print("the local stack is down; its data stays")


def status(site: SiteOption = Path(), *, as_json: JsonOption = False) -> None:
    """Tell how each service of the local stack is; exits 1 unless all of them answer."""
    services = _open_stack(site).status()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(service) for service in services]))
    elif services:
        Console().print(_build_table(services))
    else:
        Console(stderr=True).print("there is no local stack here: `isthmus up` makes one")
    if not services or any(service.state != "running" for service in services):
        raise typer.Exit(1)


def _build_table(services: tuple[ServiceStatus, ...]) -> Table:
    table = Table("service", "state", "pid", "port", box=None)
    table.add_column("log", overflow="fold")
    for one in services:
        table.add_row(one.name, one.state, str(one.pid or "-"), str(one.port), one.log)
    return table
