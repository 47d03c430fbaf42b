"""`isthmus simulate`: the real stages on models of the servers, under faults, from seeds."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.cli.options import JsonOption
from pipeline.errors import Configuration
from pipeline.simulate.campaign import Campaign, run_campaign, shrink
from pipeline.simulate.mutants import MUTANTS
from pipeline.simulate.run import Result

FINDING = 1


def simulate(
    *,
    seed: Annotated[int, typer.Option("--seed", help="The first seed.", min=0)] = 0,
    runs: Annotated[int, typer.Option("--runs", help="How many seeds to run.", min=1)] = 1_000,
    jobs: Annotated[
        int | None, typer.Option("--jobs", help="Processes; by default one per core.", min=1)
    ] = None,
    bug: Annotated[
        str | None, typer.Option("--mutant", help="Put a deliberate bug in, to see it found.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run translate, publish and replicate under simulated faults; deterministic in its seed.

    Needs no server. The first run that breaks a promise is shrunk, and its schedule printed.
    """
    if bug is not None and bug not in MUTANTS:
        raise Configuration(f"no mutant {bug!r}: known are {', '.join(MUTANTS)}")
    columns = (
        TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=runs)
        campaign = run_campaign(
            range(seed, seed + runs),
            jobs=jobs,
            bug=bug,
            tell=lambda done: progress.update(task, completed=done),
        )
    smallest = shrink(campaign.failed[0].options, bug) if campaign.failed else None
    document = _describe(campaign, smallest)
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _show(document)
    if campaign.failed:
        raise typer.Exit(FINDING)


def _describe(campaign: Campaign, smallest: Result | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "runs": campaign.runs,
        "seconds": round(campaign.seconds, 1),
        "runs_per_s": round(campaign.runs / campaign.seconds, 1),
        "events": campaign.events,
        "stopped_behind_lost_records": campaign.stopped,
        "violation": None,
    }
    if smallest is not None:
        first = campaign.failed[0]
        document["violation"] = {
            "seed": first.options.seed,
            "text": first.violation,
            "shrunk_to": smallest.violation,
            "faults": sorted(smallest.options.faults),
            "turns": smallest.options.turns,
            "schedule": list(smallest.trace),
        }
    return document


def _show(document: dict[str, Any]) -> None:
    typer.echo(
        f"{document['runs']:,} runs in {document['seconds']} s "
        f"({document['runs_per_s']} a second), {document['events']:,} events; "
        f"{document['stopped_behind_lost_records']} runs stopped behind records that retention "
        "had removed, as they must"
    )
    violation = document["violation"]
    if violation is None:
        typer.echo("nothing lost, doubled, reordered or half")
        return
    typer.echo(f"seed {violation['seed']}: {violation['text']}")
    faults = ", ".join(violation["faults"]) or "no faults"
    typer.echo(f"shrunk to {violation['turns']} turns with {faults}: {violation['shrunk_to']}")
    for line in violation["schedule"]:
        typer.echo(f"  {line}")
