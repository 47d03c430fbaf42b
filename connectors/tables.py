"""Which tables a declaration captures: shell patterns (`ord_*`) resolved against a list of names.

Enters: declarations, and the names of the tables that are there. Leaves: declarations whose tables
are plain names, as connector, publication and mirror need them.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from connectors.errors import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from connectors.declaration import Declaration

_WILD = frozenset("*?[")


def is_pattern(name: str) -> bool:
    """Tell whether a name under `tables` is a shell pattern."""
    return not _WILD.isdisjoint(name)


def resolve_tables(declaration: Declaration, names: Iterable[str]) -> Declaration:
    """Replace the patterns by those of `names` that they match.

    Configuration names a pattern that matches nothing, and keys of tables that are not captured.
    The tables that Isthmus and Debezium write themselves are never matched.
    """
    own = {declaration.barrier_table, declaration.signal_table}
    there = [name for name in names if name not in own]
    tables: set[str] = set()
    for name in declaration.tables:
        found = {one for one in there if fnmatchcase(one, name)} if is_pattern(name) else {name}
        if not found:
            place = declaration.schema
            raise Configuration(
                f"module {declaration.module!r}: tables: {name!r} matches no table of {place} "
                f"(it has {len(there)}): correct the pattern, or grant SELECT on the tables"
            )
        tables |= found
    resolved = replace(declaration, tables=tuple(sorted(tables)))
    refuse_keys_of_others(resolved)
    return resolved


def resolve_declarations(
    declarations: Mapping[str, Declaration], list_names: Callable[[Declaration], Iterable[str]]
) -> dict[str, Declaration]:
    """Resolve the patterns of all declarations; names are only asked for where there are any."""
    resolved = {}
    for module, declaration in declarations.items():
        asked = any(map(is_pattern, declaration.tables))
        names = list_names(declaration) if asked else ()
        resolved[module] = resolve_tables(declaration, names)
    refuse_shared_tables(resolved)
    return resolved


def refuse_shared_tables(
    declarations: Mapping[str, Declaration], paths: Mapping[str, Path] | None = None
) -> None:
    """Refuse a table that two modules capture; `paths` are the files, for the message."""
    owners: dict[tuple[str, int, str, str, str], str] = {}
    for module, one in declarations.items():
        for table in one.published:
            place = (one.host, one.port, one.database, one.schema, table)
            owner = owners.setdefault(place, module)
            if owner != module:
                where = paths[module] if paths else f"module {module!r}"
                raise Configuration(
                    f"{where}: tables: {table!r} belongs to module {owner!r} already: a table is "
                    "captured by one module, or its changes have two orders"
                )


def refuse_keys_of_others(declaration: Declaration) -> None:
    """Refuse `keys` of a table that is not captured; patterns may stand for it."""
    for table, _ in declaration.keys:
        if not any(fnmatchcase(table, name) for name in declaration.tables):
            raise Configuration(
                f"module {declaration.module!r}: keys: {table!r} is none of the captured tables"
            )
