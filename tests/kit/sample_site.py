"""A site over a database that others made, with identity adapters: Northwind or Chinook.

Enters: a script of SQL, declarations written by hand, and a folder whose stack is up. Leaves:
the database filled, and a site whose adapters, contracts and store are made from its catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psycopg

from adapters.identity import write_site_package
from legacy_db.database import open_legacy_database
from pipeline.captured_tables import load_captured, load_declared_keys
from pipeline.settings import SITE_FILE, load_settings

SCRIPTS = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where the scripts lie that are not ours to carry: beside the project."""
SCHEMA = "erp"
_OF_PSQL = re.compile(r"(?m)^(\\.*|(CREATE|DROP) DATABASE .*)$")
_SERVER = """\
engine: postgresql
host: ${ISTHMUS_CAPTURE_HOST}
port: ${ISTHMUS_CAPTURE_PORT}
database: ${ISTHMUS_CAPTURE_DATABASE}
user: ${ISTHMUS_CAPTURE_USER}
password: ${env:ISTHMUS_CAPTURE_PASSWORD}
schema: erp
"""


@dataclass(frozen=True, slots=True)
class SampleDatabase:
    """A database: its script's name, and the tables that each module captures, as YAML.

    With `followed` there is no snapshot; `changed` are statements that change the tables once they
    are made, and `keys` what a declaration says of those that lost their key, by module.
    """

    name: str
    tables: Mapping[str, str]
    followed: bool = False
    changed: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def script(self) -> Path:
        """The script that makes and fills it."""
        return SCRIPTS / f"{self.name}-postgresql.sql"

    def read_script(self) -> tuple[str, str]:
        """Read what makes the tables, and what fills them."""
        text = _OF_PSQL.sub("", self.script.read_text(encoding="utf-8"))
        made, insert, filled = text.partition("INSERT INTO")
        return ";".join([made, *self.changed]), insert + filled


NORTHWIND = SampleDatabase(
    "northwind",
    MappingProxyType(
        {
            "sales": "[orders, order_details, customer*, shippers]",
            "catalog": "[categories, products, suppliers]",
            "staff": "['employee*', territories, region, us_states]",
        }
    ),
)
CHINOOK = SampleDatabase(
    "chinook",
    MappingProxyType(
        {
            "music": "[album, artist, genre, media_type, 'playlist*', track]",
            "shop": "['invoice*', customer, employee]",
        }
    ),
)


KEYLESS = SampleDatabase(
    "chinook",
    CHINOOK.tables,
    followed=True,
    changed=(
        "alter table playlist_track drop constraint playlist_track_pkey",
        "alter table playlist_track replica identity full",
    ),
    keys=MappingProxyType({"music": "{playlist_track: [playlist_id, track_id]}"}),
)
"""Chinook, followed from its first row on; one table has lost its key, which is declared."""


def run_script(script: str, owner_url: str) -> None:
    """Run a script as the owner, within the schema that the capture role may be let into."""
    with psycopg.connect(owner_url, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute(script.encode())


def write_declarations(sample: SampleDatabase, folder: Path) -> None:
    """Write one declaration per module."""
    folder.mkdir()
    for module, tables in sample.tables.items():
        text = f"module: {module}\n{_SERVER}tables: {tables}\n"
        text += "snapshot: no_data\n" if sample.followed else ""
        text += f"keys: {sample.keys[module]}\n" if module in sample.keys else ""
        (folder / f"{module}.yaml").write_text(text)


def write_site_file(sample: SampleDatabase, folder: Path) -> None:
    """Turn the retail site's file into the sample's, with one region."""
    package = f"{sample.name}_site"
    path = folder / SITE_FILE
    text = path.read_text()
    for key, value in (
        ("connectors", "connectors"),
        ("adapters", package),
        ("contracts", f"{package}/contracts"),
        ("store_migrations", f"{package}/store_migrations"),
    ):
        text = re.sub(rf'(?m)^{key} = ".*"', f'{key} = "{value}"', text)
    path.write_text(text.partition("[regions.us]")[0])


def write_package(sample: SampleDatabase, folder: Path) -> None:
    """Write the site's package from the catalogue's definitions of the captured tables."""
    settings = load_settings(folder)
    legacy, keys = settings.legacy, load_declared_keys(settings)
    with closing(open_legacy_database(legacy.engine, legacy.url)) as database:
        tables = {
            module: tuple(database.read_tables(one.schema, one.tables, keys).values())
            for module, one in load_captured(settings).items()
        }
    write_site_package(folder / f"{sample.name}_site", settings.site, tables)
