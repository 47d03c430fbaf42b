"""`isthmus init`: makes a site over a legacy database that is there, ready to be captured.

Enters: the database's URL. Leaves: a folder with all that a site needs; nothing is changed in the
database, which is only asked for its catalogue.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connectors.engines import ENGINES
from connectors.names import ModuleNames
from legacy_db.database import open_legacy_database
from legacy_db.definition import Table
from legacy_db.engine_names import BARRIER_TABLE
from pipeline.errors import Configuration
from pipeline.new_site.address import Address, parse_address
from pipeline.new_site.modules import choose_tables, leave_out, parse_modules
from pipeline.new_site.writer import NewSite, check_names, write_site

REGIONS = ("eu", "us")
"""Those whose stores the local stack has."""
_NEXT = (
    ("up", "# or name servers of your own in site.env"),
    ("connectors preflight", "# what would fail or hurt, and the SQL that mends it"),
    ("connectors apply", ""),
    ("contracts register", ""),
    ("run", "# and, beside it:"),
    ("reconcile", ""),
)
_WORDS_WIDTH = max(len(words) for words, _ in _NEXT) + 4


def init(
    folder: Annotated[Path, typer.Argument(help="The new site's folder: empty or not there.")],
    legacy_url: Annotated[
        str,
        typer.Option(
            envvar="ISTHMUS_LEGACY_OWNER_URL",
            help="postgresql://user:password@host:port/database, or mysql:// for MariaDB.",
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(help="The site's name; else the folder's.", show_default=False)
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(help="The tables' schema; else public, on MariaDB the database."),
    ] = None,
    module: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TABLE,...",
            help="A module and its tables (also ord_*); repeatable. Else one module has all.",
        ),
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="A region; repeatable. Else eu and us.")
    ] = None,
) -> None:
    """Make a site over your own database: declarations, identity adapters, contracts, stores."""
    target = folder.resolve()
    site = name or re.sub(r"[^a-z0-9_-]", "-", target.name.lower())
    regions = tuple(region or REGIONS)
    check_names(target, site, regions)
    modules = parse_modules(module or (), site)
    address = parse_address(legacy_url)
    for one in modules:
        ENGINES[address.engine].check_names(ModuleNames(site, one))
    place = schema or ("public" if address.engine == "postgresql" else address.database)
    tables, left_out = _read_tables(address, legacy_url, place, modules)
    write_site(target, NewSite(site, legacy_url, address, place, tables, regions))
    _tell(folder, site, tables, left_out)
    _warn(address, [one for one in regions if one not in REGIONS])


def _read_tables(
    address: Address, url: str, schema: str, modules: dict[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[Table, ...]], dict[str, str]]:
    """Read the definitions by module, and why tables were left out."""
    if address.engine != "postgresql" and schema != address.database:
        raise Configuration(f"--schema: MariaDB has none beside the database {address.database}")
    with closing(open_legacy_database(address.engine, url)) as database:
        names = [one for one in database.list_tables(schema) if one != BARRIER_TABLE]
        if not names:
            raise Configuration(
                f"there is no table in {schema} of {address.database}: see --schema"
            )
        chosen = choose_tables(modules, names)
        found = database.read_tables(schema, [one for ones in chosen.values() for one in ones])
    left_out = leave_out(found.values())
    tables = {
        one: tuple(found[name] for name in ones if name not in left_out)
        for one, ones in chosen.items()
    }
    if empty := [one for one, ones in tables.items() if not ones]:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(left_out.items()))
        raise Configuration(f"module {', '.join(empty)} has no table to capture: {reasons}")
    return tables, left_out


def _tell(
    folder: Path, site: str, tables: dict[str, tuple[Table, ...]], left_out: dict[str, str]
) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    what = "; ".join(
        f"module {module}: {', '.join(table.name for table in ones)}"
        for module, ones in tables.items()
    )
    console.print(f"made the site {site} in {folder}\n{what}", markup=False)
    for name, why in sorted(left_out.items()):
        console.print(f"left out: {name}: {why}", markup=False)
    console.print("next, in that folder, which holds the password in site.env:", markup=False)
    typer.echo(f"cd {shlex.quote(str(folder))}")
    for words, why in _NEXT:
        typer.echo(f"{_program()} {words:<{_WORDS_WIDTH}}{why}".rstrip())


def _warn(address: Address, regions: list[str]) -> None:
    """Say what is still missing."""
    warnings = [
        f"site.env needs ISTHMUS_STORE_{one.upper()}_URL: the local stack has no store of that name"
        for one in regions
    ]
    if not address.password:
        warnings.append("site.env needs ISTHMUS_CAPTURE_PASSWORD: the URL has no password")
    if address.left_out:
        names = ", ".join(address.left_out)
        warnings.append(
            f"Debezium is not told {names} of the URL: see `config` in the declarations"
        )
    for one in warnings:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"warning: {one}", markup=False)


def _program() -> str:
    """Name the program as the person who called it could from another folder."""
    if shutil.which("isthmus") is not None:
        return "isthmus"
    return shlex.quote(str(Path(sys.argv[0]).absolute()))
