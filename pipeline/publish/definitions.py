"""Registers the definitions of the legacy tables, as the hub keeps them, with the schema registry.

Enters: the hub's versions that are not registered yet. Leaves: subjects `<site>.<module>.<table>`.
No event waits for it: a registry that is away is asked again later.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import psycopg
import structlog

from adapters.legacy_schema import COMPATIBILITY, make_legacy_schema, name_subject
from pipeline.connection import open_connection
from pipeline.errors import IsthmusError, Unreachable
from pipeline.hub.definitions import load_versions, mark_registered

if TYPE_CHECKING:
    from pipeline.settings import Settings

REST_SECONDS = 15.0
"""How often the hub is asked for new versions."""

log = structlog.get_logger()


class DefinitionRegistry(Protocol):
    """What is asked of a registry."""

    def register(self, subject: str, text: str, level: str) -> int:
        """Register a schema under a compatibility level and return its id."""
        ...


def register_definitions(settings: Settings, registry: DefinitionRegistry) -> list[str]:
    """Register what is not yet, oldest first, and return the subjects; none without a hub."""
    done = []
    try:
        with open_connection(settings.hub_url, "definitions") as hub:
            row = hub.execute("select to_regclass('hub.definition_version')").fetchone()
            if row is None or row[0] is None:
                return []
            for version in load_versions(hub):
                if version.registered:
                    continue
                subject = name_subject(settings.site, version.module, version.table_name)
                text = make_legacy_schema(
                    settings.site, version.module, version.table, version.position
                )
                registry.register(subject, text, COMPATIBILITY)
                mark_registered(hub, version)
                done.append(subject)
    except psycopg.OperationalError as error:
        raise Unreachable(f"can't reach the hub ({str(error).strip()})") from error
    return done


def keep_registering(
    settings: Settings, registry: DefinitionRegistry, stop: threading.Event
) -> None:
    """Register new versions until `stop`; what fails is tried again."""
    failed = False
    while not stop.is_set():
        try:
            done = register_definitions(settings, registry)
        except IsthmusError as error:
            if not failed:
                log.warning("definitions.not_registered", reason=str(error))
            failed = True
        else:
            failed = False
            if done:
                log.info("definitions.registered", subjects=done)
        stop.wait(REST_SECONDS)
