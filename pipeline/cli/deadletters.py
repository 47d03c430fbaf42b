"""`isthmus deadletters list | show | replay | drop`: what could not be understood or stored.

Enters: the site, ids. Leaves: letters on stdout; exit code 1 when a letter could not be replayed or
dropped. Rows' values are shown only with --payload.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import JsonOption, SiteOption
from pipeline.deadletters.letter import HUB, DeadLetter
from pipeline.deadletters.office import open_office
from pipeline.errors import Configuration
from pipeline.settings import load_settings

app = typer.Typer(help="Look at dead letters, and replay or drop them.", no_args_is_help=True)

LETTERS_SHOWN_MAX = 1_000
EXIT_FINDING = 1

Ids = Annotated[list[str], typer.Argument(metavar="ID", help="e.g. h12, or eu:sales.0.17")]


@app.command("list")
def list_(
    site: SiteOption = Path(),
    *,
    module: Annotated[
        list[str] | None, typer.Option("--module", help="Only this module; may be repeated.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Only this region, or `hub`.")
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Also replayed, dropped and superseded ones.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Letters to show at most.")
    ] = LETTERS_SHOWN_MAX,
    as_json: JsonOption = False,
) -> None:
    """List the open dead letters, oldest first, those of the hub before the regions'."""
    settings = load_settings(site)
    if region not in {None, HUB}:
        settings.region(region or "")
    with open_office(settings) as office:
        found = office.read(resolved=resolved, modules=module, where=region)
        letters = list(islice(found, limit + 1))
    if len(letters) > limit:
        letters = letters[:limit]
        typer.echo(f"only the first {limit} are shown: see --limit", err=True)
    if as_json:
        typer.echo(json.dumps([letter.document() for letter in letters], ensure_ascii=False))
        return
    if not letters:
        typer.echo("no dead letters" if resolved else "no open dead letters", err=True)
        return
    table = Table("id", "state", "since", "aggregate", "subject", "reason")
    for letter in letters:
        table.add_row(
            str(letter.id),
            letter.state,
            f"{letter.at:%Y-%m-%d %H:%M:%S}",
            letter.aggregate or f"({letter.origin} of {letter.module})",
            letter.subject or "",
            letter.reason,
        )
    Console(markup=False, highlight=False).print(table)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="e.g. h12, or eu:sales.0.17")],
    site: SiteOption = Path(),
    *,
    payload: Annotated[
        bool, typer.Option("--payload", help="Also show the rows' values or the record.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one letter: where it stood and why it failed."""
    with open_office(load_settings(site)) as office:
        letter = office.find(letter_id)
    document = letter.document() | (letter.payload_document() if payload else {})
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    width = max(map(len, document))
    for name, value in document.items():
        if value is not None:
            typer.echo(f"{name:{width}}  {value}")


@app.command()
def replay(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="e.g. h12, or eu:sales.0.17")
    ] = None,
    site: SiteOption = Path(),
    *,
    everything: Annotated[bool, typer.Option("--all", help="All open letters.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try again, after the cause was repaired: the aggregates are emitted anew.

    Exit code 1 when a letter can't be replayed; the message says what can be done instead.
    """
    if bool(letter_ids) == everything:
        raise Configuration("name the letters to replay, or give --all")
    with open_office(load_settings(site)) as office:
        letters: list[DeadLetter] = (
            list(office.read()) if everything else [office.find(one) for one in letter_ids or []]
        )
        done = office.replay(letters)
    if as_json:
        facts = [{"id": str(one.id), "asked": one.asked, "message": one.message} for one in done]
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for one in done:
            typer.echo(f"{one.id}: {'' if one.asked else 'not replayed: '}{one.message}")
    if not all(one.asked for one in done):
        raise typer.Exit(EXIT_FINDING)


@app.command()
def drop(
    letter_ids: Ids,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the letter.")],
    site: SiteOption = Path(),
) -> None:
    """Close letters for good: their aggregates are compared again as they are."""
    closed = True
    with open_office(load_settings(site)) as office:
        for letter in [office.find(one) for one in letter_ids]:
            dropped = office.drop(letter.id, reason)
            closed = closed and dropped
            typer.echo(f"{letter.id}: {'dropped' if dropped else f'is {letter.state} already'}")
    if not closed:
        raise typer.Exit(EXIT_FINDING)
