"""`isthmus report`: reconciles, checks quality and writes what somebody has to sign.

Enters: the site. Leaves: the paths of report.html, report.json and report.junit.xml on stdout; the
exit code is that of the verdict, and 1 when an expectation is not met.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.cli.options import JsonOption, SiteOption
from pipeline.cli.reconcile import print_problems
from pipeline.reconcile.options import Options
from pipeline.reconcile.record import read_record, write_record
from pipeline.reconcile.run import reconcile
from pipeline.reconcile.scope import make_scope
from pipeline.report.gather import gather_report
from pipeline.report.quality_record import check_quality, read_quality, write_quality
from pipeline.report.write import write_report
from pipeline.settings import Settings, load_settings

FOLDER = "report"


def report(
    site: SiteOption = Path(),
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the files (.isthmus/report).")
    ] = None,
    from_last: Annotated[
        bool, typer.Option("--from-last", help="Compare and check nothing anew; tell of the last.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds to wait for each barrier.")
    ] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Write the report as HTML, JSON and JUnit; exit code by the verdict, 1 when quality fails."""
    settings = load_settings(site)
    if not from_last:
        compare_and_check(settings, Options(timeout_s=timeout), Console(stderr=True))
    made = gather_report(settings, read_record(settings), read_quality(settings), datetime.now(UTC))
    paths = write_report(made, (out or settings.state_folder / FOLDER).resolve())
    if as_json:
        facts = {name: str(path) for name, path in paths.items()}
        typer.echo(json.dumps({"verdict": made.verdict.value, **facts}))
    else:
        for path in paths.values():
            typer.echo(path)
    raise typer.Exit(made.exit_code)


def compare_and_check(settings: Settings, options: Options, messages: Console) -> None:
    """Reconcile everything and run every suite; keep both results for the report."""

    def announce(text: str) -> None:
        messages.print(f"{text} ...", style="dim", markup=False, highlight=False)

    result = reconcile(
        settings,
        make_scope(settings, [], []),
        options,
        clock=lambda: datetime.now(UTC),
        announce=announce,
    )
    print_problems(result, messages)
    write_record(settings, result)
    announce("checking the regions' tables against the expectation suites")
    write_quality(settings, check_quality(settings, datetime.now(UTC)))
