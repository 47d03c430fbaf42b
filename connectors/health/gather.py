"""Gathers the facts of every module: from Connect, the legacy database and the change logs.

Enters: a Target and open connections. Leaves: one `ModuleFacts` per declared module.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from connectors.errors import Unreachable
from connectors.health.binlog_source import read_binlog
from connectors.health.facts import ConnectorFacts, ModuleFacts, Part
from connectors.health.source import read_sources
from connectors.seal import is_edited, is_sealed, open_config
from connectors.target import desired_state, resolve_target
from legacy_db.catalogue import list_tables
from legacy_db.mariadb.definition import list_tables as list_binlog_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from connectors.client import ConnectClient
    from connectors.declaration import Declaration
    from connectors.health.facts import SourceFacts, TranslatorFacts
    from connectors.health.log_end import LogReader
    from connectors.target import Target
    from legacy_db.mariadb.connection import MariaDBConnection


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts are read; of the legacy database one of the two, or none that could be asked."""

    connect: ConnectClient
    logs: LogReader
    owner: psycopg.Connection | None
    binlog: MariaDBConnection | None = None


def gather(
    target: Target,
    sources: Sources,
    translators: Mapping[str, TranslatorFacts] | None = None,
    *,
    offsets: bool = True,
) -> dict[str, ModuleFacts]:
    """Gather the facts of all declared modules as of now.

    For a connector's offset Connect reads a whole topic: `offsets` tells whether it is worth that.
    """
    target = resolve(target, sources)
    names = {module: target.names(module) for module in target.declarations}
    connectors = {
        module: read_connector(sources.connect, one.connector, offset=offsets)
        for module, one in names.items()
    }
    databases: dict[str, SourceFacts] = {}
    if sources.owner is not None:
        databases = read_sources(sources.owner, names.values())
    binlog = None if sources.binlog is None else read_binlog(sources.binlog)
    logs = sources.logs.read_ends([one.changes for one in names.values()])
    desired = desired_state(target)
    now_ms = time.time_ns() // 1_000_000
    known = translators or {}
    return {
        module: ModuleFacts(
            module,
            now_ms,
            connectors[module],
            wanted=desired.connectors[one.connector],
            wanted_publication=desired.publications.get(one.publication),
            source=databases.get(module),
            binlog=binlog,
            log=logs.get(one.changes),
            translator=known.get(module),
        )
        for module, one in names.items()
    }


def resolve(target: Target, sources: Sources) -> Target:
    """Resolve the patterns of the declarations; Unreachable where the database can't be asked."""

    def list_names(declaration: Declaration) -> list[str]:
        if sources.binlog is not None:
            return list_binlog_tables(sources.binlog, declaration.schema)
        if sources.owner is None:
            raise Unreachable(
                f"module {declaration.module!r} is declared with patterns, which only the legacy "
                "database resolves"
            )
        return list_tables(sources.owner, declaration.schema)

    return resolve_target(target, list_names)


def read_connector(client: ConnectClient, name: str, *, offset: bool = True) -> ConnectorFacts:
    """Read a connector's states, config and offset; without parts when Connect has none."""
    config = client.read_config(name)
    if config is None:
        return ConnectorFacts(name)
    status = client.read_status(name)
    facts = ConnectorFacts(
        name,
        _read_parts(status),
        open_config(config),
        edited=is_edited(config),
        sealed=is_sealed(config),
    )
    if not offset:
        return facts
    entries = client.read_offsets(name)
    found = next((entry["offset"] for entry in entries if entry.get("offset")), None)
    return replace(facts, offset=found)


def _read_parts(status: Mapping[str, Any] | None) -> tuple[Part, ...]:
    if status is None:
        return (Part("connector", "UNASSIGNED"),)
    tasks = ((f"task {task['id']}", task) for task in status["tasks"])
    return tuple(
        Part(name, part["state"], str(part.get("trace") or ""))
        for name, part in (("connector", status["connector"]), *tasks)
    )
