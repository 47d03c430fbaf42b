"""`isthmus reconcile`: tells whether what arrived is what was sent.

Enters: the site, and what to compare. Leaves: a verdict per table and region on stdout, the exit
code of the gravest, and the record that the report reads.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.options import JsonOption, SiteOption
from pipeline.reconcile.options import Options
from pipeline.reconcile.record import write_record
from pipeline.reconcile.result import Reconciliation, State
from pipeline.reconcile.run import reconcile as run_reconciliation
from pipeline.reconcile.scope import make_scope
from pipeline.settings import load_settings

TABLE_WIDTH_MAX = 500
KEYS_SHOWN_PER_TABLE = 10
"""On a terminal; --json lists up to --keys-max."""

STYLES = {
    State.MATCH: "green",
    State.QUARANTINED: "yellow",
    State.UNDECIDED: "yellow",
    State.LAGGING: "yellow",
    State.DIFF: "bold red",
    State.ERROR: "bold red",
}


def reconcile(
    site: SiteOption = Path(),
    *,
    module: Annotated[
        list[str] | None, typer.Option("--module", help="Only this module; may be repeated.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            help="Only this region; may be repeated. `mirror` is legacy database and mirror.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds to wait for each barrier.")
    ] = 120.0,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="How often to look again at keys that differ.")
    ] = 3,
    keys_max: Annotated[
        int, typer.Option("--keys-max", min=0, help="Keys to list per table and region.")
    ] = 1_000,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="List differing values too (with --json).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the legacy database with the mirror, and the mirror with every region's store.

    Exit code 0 when all match, 1 for a difference, a quarantined aggregate or an error, 4 when it
    is lagging or undecided.
    """
    settings = load_settings(site)
    options = Options(
        timeout_s=timeout, rounds=rounds, keys_max=keys_max, show_values=show_values and as_json
    )
    messages = Console(stderr=True, highlight=False)
    result = run_reconciliation(
        settings,
        make_scope(settings, module or [], region or []),
        options,
        clock=lambda: datetime.now(UTC),
        announce=lambda text: messages.print(f"{text} ...", style="dim", markup=False),
    )
    if not module and not region:
        write_record(settings, result)  # the report tells of the whole, not of a part
    print_problems(result, messages)
    if as_json:
        typer.echo(json.dumps(result.document()))
    else:
        print_result(result, Console(highlight=False))
    raise typer.Exit(result.exit_code)


def print_problems(result: Reconciliation, console: Console) -> None:
    """Print once each why tables have no verdict."""
    problems = dict.fromkeys(table.problem for table in result.tables if table.problem)
    for problem in problems:
        console.print(problem, markup=False, style="red")


def print_result(result: Reconciliation, console: Console) -> None:
    """Print the verdicts as a table, and the first keys that differ."""
    console.print(f"reconciled {result.finished_at:%Y-%m-%d %H:%M:%S} UTC")
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("module", "table", "region", "state"):
        table.add_column(name)
    for name in ("rows", "missing", "extra", "changed", "undecided"):
        table.add_column(name, justify="right")
    for one in result.tables:
        counts = (one.rows, one.missing, one.extra, one.changed, one.undecided)
        state = f"[{STYLES[one.state]}]{one.state}[/]"
        table.add_row(one.module, one.table, one.region, state, *(f"{count:,}" for count in counts))
    # names that are cut tell nothing: in a narrow terminal the lines are longer than it
    whole = console.options.update(width=TABLE_WIDTH_MAX)
    console.width = max(console.width, console.measure(table, options=whole).maximum)
    console.print(table)
    for one in result.tables:
        for finding in one.keys[:KEYS_SHOWN_PER_TABLE]:
            key = ", ".join(f"{name}={value}" for name, value in finding.key.items())
            columns = f" ({', '.join(finding.columns)})" if finding.columns else ""
            reason = f": {finding.reason}" if finding.reason else ""
            console.print(
                escape(f"{one.region} {one.table} {finding.kind} {key}{columns}{reason}"),
                soft_wrap=True,
            )
        if len(one.keys) > KEYS_SHOWN_PER_TABLE:
            console.print(f"{one.region} {one.table}: more keys with --json")
    for doubt in result.doubts:
        console.print(f"{doubt.module}: {doubt.text}", markup=False, soft_wrap=True)
    console.print(f"verdict: [{STYLES[result.verdict]}]{result.verdict}[/]")
