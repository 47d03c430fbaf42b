"""The site's settings: `isthmus.toml`, with `${VAR}` filled from the site's variables.

A variable is taken from the environment, else from the file `site.env` beside `isthmus.toml`, else
from the local stack that was started there.

Enters: a folder. Leaves: a frozen `Settings`; every mistake is a Configuration error that names
file and key. This is the only module that reads the environment.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.health.finding import Limits
from legacy_db.engine_names import ENGINES
from pipeline.errors import Configuration

SITE_FILE = "isthmus.toml"
VARIABLES_FILE = "site.env"
STATE_FOLDER = ".isthmus"
STACK_STATE_FILE = "stack.json"
RECORD_BYTES_MAX = 16 * 1024 * 1024
"""Largest record that every part of the way accepts, unless the site says otherwise."""

SITE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Region:
    """A region: its name and the URL of its store (`postgresql://...`)."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Legacy:
    """The legacy database: reader's and owner's URL, and the schema of its tables."""

    engine: str
    schema: str
    url: str
    owner_url: str


@dataclass(frozen=True, slots=True)
class Care:
    """How closely the connectors are watched; see `connectors.health.finding.Limits`."""

    limits: Limits = field(default_factory=Limits)
    interval_s: int = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """One site. Paths are absolute; `adapters` is an importable package."""

    root: Path
    site: str
    connectors: Path
    adapters: str
    contracts: Path
    store_migrations: Path
    bootstrap_servers: str
    event_partitions: int
    record_bytes_max: int
    connect_url: str
    registry_url: str
    hub_url: str
    legacy: Legacy
    regions: dict[str, Region]
    failpoint: str | None
    care: Care = field(default_factory=Care)

    @property
    def state_folder(self) -> Path:
        """The folder for what this site's processes leave behind (logs, reports, stack)."""
        return self.root / STATE_FOLDER

    def region(self, name: str) -> Region:
        """Return the region of that name; Configuration lists the known ones."""
        if name not in self.regions:
            raise Configuration(
                f"no region {name!r} in {self.root / SITE_FILE}: "
                f"known are {', '.join(self.regions)}"
            )
        return self.regions[name]

    def changes_topic(self, module: str) -> str:
        """Name the change log of a module."""
        return f"{self.site}.{module}.changes"

    def events_topic(self, module: str) -> str:
        """Name the topic of a module's integration events."""
        return f"{self.site}.{module}.events"


def read_stack_variables(root: Path) -> dict[str, str]:
    """Read the variables that the local stack of `root` wrote; {} when there is no stack."""
    path = root / STATE_FOLDER / STACK_STATE_FILE
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Configuration(f"{path} is not JSON ({error}): run `isthmus up` again") from error
    return dict(document.get("variables", {}))


def read_own_variables(root: Path) -> dict[str, str]:
    """Read the variables that are not the local stack's: `site.env`, the environment over it.

    A line of `site.env` is NAME=VALUE, the value as it stands; empty ones and `#` are left out.
    """
    path = root / VARIABLES_FILE
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise Configuration(f"can't read {path}: {error}") from error
    variables: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            match = _ASSIGNMENT.fullmatch(line)
            if match is None:
                raise Configuration(f"{path}, line {number}: must be NAME=VALUE")
            variables[match["name"]] = match["value"]
    return {**variables, **os.environ}


def read_variables(root: Path) -> dict[str, str]:
    """Read what `${VAR}` may refer to: the local stack's variables, the site's own over them."""
    return {**read_stack_variables(root), **read_own_variables(root)}


def read_connectors_folder(site: Path) -> Path:
    """Read only where the declarations of the site in folder `site` are: no variable is needed."""
    root = site.resolve()
    reader = _Reader(root / SITE_FILE, _read_document(root), read_variables(root))
    return root / reader.text("site", "connectors")


def load_settings(site: Path) -> Settings:
    """Load the site in folder `site`; Configuration says which file and key is wrong.

    The site's folder becomes importable: its adapter package may lie there.
    """
    root = site.resolve()
    if str(root) not in sys.path:
        sys.path.append(str(root))
    reader = _Reader(root / SITE_FILE, _read_document(root), read_variables(root))
    return _build_settings(root, reader)


