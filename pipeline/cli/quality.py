"""`isthmus quality run | show`: the expectation suites, over the stores or as they are.

Enters: the site. Leaves: a table or JSON on stdout; exit code 1 when an expectation is not met.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from adapters.contract import load_contracts
from adapters.projection import load_projections
from pipeline.cli.options import JsonOption, SiteOption
from pipeline.quality.row_checks import compile_checks
from pipeline.quality.suite import ContractSuites, Suite, load_suites
from pipeline.quality.validation import Result, validate_region
from pipeline.settings import Settings, load_settings

app = typer.Typer(help="Check the regions' data against the expectation suites.")

EXIT_NOT_MET = 1


@app.command()
def run(
    site: SiteOption = Path(),
    region: Annotated[
        str | None, typer.Option("--region", help="One region; all of them if not given.")
    ] = None,
    json: JsonOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Run every suite with Great Expectations over the stores; exit code 1 when one fails."""
    settings = load_settings(site)
    suites = _load(settings)
    projections = load_projections(settings.adapters)
    regions = [settings.region(region)] if region else list(settings.regions.values())
    results = [result for one in regions for result in validate_region(one, projections, suites)]
    if json:
        _print_json([asdict(one) for one in results])
    else:
        _print_results(results)
    if not all(one.success for one in results):
        raise typer.Exit(EXIT_NOT_MET)


@app.command()
def show(site: SiteOption = Path(), json: JsonOption = False) -> None:  # noqa: FBT002 - typer's flags
    """Show the suites of each contract, after checking that the row-level ones can be enforced."""
    suites = _load(load_settings(site))
    if json:
        _print_json([dict(suite.document) for one in suites.values() for suite in _each(one)])
        return
    table = Table("suite", "expectation", "column", "arguments", box=None, header_style="bold")
    for one in suites.values():
        for suite in _each(one):
            for each in suite.expectations:
                table.add_row(suite.name, each.type, each.column, _show_arguments(each.kwargs))
    Console(soft_wrap=True, markup=False).print(table)


def _load(settings: Settings) -> dict[str, ContractSuites]:
    contracts = load_contracts(settings.contracts)
    suites = load_suites(settings.contracts, contracts)
    for type_, one in suites.items():
        compile_checks(one, contracts[type_])
    return suites


def _each(suites: ContractSuites) -> list[Suite]:
    return [*([suites.root] if suites.root else []), *suites.children.values()]


def _show_arguments(kwargs: Any) -> str:
    shown = {
        name: value
        for name, value in kwargs.items()
        if name not in ("column", "column_A", "column_B", "column_list")
    }
    return ", ".join(f"{name}={value}" for name, value in shown.items())


def _print_results(results: list[Result]) -> None:
    names = ("region", "table", "expectation", "column", "result", "unexpected", "of")
    table = Table(*names, box=None, header_style="bold")
    for one in results:
        verdict = "error" if one.error else "ok" if one.success else "FAILED"
        counts = (
            "-" if each is None else str(each) for each in (one.unexpected_count, one.element_count)
        )
        table.add_row(one.region, one.table, one.expectation, one.column, verdict, *counts)
    Console(soft_wrap=True, markup=False).print(table)


def _print_json(facts: list[dict[str, Any]]) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(facts)))
