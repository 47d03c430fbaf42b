"""`isthmus connectors ...`: plan, apply and operate the site's connectors.

Enters: the site. Leaves: facts on stdout, exit codes as everywhere. All work is in the package
connectors, which `python -m connectors` shares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connectors import commands, offset_commands, plan_commands, status_commands
from connectors.apply import Options
from pipeline.care.translators import read_translators
from pipeline.cli import connector_snapshot
from pipeline.cli.options import JsonOption, SiteOption, YesOption
from pipeline.cli.site_target import read_target
from pipeline.failpoints import arm, pass_failpoint
from pipeline.settings import load_settings

app = typer.Typer(help="Plan, apply and operate the connectors that capture the legacy database.")
offsets_app = typer.Typer(help="Where the connectors are in the legacy database's log.")
app.add_typer(offsets_app, name="offsets")

Names = Annotated[list[str] | None, typer.Argument(help="Modules; all declared ones if none.")]


@app.command()
def plan(
    site: SiteOption = Path(),
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Save the plan in this file, for apply.")
    ] = None,
    destroy: Annotated[
        bool,
        typer.Option("--destroy", help="With what is left of modules that are not declared."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what would be created, changed or removed; exit code 1 when anything differs."""
    target = read_target(site)
    raise typer.Exit(plan_commands.plan(target, as_json=json, out=out, destroy=destroy))


@app.command()
def apply(
    file: Annotated[
        Path | None, typer.Argument(help="A plan that `plan --out` saved; else plan now.")
    ] = None,
    site: SiteOption = Path(),
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Delete connectors that are not declared any more.")
    ] = False,
    destroy: Annotated[
        bool,
        typer.Option("--destroy", help="Their slots, publications and topics, too, for good."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go on in spite of the preflight's blockers.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make publications, grants, topics and connectors as declared; wait until all of it runs."""
    arm(load_settings(site).failpoint)
    options = Options(remove=remove, destroy=destroy, force=force)
    raise typer.Exit(
        plan_commands.apply(
            read_target(site), as_json=json, file=file, options=options, step=pass_failpoint
        )
    )


@app.command()
def preflight(
    names: Names = None,
    site: SiteOption = Path(),
    json: JsonOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Show what would make capture fail or hurt, and how to mend it; exit code 1 for a blocker."""
    raise typer.Exit(plan_commands.preflight(read_target(site), names or [], as_json=json))


@app.command()
def status(
    site: SiteOption = Path(),
    watch: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--watch", help="Draw it anew every 2 s, until Ctrl-C.")
    ] = False,
    json: JsonOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Show states, lag, snapshots and what is wrong; exit code 1 unless all of them run."""
    settings = load_settings(site)
    raise typer.Exit(
        status_commands.status(
            read_target(site),
            as_json=json,
            watch=watch,
            limits=settings.care.limits,
            read_translators=lambda: read_translators(settings.hub_url, _say),
        )
    )


@app.command()
def restart(
    names: Names = None,
    site: SiteOption = Path(),
    everything: Annotated[  # noqa: FBT002 - typer's flags
        bool, typer.Option("--all", help="Also what has not failed.")
    ] = False,
) -> None:
    """Restart the connectors and tasks that have failed."""
    raise typer.Exit(commands.restart(read_target(site), names or [], everything=everything))


@app.command()
def pause(names: Names = None, site: SiteOption = Path()) -> None:
    """Pause connectors: they keep their slot, and send nothing."""
    raise typer.Exit(commands.change_state(read_target(site), names or [], "pause"))


@app.command()
def resume(names: Names = None, site: SiteOption = Path()) -> None:
    """Resume connectors that were paused or stopped."""
    raise typer.Exit(commands.change_state(read_target(site), names or [], "resume"))


@app.command()
def stop(names: Names = None, site: SiteOption = Path()) -> None:
    """Stop connectors: their tasks end, offsets and slots stay."""
    raise typer.Exit(commands.change_state(read_target(site), names or [], "stop"))


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="Module or connector.")],
    site: SiteOption = Path(),
    destroy_slot: Annotated[  # noqa: FBT002 - typer's flags
        bool,
        typer.Option("--destroy-slot", help="Its offsets, replication slot and publication too."),
    ] = False,
) -> None:
    """Delete a connector; the replication slot stays unless it is to be destroyed."""
    raise typer.Exit(commands.delete(read_target(site), name, destroy_slot=destroy_slot))


@offsets_app.command("show")
def show_offsets(
    names: Names = None,
    site: SiteOption = Path(),
    json: JsonOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Show each connector's committed source offset."""
    raise typer.Exit(commands.offsets(read_target(site), names or [], as_json=json))


@offsets_app.command("export")
def export_offsets(
    module: Annotated[str, typer.Argument(help="The module.")],
    file: Annotated[str, typer.Argument(help="Where to; - for stdout.")],
    site: SiteOption = Path(),
) -> None:
    """Write a connector's source offsets into a file, as `set` reads them."""
    raise typer.Exit(offset_commands.export(read_target(site), module, file))


@offsets_app.command("reset")
def reset_offsets(
    module: Annotated[str, typer.Argument(help="The module.")],
    site: SiteOption = Path(),
    yes: YesOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Forget a stopped connector's offsets, after saying what that means and asking."""
    ask = offset_commands.find_asker()
    raise typer.Exit(offset_commands.reset(read_target(site), module, yes=yes, ask=ask))


@offsets_app.command("set")
def set_offsets(
    module: Annotated[str, typer.Argument(help="The module.")],
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote.")],
    site: SiteOption = Path(),
    yes: YesOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Give a stopped connector the offsets of a file, after saying what that means and asking."""
    ask = offset_commands.find_asker()
    raise typer.Exit(offset_commands.set_offsets(read_target(site), module, file, yes=yes, ask=ask))


app.command("snapshot")(connector_snapshot.snapshot)


def _say(line: str) -> None:
    typer.echo(line, err=True)