def _read_document(root: Path) -> dict[str, Any]:
    path = root / SITE_FILE
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise Configuration(
            f"no {SITE_FILE} in {root}: run in a site's folder or name one with --site"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Configuration(f"{path} is not TOML: {error}") from error


def _build_settings(root: Path, reader: _Reader) -> Settings:
    reader.refuse_unknown_keys()
    return Settings(
        root=root,
        site=reader.name("site", "name"),
        connectors=root / reader.text("site", "connectors"),
        adapters=reader.text("site", "adapters"),
        contracts=root / reader.text("site", "contracts"),
        store_migrations=root / reader.text("site", "store_migrations"),
        bootstrap_servers=reader.text("kafka", "bootstrap_servers"),
        event_partitions=reader.number("kafka", "event_partitions", default=4),
        record_bytes_max=reader.number("kafka", "record_bytes_max", default=RECORD_BYTES_MAX),
        connect_url=reader.text("connect", "url"),
        registry_url=reader.text("registry", "url"),
        hub_url=reader.text("hub", "url"),
        legacy=Legacy(
            engine=reader.choice("legacy", "engine", ENGINES),
            schema=reader.text("legacy", "schema"),
            url=reader.text("legacy", "url"),
            owner_url=reader.text("legacy", "owner_url"),
        ),
        regions={name: Region(name, url) for name, url in reader.regions().items()},
        failpoint=os.environ.get("ISTHMUS_FAILPOINT") or None,
        care=_build_care(reader),
    )


def _build_care(reader: _Reader) -> Care:
    known = Limits()

    def number(key: str) -> int:
        return reader.number("care", key, default=getattr(known, key))

    limits = Limits(number("slot_bytes_warning"), number("slot_bytes_max"), number("silence_s_max"))
    return Care(limits, reader.number("care", "interval_s", default=Care().interval_s))


class _Reader:
    """Reads typed values out of the parsed file and names the key in every error."""

    KNOWN: dict[str, set[str]] = {  # noqa: RUF012 - a constant table
        "site": {"name", "connectors", "adapters", "contracts", "store_migrations"},
        "kafka": {"bootstrap_servers", "event_partitions", "record_bytes_max"},
        "connect": {"url"},
        "registry": {"url"},
        "hub": {"url"},
        "care": {"slot_bytes_warning", "slot_bytes_max", "silence_s_max", "interval_s"},
        "legacy": {"engine", "schema", "url", "owner_url"},
    }

    def __init__(self, path: Path, document: dict[str, Any], variables: dict[str, str]) -> None:
        self._path = path
        self._document = document
        self._variables = variables

    def refuse_unknown_keys(self) -> None:
        for section, body in self._document.items():
            if section == "regions":
                continue
            if section not in self.KNOWN or not isinstance(body, dict):
                known = ", ".join([*self.KNOWN, "regions"])
                raise Configuration(f"{self._path}: unknown section [{section}]: known are {known}")
            for key in body:
                if key not in self.KNOWN[section]:
                    known = ", ".join(sorted(self.KNOWN[section]))
                    raise Configuration(
                        f"{self._path}: unknown key {key!r} in [{section}]: known are {known}"
                    )

    def text(self, section: str, key: str) -> str:
        value = self._document.get(section, {}).get(key)
        if not isinstance(value, str) or not value:
            raise Configuration(f'{self._path}: [{section}] needs {key} = "..."')
        return self._expand(value, f"[{section}] {key}")

    def name(self, section: str, key: str) -> str:
        value = self.text(section, key)
        if not SITE_NAME.fullmatch(value):
            raise Configuration(
                f"{self._path}: [{section}] {key} = {value!r} must be lower-case letters, digits, "
                "- or _, at most 40, beginning with a letter"
            )
        return value

    def number(self, section: str, key: str, *, default: int) -> int:
        value = self._document.get(section, {}).get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise Configuration(f"{self._path}: [{section}] {key} must be a positive number")
        return value

    def choice(self, section: str, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(section, key)
        if value not in choices:
            raise Configuration(
                f"{self._path}: [{section}] {key} = {value!r} is not one of {', '.join(choices)}"
            )
        return value

    def regions(self) -> dict[str, str]:
        bodies = self._document.get("regions")
        if not isinstance(bodies, dict) or not bodies:
            raise Configuration(f"{self._path}: at least one [regions.NAME] with url is needed")
        urls = {}
        for name, body in bodies.items():
            if not isinstance(body, dict) or not isinstance(body.get("url"), str):
                raise Configuration(
                    f'{self._path}: [regions.{name}] needs url = "postgresql://..."'
                )
            urls[name] = self._expand(body["url"], f"[regions.{name}] url")
        return urls

    def _expand(self, value: str, where: str) -> str:
        def fill(match: re.Match[str]) -> str:
            variable = match.group(1)
            if variable not in self._variables:
                raise Configuration(
                    f"{self._path}: {where} needs ${{{variable}}}, which is neither in the "
                    f"environment nor in {VARIABLES_FILE} nor given by a local stack: set it, or "
                    "run `isthmus up`"
                )
            return self._variables[variable]

        return _VARIABLE.sub(fill, value)
