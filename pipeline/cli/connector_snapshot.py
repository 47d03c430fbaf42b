"""`isthmus connectors snapshot`: a table is read again by signal, or a whole module anew.

Enters: the site. Leaves: progress on stderr. The bound of a sweep is kept in the hub, where the
translator of the module reads it when it sweeps.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from connectors import offset_commands, snapshot_commands
from connectors.declaration import find_file
from connectors.incremental import Ask
from pipeline.cli.options import SiteOption, YesOption
from pipeline.cli.site_target import read_target
from pipeline.errors import Configuration
from pipeline.hub.migrate import migrate_hub
from pipeline.hub.modules import skip_to
from pipeline.hub.sweeps import DELETES_MAX, set_deletes_max
from pipeline.settings import Settings, load_settings, read_variables

_CHANGES = (Ask.PAUSE, Ask.RESUME, Ask.STOP)


def snapshot(  # noqa: PLR0917 - one flag per thing that can be asked for
    name: Annotated[str, typer.Argument(help="A table; a module with the flags that say so.")],
    site: SiteOption = Path(),
    module: Annotated[
        str | None, typer.Option("--module", help="The table's module, where several have it.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Only rows for which this SQL condition holds.")
    ] = None,
    no_wait: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--no-wait", help="Ask, and do not wait until it is done.")
    ] = False,
    pause: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--pause", help="Pause what the module NAME reads again.")
    ] = False,
    resume: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--resume", help="Go on with it.")
    ] = False,
    stop: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--stop", help="Stop it for good.")
    ] = False,
    again: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--again", help="Read the whole module NAME, delete what is gone.")
    ] = False,
    raise_epoch: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--raise-epoch", help="Set the epoch in the declaration's file, too.")
    ] = False,
    deletes_max: Annotated[
        int | None,
        typer.Option("--deletes-max", min=0, help="How many rows may be deleted for it."),
    ] = None,
    skip: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--skip", help="With --again: do not translate what came before it.")
    ] = False,
    yes: YesOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Read a table again while all goes on; or with --again a whole module, as mark and sweep."""
    asks = [ask for ask, chosen in zip(_CHANGES, (pause, resume, stop), strict=True) if chosen]
    bounds_only = deletes_max is not None and not again
    if len(asks) + again + bounds_only > 1:
        raise Configuration("say one of --again, --pause, --resume, --stop and --deletes-max")
    settings = load_settings(site)
    target = read_target(site)
    if again:
        bound = DELETES_MAX if deletes_max is None else deletes_max
        code = _read_anew(settings, name, bound, may_raise=raise_epoch, skip=skip, yes=yes)
        raise typer.Exit(code)
    if bounds_only:
        target.declared_connector(name)
        _set_bound(settings, name, deletes_max)
        snapshot_commands.say(f"{name}: {deletes_max} rows may be deleted by the next sweep")
        return
    if asks:
        raise typer.Exit(snapshot_commands.change(target, name, asks[0], wait=not no_wait))
    code = snapshot_commands.read_table(target, name, module=module, where=where, wait=not no_wait)
    raise typer.Exit(code)


def _read_anew(
    settings: Settings, module: str, bound: int, *, may_raise: bool, skip: bool, yes: bool
) -> int:
    def confirm(what: str) -> None:
        sentence = f"{what}; at most {bound:,} rows that are gone there are deleted here"
        if skip:
            sentence += "; what the translator has not read by now is never told"
        offset_commands.confirm(sentence, (), yes=yes, ask=offset_commands.find_asker())

    def prepare(end: int) -> None:
        _set_bound(settings, module, bound)
        if skip:
            with psycopg.connect(settings.hub_url) as connection:
                skip_to(connection, module, end)
            snapshot_commands.say(f"{module}: the translator goes on at offset {end}")

    return snapshot_commands.read_anew(
        read_target(settings.root),
        module,
        path=find_file(settings.connectors, module),
        may_raise=may_raise,
        reload=lambda: read_target(settings.root),
        confirm=confirm,
        prepare=prepare,
        read_secret=lambda reference: _read_secret(settings, reference),
    )


def _read_secret(settings: Settings, reference: str) -> str | None:
    """Read what `${env:VAR}` refers to, where the site has that variable, too."""
    match = re.fullmatch(r"\$\{env:(\w+)\}", reference)
    return None if match is None else read_variables(settings.root).get(match[1])


def _set_bound(settings: Settings, module: str, bound: int | None) -> None:
    migrate_hub(settings.hub_url)
    with psycopg.connect(settings.hub_url) as connection:
        set_deletes_max(connection, module, bound)
