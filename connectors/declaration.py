"""Declarations: one YAML file per module, strictly parsed.

Enters: a folder of YAML files and the site's variables for `${VAR}`. Leaves: a Declaration per
module. Every mistake is a Configuration error that names file, key and the nearest known key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.declared_values import NAME, Values
from connectors.engines import ENGINES
from connectors.errors import Configuration
from connectors.tables import refuse_keys_of_others, refuse_shared_tables
from connectors.yaml_file import read_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from connectors.engines.engine import Engine

DAY_MS = 24 * 60 * 60 * 1000

_SECRET = re.compile(r"\$\{env:(\w+)\}")
MODULE_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")

_TEXT_KEYS = ("module", "engine", "host", "database", "user")
_NEEDED = (*_TEXT_KEYS, "password", "port", "tables")
_HEARTBEAT_KEYS = ("interval_ms", "message_prefix")
_RETENTION_KEYS = ("changes_ms", "events_ms")
_SIGNALS = "signal.data.collection"
SNAPSHOT_FILTER = "snapshot.select.statement.overrides"
_OPTIONAL = ("schema", "epoch", "snapshot", "keys", "barrier_table")
_KNOWN = (*_NEEDED, *_OPTIONAL, "heartbeat", "retention", "config")
SNAPSHOTS = ("initial", "no_data")
"""Read every row once and then follow, or only follow: the names are Debezium's."""


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
    """One module's capture; `password` is a reference that Connect resolves, never a password.

    `tables` may hold shell patterns until connectors.tables has resolved them; `keys` are those of
    tables without a primary key; `schema` is the database's name where the engine has no schemas.
    """

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
    snapshot: str = SNAPSHOTS[0]
    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()
    barrier_table: str | None = None

    @property
    def signal_table(self) -> str | None:
        """The table by which incremental snapshots are asked for, where `config` names one."""
        return dict(self.config).get(_SIGNALS, "").rpartition(".")[2] or None

    @property
    def published(self) -> tuple[str, ...]:
        """The tables whose changes the connector is sent: its own and the signal table."""
        signals = () if self.signal_table is None else (self.signal_table,)
        return tuple(sorted((*self.tables, *signals)))

    @property
    def partly_read(self) -> frozenset[str]:
        """The tables of which a snapshot leaves rows out; Debezium reports them complete."""
        if self.snapshot != SNAPSHOTS[0]:
            return frozenset(self.tables)
        named = dict(self.config).get(SNAPSHOT_FILTER, "").split(",")
        return frozenset(one.strip().rpartition(".")[2] for one in named if one.strip())

    @property
    def captured(self) -> tuple[str, ...]:
        """The tables whose rows are told in the change log: its own and the barrier table."""
        barriers = () if self.barrier_table is None else (self.barrier_table,)
        return tuple(sorted((*self.tables, *barriers)))


def load_declarations(folder: Path, variables: Mapping[str, str]) -> dict[str, Declaration]:
    """Load all declarations of `folder`, by module; Configuration says which file and key is wrong.

    `${VAR}` is filled from `variables`, but in secrets, which stay references for Connect.
    """
    declarations: dict[str, Declaration] = {}
    paths: dict[str, Path] = {}
    for path in _list_files(folder):
        declaration = parse_declaration(path, read_mapping(path), variables)
        if declaration.module in declarations:
            raise Configuration(f"{path}: module {declaration.module!r} is declared a second time")
        declarations[declaration.module] = declaration
        paths[declaration.module] = path
    refuse_shared_tables(declarations, paths)
    return declarations


def known_modules(folder: Path) -> tuple[str, ...]:
    """Name the modules that the files in `folder` declare, without filling any variable."""
    modules = []
    for path in _list_files(folder):
        module = read_mapping(path).get("module")
        if not isinstance(module, str) or not MODULE_NAME.fullmatch(module):
            raise Configuration(f"{path}: module: {module!r} is not a module's name")
        modules.append(module)
    return tuple(modules)


def find_file(folder: Path, module: str) -> Path:
    """Give the file that declares a module; Configuration when none does."""
    for path in _list_files(folder):
        if read_mapping(path).get("module") == module:
            return path
    raise Configuration(f"{folder} declares no module {module!r}")


def known_engines(folder: Path) -> tuple[str, ...]:
    """Name the engines that the files in `folder` declare; () where there are no files yet."""
    named = {str(read_mapping(path).get("engine")) for path in _list_files_if_any(folder)}
    return tuple(engine for engine in ENGINES if engine in named)


