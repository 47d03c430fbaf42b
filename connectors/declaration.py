"""Declarations: one YAML file per module, strictly parsed.

Enters: a folder of YAML files and the site's variables for `${VAR}`. Leaves: a Declaration per
module. Every mistake is a Configuration error that names file, key and the nearest known key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from connectors.errors import Configuration
from connectors.yaml_file import read_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ENGINES = ("postgresql",)
DAY_MS = 24 * 60 * 60 * 1000

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_REFERENCE = re.compile(r"\$\{[A-Za-z][A-Za-z0-9_-]*:[^{}$]+\}")
_SECRET_KEY = re.compile(
    r"(password|secret|jaas|credential|private.?key|passphrase)", re.IGNORECASE
)
_MODULE = re.compile(r"[a-z][a-z0-9_]{0,29}")
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")

_TEXT_KEYS = ("module", "engine", "host", "database", "user", "password", "schema")
_NEEDED = (*_TEXT_KEYS, "port", "tables")
_HEARTBEAT_KEYS = ("interval_ms", "message_prefix")
_RETENTION_KEYS = ("changes_ms", "events_ms")
_SIGNALS = "signal.data.collection"
_KNOWN = (*_NEEDED, "epoch", "heartbeat", "retention", "config")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How often the connector writes a logical message that moves its slot on, and its prefix."""

    interval_ms: int = 3000
    message_prefix: str = "heartbeat"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the module's topics are kept, in ms."""

    changes_ms: int = 7 * DAY_MS
    events_ms: int = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Declaration:
    """One module's capture; `password` is a reference that Connect resolves, never a password."""

    module: str
    engine: str
    host: str
    port: int
    database: str
    user: str
    password: str
    schema: str
    tables: tuple[str, ...]
    epoch: int = 1
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    retention: Retention = field(default_factory=Retention)
    config: tuple[tuple[str, str], ...] = ()

    @property
    def signal_table(self) -> str | None:
        """The table by which incremental snapshots are asked for, where `config` names one."""
        return dict(self.config).get(_SIGNALS, "").rpartition(".")[2] or None

    @property
    def published(self) -> tuple[str, ...]:
        """The tables whose changes the connector is sent: its own and the signal table."""
        signals = () if self.signal_table is None else (self.signal_table,)
        return tuple(sorted((*self.tables, *signals)))


def load_declarations(folder: Path, variables: Mapping[str, str]) -> dict[str, Declaration]:
    """Load all declarations of `folder`, by module; Configuration says which file and key is wrong.

    `${VAR}` is filled from `variables`, but in secrets, which stay references for Connect.
    """
    declarations: dict[str, Declaration] = {}
    owners: dict[tuple[str, int, str, str, str], str] = {}
    for path in _list_files(folder):
        declaration = parse_declaration(path, read_mapping(path), variables)
        if declaration.module in declarations:
            raise Configuration(f"{path}: module {declaration.module!r} is declared a second time")
        place = (declaration.host, declaration.port, declaration.database, declaration.schema)
        for table in declaration.published:
            owner = owners.setdefault((*place, table), declaration.module)
            if owner != declaration.module:
                raise Configuration(
                    f"{path}: tables: {table!r} belongs to module {owner!r} already: a table is "
                    "captured by one module, or its changes have two orders"
                )
        declarations[declaration.module] = declaration
    return declarations


def known_modules(folder: Path) -> tuple[str, ...]:
    """Name the modules that the files in `folder` declare, without filling any variable."""
    modules = []
    for path in _list_files(folder):
        module = read_mapping(path).get("module")
        if not isinstance(module, str) or not _MODULE.fullmatch(module):
            raise Configuration(f"{path}: module: {module!r} is not a module's name")
        modules.append(module)
    return tuple(modules)


