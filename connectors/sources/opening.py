"""Opens the legacy database of a site, whichever engine it is.

Enters: the declarations and the owner's URL. Leaves: a Source, or what a declaration wants of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors import database
from connectors.errors import Configuration
from connectors.sources.mariadb import MariaDBSource, want_mariadb
from connectors.sources.postgresql import PostgreSQLSource, want_postgresql
from connectors.sources.source import DatabaseSide
from legacy_db.engine_names import MARIADB_ENGINES
from legacy_db.mariadb.connection import MariaDBConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.declaration import Declaration
    from connectors.names import ModuleNames
    from connectors.sources.source import Source
    from connectors.target import Target


def open_source(target: Target) -> Source:
    """Connect with the owner's rights; all declarations of a site are of one engine."""
    engines = sorted({one.engine for one in target.declarations.values()})
    if len(engines) > 1:
        raise Configuration(
            f"the declarations are of several engines ({', '.join(engines)}): a site has one "
            "legacy database; make a site for each"
        )
    (engine,) = engines
    if engine not in _OPENERS:
        raise Configuration(
            f"engine {engine}: declared and validated only; plan and apply reach "
            f"{', '.join(sorted(_OPENERS))}"
        )
    return _OPENERS[engine](target.owner_url)


def want(declaration: Declaration, names: ModuleNames) -> DatabaseSide:
    """Say what a declaration asks of its database; nothing of an engine that is not reached."""
    wanting = _WANTING.get(declaration.engine)
    return DatabaseSide() if wanting is None else wanting(declaration, names)


def _open_postgresql(url: str) -> Source:
    return PostgreSQLSource(database.connect_owner(url))


def _open_mariadb(url: str) -> Source:
    return MariaDBSource(MariaDBConnection(url))


_OPENERS: dict[str, Callable[[str], Source]] = {
    "postgresql": _open_postgresql,
    **dict.fromkeys(MARIADB_ENGINES, _open_mariadb),
}
_WANTING: dict[str, Callable[[Declaration, ModuleNames], DatabaseSide]] = {
    "postgresql": want_postgresql,
    **dict.fromkeys(MARIADB_ENGINES, want_mariadb),
}
