"""`isthmus contracts diff`: what a change of a legacy table touches, before it is made or after.

Enters: DDL, or a position or version of the kept definitions. Leaves: what is touched and in which
order to roll out; exit code 1 when something is touched, 0 when nothing, 2 for
a column that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from legacy_db.definition import Table
from legacy_db.table_change import TableChange, compare_tables
from pipeline.cli.options import JsonOption, SiteOption
from pipeline.drift.effects import Effects, find_effects
from pipeline.drift.site import read_landscape, read_versions
from pipeline.drift.unknown_columns import check_columns
from pipeline.errors import Configuration
from pipeline.hub.definitions import DefinitionVersion
from pipeline.settings import Settings, load_settings

EXIT_TOUCHED = 1
_POSITION = re.compile(r"(\d+)/(\d+)")
_VERSION = re.compile(r"([^@]+)@(\d+)")


def diff(
    site: SiteOption = Path(),
    ddl: Annotated[
        str | None, typer.Option(help="The statements that are to be run, e.g. ALTER TABLE ...")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="POSITION|TABLE@VERSION",
            help="Compare with the definitions of then: EPOCH/LSN, or TABLE@VERSION.",
        ),
    ] = None,
    json: JsonOption = False,  # noqa: FBT002 - typer's flags
) -> None:
    """Say which adapters, contracts, projections, suites and regions a legacy change touches."""
    if (ddl is None) == (since is None):
        raise Configuration("give --ddl with the statements, or --since with a position")
    settings = load_settings(site)
    landscape, definitions = read_landscape(settings)
    if ddl is not None:
        from legacy_db.ddl import parse_ddl  # noqa: PLC0415 - its parser takes a while to load

        legacy = settings.legacy
        changes = parse_ddl(ddl, legacy.engine, legacy.schema, definitions.key_names)
        check_columns(changes, definitions.tables)
    else:
        changes = _changes_since(settings, since or "", definitions.tables)
    effects = [find_effects(change, landscape) for change in changes]
    if json:
        document = {
            "definitions": definitions.origin,
            "changes": [_document(one) for one in effects],
        }
        typer.echo(msgspec.json.format(msgspec.json.encode(document)))
    elif not effects:
        typer.echo("nothing of the captured tables changes")
    else:
        typer.echo("\n\n".join(_describe(one) for one in effects))
    if any(one.touched for one in effects):
        raise typer.Exit(EXIT_TOUCHED)


def _changes_since(
    settings: Settings, since: str, tables: Mapping[str, Table]
) -> list[TableChange]:
    before = _definitions_at(read_versions(settings), since)
    return [
        change
        for name, old in sorted(before.items())
        if name in tables
        for change in compare_tables(old, tables[name])
    ]


def _definitions_at(versions: list[DefinitionVersion], since: str) -> dict[str, Table]:
    """Return the definitions that were followed at a position, or one table's of a version."""
    if match := _POSITION.fullmatch(since):
        place = (int(match[1]), int(match[2]))
        found: dict[str, Table] = {}
        for version in versions:  # oldest first; the first one also stands for all before it
            if (version.epoch, version.lsn) <= place or version.table_name not in found:
                found[version.table_name] = version.table
        return found
    if match := _VERSION.fullmatch(since):
        for version in versions:
            if (version.table_name, version.version) == (match[1], int(match[2])):
                return {version.table_name: version.table}
        raise Configuration(
            f"--since: no version {match[2]} of {match[1]}: see isthmus contracts definitions"
        )
    raise Configuration(f"--since: {since!r} is neither EPOCH/LSN nor TABLE@VERSION")


def _document(effects: Effects) -> dict[str, Any]:
    change = asdict(effects.change)
    return {
        "change": {**change, "kind": str(effects.change.kind)},
        "module": effects.module,
        "breaks": effects.breaks,
        "touched": [asdict(one) for one in effects.touched],
        "mirror": effects.mirror,
        "rollout": list(effects.rollout),
    }


def _describe(effects: Effects) -> str:
    change = effects.change
    what = " ".join(
        part
        for part in (
            str(change.kind),
            change.table if change.column is None else f"{change.table}.{change.column}",
            f"to {change.to}" if change.to else "",
            change.type or "",
        )
        if part
    )
    lines = [what if effects.module is None else f"{what} (module {effects.module})"]
    for one in effects.touched:
        fields = f" ({', '.join(one.fields)})" if one.fields else ""
        text = f": {one.text}" if one.text else ""
        lines.append(f"  touches {one.kind} {one.name}{fields}{text}")
    if not effects.touched:
        lines.append("  touches nothing")
    lines.append(f"  mirror: {effects.mirror}")
    lines += [f"  {number}. {step}" for number, step in enumerate(effects.rollout, 1)]
    return "\n".join(lines)