def known_secrets(folder: Path) -> tuple[str, ...]:
    """Name the variables of Connect's environment that the files in `folder` refer to."""
    named: set[str] = set()
    for path in _list_files_if_any(folder):
        named.update(_SECRET.findall(str(read_mapping(path))))
    return tuple(sorted(named))


def parse_declaration(
    path: Path, body: Mapping[str, Any], variables: Mapping[str, str]
) -> Declaration:
    """Parse one file's `body`; `path` is only for the messages."""
    values = Values(path, variables)
    values.refuse_unknown("", body, _KNOWN)
    for key in _NEEDED:
        if key not in body:
            raise Configuration(f"{path}: {key}: is missing")
    texts = {key: values.text(key, body[key]) for key in _TEXT_KEYS}
    values.check(
        "module", texts["module"], MODULE_NAME, "lower-case letters, digits and _, 30 at most"
    )
    values.choice("engine", texts["engine"], ENGINES)
    engine = ENGINES[texts["engine"]]
    declaration = Declaration(
        **texts,
        port=values.number("port", body["port"]),
        password=values.secret("password", body["password"]),
        schema=_parse_schema(values, engine, body, texts["database"]),
        tables=values.tables(body["tables"]),
        epoch=values.number("epoch", body.get("epoch", 1)),
        heartbeat=_parse_heartbeat(values, engine, body),
        retention=Retention(**values.block("retention", body, _RETENTION_KEYS)),
        config=values.overrides(body.get("config", {})),
        snapshot=values.choice("snapshot", body.get("snapshot", SNAPSHOTS[0]), SNAPSHOTS),
        keys=values.keys(body.get("keys", {})),
        barrier_table=_parse_barrier_table(values, engine, body),
    )
    _refuse_contradictions(path, engine, declaration)
    return declaration


def _parse_schema(values: Values, engine: Engine, body: Mapping[str, Any], database: str) -> str:
    if engine.has_schemas:
        values.refuse_if("schema", wrong="schema" not in body, words="is missing")
        return values.text("schema", body["schema"])
    schema = values.text("schema", body.get("schema", database))
    values.refuse_if(
        "schema", wrong=schema != database, words=f"{engine.name} has none: leave it out"
    )
    return schema


def _parse_heartbeat(values: Values, engine: Engine, body: Mapping[str, Any]) -> Heartbeat:
    block = values.block("heartbeat", body, _HEARTBEAT_KEYS)
    useless = "message_prefix" in block and engine.default_barrier_table is not None
    values.refuse_if(
        "heartbeat.message_prefix",
        wrong=useless,
        words=f"the log of {engine.name} takes no messages",
    )
    return Heartbeat(**block)


def _parse_barrier_table(values: Values, engine: Engine, body: Mapping[str, Any]) -> str | None:
    default = engine.default_barrier_table
    if default is None:
        needless = f"{engine.name} needs none: barriers are messages in its log"
        values.refuse_if("barrier_table", wrong="barrier_table" in body, words=needless)
        return None
    name = values.text("barrier_table", body.get("barrier_table", default))
    values.check("barrier_table", name, NAME, "a plain table name, without schema")
    return name


def _refuse_contradictions(path: Path, engine: Engine, declaration: Declaration) -> None:
    """Refuse what no key alone is wrong about."""
    signals = declaration.signal_table
    expected = engine.signal_name(declaration, signals or "table")
    named = dict(declaration.config).get(_SIGNALS, expected)
    if signals in declaration.tables or named != expected:
        form = engine.signal_name(declaration, "TABLE")
        raise Configuration(
            f"{path}: config.{_SIGNALS}: {named!r} must be a table of schema {declaration.schema}, "
            f"written {form}, that stands nowhere under tables: its rows are Debezium's own"
        )
    barriers = declaration.barrier_table
    if barriers is not None and barriers in (*declaration.tables, signals):
        raise Configuration(
            f"{path}: barrier_table: {barriers!r} must be a table of its own: its rows are barriers"
        )
    try:
        refuse_keys_of_others(declaration)
    except Configuration as error:
        raise Configuration(f"{path}: {error}") from error


def _list_files_if_any(folder: Path) -> list[Path]:
    return _list_files(folder) if folder.is_dir() and any(folder.glob("*.y*ml")) else []


def _list_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise Configuration(f"no folder {folder} with connector declarations")
    paths = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not paths:
        raise Configuration(f"{folder} holds no connector declaration (*.yaml)")
    return paths