def parse_declaration(
    path: Path, body: Mapping[str, Any], variables: Mapping[str, str]
) -> Declaration:
    """Parse one file's `body`; `path` is only for the messages."""
    parser = _Parser(path, variables)
    parser.refuse_unknown("", body, _KNOWN)
    for key in _NEEDED:
        if key not in body:
            raise Configuration(f"{path}: {key}: is missing")
    texts = {key: parser.text(key, body[key]) for key in _TEXT_KEYS if key != "password"}
    parser.check("module", texts["module"], _MODULE, "lower-case letters, digits and _, 30 at most")
    if texts["engine"] not in ENGINES:
        raise Configuration(f"{path}: engine: {texts['engine']!r} is none of {', '.join(ENGINES)}")
    declaration = Declaration(
        **texts,
        port=parser.number("port", body["port"]),
        password=parser.secret("password", body["password"]),
        tables=parser.tables(body["tables"]),
        epoch=parser.number("epoch", body.get("epoch", 1)),
        heartbeat=Heartbeat(**parser.block("heartbeat", body, _HEARTBEAT_KEYS)),
        retention=Retention(**parser.block("retention", body, _RETENTION_KEYS)),
        config=parser.overrides(body.get("config", {})),
    )
    signals = declaration.signal_table
    expected = f"{declaration.schema}.{signals}"
    named = dict(declaration.config).get(_SIGNALS, expected)
    if signals in declaration.tables or named != expected:
        raise Configuration(
            f"{path}: config.{_SIGNALS}: {named!r} must be a table of schema {declaration.schema}, "
            "written schema.table, that stands nowhere under tables: its rows are Debezium's own"
        )
    return declaration


def _list_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise Configuration(f"no folder {folder} with connector declarations")
    paths = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not paths:
        raise Configuration(f"{folder} holds no connector declaration (*.yaml)")
    return paths


class _Parser:
    """Reads typed values of one file; every error names file and key."""

    def __init__(self, path: Path, variables: Mapping[str, str]) -> None:
        self._path = path
        self._variables = variables

    def refuse_unknown(self, block: str, body: Mapping[str, Any], known: Iterable[str]) -> None:
        known = tuple(known)
        for key in body:
            if key not in known:
                nearest = get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
                raise Configuration(
                    f"{self._path}: unknown key {block}{key}: did you mean {block}{nearest}? "
                    f"(connector properties go under config:; known are {', '.join(known)})"
                )

    def text(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise Configuration(f"{self._path}: {key}: a text is needed, not {value!r}")
        return self._fill(key, value)

    def number(self, key: str, value: Any) -> int:
        if isinstance(value, str):
            filled = self._fill(key, value)
            value = int(filled) if filled.isascii() and filled.isdigit() else filled
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Configuration(f"{self._path}: {key}: a positive number is needed, not {value!r}")
        return value

    def secret(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not _SECRET_REFERENCE.fullmatch(value):
            raise Configuration(
                f"{self._path}: {key}: must be a reference that Connect itself resolves, like "
                "${env:ISTHMUS_CAPTURE_PASSWORD}, and nothing else: what stands here is readable "
                "for everybody over Connect's REST interface"
            )
        return value

    def check(self, key: str, value: str, pattern: re.Pattern[str], rule: str) -> None:
        if not pattern.fullmatch(value):
            raise Configuration(f"{self._path}: {key}: {value!r} must be {rule}")

    def tables(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise Configuration(f"{self._path}: tables: a list of plain table names is needed")
        for name in value:
            if not isinstance(name, str) or not _TABLE.fullmatch(name):
                raise Configuration(
                    f"{self._path}: tables: {name!r} must be a plain table name, without schema"
                )
        double = {name for name in value if value.count(name) > 1}
        if double:
            raise Configuration(f"{self._path}: tables: {', '.join(sorted(double))} stands twice")
        return tuple(sorted(value))

    def block(self, key: str, body: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
        block = body.get(key, {})
        if not isinstance(block, dict):
            raise Configuration(f"{self._path}: {key}: needs keys ({', '.join(known)})")
        self.refuse_unknown(f"{key}.", block, known)
        return {
            name: self.number(f"{key}.{name}", value)
            if name.endswith("_ms")
            else self.text(f"{key}.{name}", value)
            for name, value in block.items()
        }

    def overrides(self, block: Any) -> tuple[tuple[str, str], ...]:
        if not isinstance(block, dict):
            raise Configuration(f"{self._path}: config: needs connector properties (key: value)")
        pairs = []
        for key, value in block.items():
            where = f"config.{key}"
            if isinstance(value, bool):
                pairs.append((key, str(value).lower()))
            elif _SECRET_KEY.search(key):
                pairs.append((key, self.secret(where, value)))
            elif isinstance(value, str | int | float):
                pairs.append((key, self._fill(where, str(value))))
            else:
                raise Configuration(f"{self._path}: {where}: a text, number or boolean is needed")
        return tuple(sorted(pairs))

    def _fill(self, key: str, value: str) -> str:
        def fill(match: re.Match[str]) -> str:
            variable = match.group(1)
            if variable not in self._variables:
                raise Configuration(
                    f"{self._path}: {key}: ${{{variable}}} is neither in the environment nor given "
                    "by a local stack: set it, or run `isthmus up`"
                )
            return self._variables[variable]

        return _VARIABLE.sub(fill, value)
