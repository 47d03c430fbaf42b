"""The site's declarations with plain table names: patterns resolved against the legacy database.

Enters: settings. Leaves: declarations as the translators and the reconciliation need them. When
the legacy database is out of reach, the tables that the hub's mirror follows are taken instead.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import structlog

from connectors.declaration import load_declarations
from connectors.tables import resolve_declarations
from legacy_db.database import open_legacy_database
from pipeline.connection import open_connection
from pipeline.errors import Configuration, Unreachable
from pipeline.hub.definitions import load_definitions
from pipeline.settings import read_variables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.declaration import Declaration
    from pipeline.settings import Settings

log = structlog.get_logger()


def load_captured(settings: Settings, modules: Iterable[str] = ()) -> dict[str, Declaration]:
    """Load the declarations of the modules, of all where none is named, and resolve their patterns.

    The legacy database is only asked where there is a pattern. Configuration when a module is of
    another engine than the site's legacy database.
    """
    declared = load_declarations(settings.connectors, read_variables(settings.root))
    wanted = {name: declared[name] for name in tuple(modules) or declared}
    for declaration in wanted.values():
        if declaration.engine != settings.legacy.engine:
            raise Configuration(
                f"module {declaration.module!r} is declared with engine: {declaration.engine}, but "
                f"the site's [legacy] engine is {settings.legacy.engine}: one of them is wrong"
            )
    return resolve_declarations(wanted, lambda one: _list_names(settings, one))


def load_declared_keys(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Load the declared keys of all modules' tables: a module may look up another one's tables."""
    declared = load_declarations(settings.connectors, read_variables(settings.root))
    return {table: key for one in declared.values() for table, key in one.keys}


def load_left_out(settings: Settings) -> tuple[re.Pattern[str], ...]:
    """Load the patterns of the columns that the connectors of any module leave out."""
    declared = load_declarations(settings.connectors, read_variables(settings.root))
    return tuple(
        re.compile(pattern.strip(), re.IGNORECASE)
        for one in declared.values()
        for pattern in dict(one.config).get("column.exclude.list", "").split(",")
        if pattern.strip()
    )


def _list_names(settings: Settings, declaration: Declaration) -> list[str]:
    legacy = settings.legacy
    try:
        with closing(open_legacy_database(legacy.engine, legacy.url)) as database:
            return database.list_tables(declaration.schema)
    except Unreachable as error:
        with open_connection(settings.hub_url, f"tables of {declaration.module}") as hub:
            kept = sorted(load_definitions(hub, declaration.module))
        if not kept:
            raise
        log.warning("legacy unreachable", module=declaration.module, error=str(error))
        return kept
