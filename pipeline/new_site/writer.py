"""Writes a new site: its file, declarations, variables, and a package of identity adapters.

Enters: a folder that is empty or not there, and what the site is made of. Leaves: the whole site,
or nothing; all of it is the user's own from then on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml

from adapters.identity import write_site_package
from legacy_db.definition import Table
from pipeline.errors import Configuration
from pipeline.new_site.address import Address
from pipeline.settings import SITE_FILE, SITE_NAME, VARIABLES_FILE

_REGION = re.compile(r"[a-z][a-z0-9_]{0,29}")

_SITE = Template("""\
# The site $name. $${VAR} is taken from the environment, else from site.env, else from the local
# stack that `isthmus up` started here.

[site]
name = $quoted_name
connectors = "connectors"
adapters = "$package"
contracts = "$package/contracts"
store_migrations = "$package/store_migrations"

[kafka]
bootstrap_servers = "$${ISTHMUS_KAFKA}"
event_partitions = 4

[connect]
url = "$${ISTHMUS_CONNECT_URL}"

[registry]
url = "$${ISTHMUS_REGISTRY_URL}"

[hub]
url = "$${ISTHMUS_HUB_URL}"

[legacy]
engine = "$engine"
schema = $schema
url = "$${ISTHMUS_LEGACY_URL}"
owner_url = "$${ISTHMUS_LEGACY_OWNER_URL}"
""")

_REGION_SECTION = Template("""
[regions.$name]
url = "$${ISTHMUS_STORE_${upper}_URL}"
""")

_DECLARATION = Template("""\
# The change log of the module $module; $${VAR} is filled by Isthmus, $${env:VAR} by Connect.
module: $quoted
engine: $engine
host: $${ISTHMUS_CAPTURE_HOST}
port: $${ISTHMUS_CAPTURE_PORT}
database: $${ISTHMUS_CAPTURE_DATABASE}
user: $${ISTHMUS_CAPTURE_USER}
password: $${env:ISTHMUS_CAPTURE_PASSWORD}
""")

_VARIABLES = Template("""\
# Variables of the site $name, NAME=VALUE, each value as it stands; the environment goes before.
# One role does everything here. Better are three: the owner makes publications and grants, a reader
# compares, and Debezium captures with a role that may replicate and read, nothing more.
ISTHMUS_LEGACY_OWNER_URL=$url
ISTHMUS_LEGACY_URL=$url
# the database as Connect sees it; the password must be in Connect's environment too
ISTHMUS_CAPTURE_HOST=$host
ISTHMUS_CAPTURE_PORT=$port
ISTHMUS_CAPTURE_DATABASE=$database
ISTHMUS_CAPTURE_USER=$user
ISTHMUS_CAPTURE_PASSWORD=$password

# Without these the local stack of `isthmus up` is used.
#ISTHMUS_KAFKA=host:9092
#ISTHMUS_CONNECT_URL=http://host:8083
#ISTHMUS_REGISTRY_URL=http://host:8080/apis/ccompat/v7
#ISTHMUS_HUB_URL=postgresql://user:password@host:5432/hub
$stores""")

_IGNORED = f".isthmus/\n{VARIABLES_FILE}\n__pycache__/\n"


@dataclass(frozen=True, slots=True)
class NewSite:
    """What a site is made of: its name, its legacy database, tables by module, and its regions."""

    name: str
    url: str
    address: Address
    schema: str
    tables: Mapping[str, tuple[Table, ...]]
    regions: tuple[str, ...]

    @property
    def package(self) -> str:
        """The name of the site's package of adapters."""
        return f"{self.name.replace('-', '_')}_site"


def check_names(folder: Path, name: str, regions: tuple[str, ...]) -> None:
    """Refuse names that can't be, and a folder that holds something, before anything is read."""
    if not SITE_NAME.fullmatch(name):
        raise Configuration(
            f"the site's name {name!r} (--name, else the folder's) must be lower-case letters, "
            "digits, - or _, at most 40, beginning with a letter: it is the first part of topics', "
            "slots' and connectors' names"
        )
    for region in regions:
        if not _REGION.fullmatch(region):
            raise Configuration(f"--region {region!r}: must be lower-case letters, digits and _")
    if len(set(regions)) < len(regions):
        raise Configuration(f"--region: one stands twice: {', '.join(regions)}")
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise Configuration(f"can't look into {folder}: {error}") from error
    if taken:
        raise Configuration(f"{folder} is there and not empty: name another folder")


def write_site(folder: Path, site: NewSite) -> None:
    """Write the site into `folder`; Configuration when a table can't be told by the adapters."""
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _write_whole(folder, site)
        except BaseException:
            if made:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as error:
        raise Configuration(f"can't write the site into {folder}: {error}") from error


def _write_whole(folder: Path, site: NewSite) -> None:
    """Write all files aside, in the folder itself, then move them to their places."""
    scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        _write_files(scratch, site)
        for path in sorted(scratch.iterdir(), key=lambda one: one.name == SITE_FILE):
            path.rename(folder / path.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_files(folder: Path, site: NewSite) -> None:
    write_site_package(folder / site.package, site.name, site.tables)
    (folder / SITE_FILE).write_text(_site_file(site), encoding="utf-8")
    (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
    declared = folder / "connectors"
    declared.mkdir()
    for module, tables in site.tables.items():
        text = _declaration(site, module, tables)
        (declared / f"{module}.yaml").write_text(text, encoding="utf-8")
    with os.fdopen(
        os.open(folder / VARIABLES_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
        "w",
        encoding="utf-8",
    ) as file:
        file.write(_variables(site))


def _site_file(site: NewSite) -> str:
    text = _SITE.substitute(
        name=site.name,
        quoted_name=json.dumps(site.name),
        package=site.package,
        engine=site.address.engine,
        schema=json.dumps(site.schema),
    )
    return text + "".join(
        _REGION_SECTION.substitute(name=name, upper=name.upper()) for name in site.regions
    )


def _declaration(site: NewSite, module: str, tables: tuple[Table, ...]) -> str:
    quoted = json.dumps(module)  # `on` would be no text
    text = _DECLARATION.substitute(module=module, quoted=quoted, engine=site.address.engine)
    rest: dict[str, object] = {}
    if site.address.engine == "postgresql":
        rest["schema"] = site.schema
    rest |= {"tables": [table.name for table in tables], "epoch": 1}
    if site.address.config:
        rest["config"] = dict(site.address.config)
    return text + yaml.safe_dump(rest, sort_keys=False, allow_unicode=True)


def _variables(site: NewSite) -> str:
    address = site.address
    stores = "".join(
        f"#ISTHMUS_STORE_{name.upper()}_URL=postgresql://user:password@host:5432/{name}\n"
        for name in site.regions
    )
    return _VARIABLES.substitute(
        name=site.name,
        url=site.url,
        host=address.host,
        port=address.port,
        database=address.database,
        user=address.user,
        password=address.password,
        stores=stores,
    )
