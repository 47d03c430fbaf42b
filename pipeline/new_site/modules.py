"""Divides a legacy database's tables among modules, each of which gets an ordered change log.

Enters: what was asked for (`sales=ord_*,shipmt`), and the definitions of the tables. Leaves: plain
tables by module, and those that can't be captured, with the reason. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from connectors.declaration import MODULE_NAME
from connectors.declared_values import NAME
from legacy_db.definition import Table
from legacy_db.supported_types import find_unsupported
from pipeline.errors import Configuration


def parse_modules(texts: Iterable[str], site: str) -> dict[str, tuple[str, ...]]:
    """Parse NAME=TABLE,TABLE; one module that is named like the site has all when none is given."""
    modules: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, tables = text.partition("=")
        patterns = tuple(one.strip() for one in tables.split(",") if one.strip())
        if not MODULE_NAME.fullmatch(name) or not patterns:
            raise Configuration(
                f"--module {text!r}: must be NAME=TABLE,TABLE: the name of lower-case letters, "
                "digits and _, 30 at most; tables by name or as shell patterns (ord_*)"
            )
        if name in modules:
            raise Configuration(f"--module {name} stands twice: give all of its tables in one")
        modules[name] = patterns
    return modules or {re.sub(r"[^a-z0-9_]", "_", site)[:30]: ("*",)}


def choose_tables(
    modules: Mapping[str, tuple[str, ...]], names: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Give the names that the patterns of each module match.

    Configuration names a pattern that matches nothing, and a table that two modules would have.
    """
    there = sorted(names)
    chosen: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    for module, patterns in modules.items():
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in there):
                raise Configuration(
                    f"--module {module}: {pattern!r} matches no table (there are "
                    f"{', '.join(there) or 'none'})"
                )
        chosen[module] = tuple(
            name for name in there if any(fnmatchcase(name, one) for one in patterns)
        )
        for name in chosen[module]:
            if owners.setdefault(name, module) != module:
                raise Configuration(
                    f"--module {module}: table {name} belongs to module {owners[name]} already"
                )
    return chosen


def leave_out(tables: Iterable[Table]) -> dict[str, str]:
    """Say which of the tables can't be captured as they are, and why."""
    reasons = {}
    for table in tables:
        if not NAME.fullmatch(table.name):
            reasons[table.name] = (
                "its name is not of letters, digits, _, $ and #, beginning with a letter or _"
            )
        elif refused := find_unsupported(table):
            columns = ", ".join(f"{one.column} ({one.type})" for one in refused)
            reasons[table.name] = f"it has columns that can't be mirrored: {columns}"
        elif not table.key:
            reasons[table.name] = "it has no primary key: see `keys` in docs/connectors.md"
    return reasons
