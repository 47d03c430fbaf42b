"""The captured tables' definitions as a site's package keeps them: `tables.json`, by module.

Enters: definitions read from the legacy catalogue. Leaves: the same, without the legacy database:
adapters must not change because a column was added there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from adapters.errors import Configuration
from adapters.identity.adapter import IdentityAdapter
from legacy_db.definition import Table

TABLES_FILE = "tables.json"

Tables = Mapping[str, tuple[Table, ...]]
"""The captured tables of each module."""


def load_tables(path: Path) -> dict[str, tuple[Table, ...]]:
    """Load the definitions of a file; Configuration when it is not there or not ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[Table, ...]])
    except FileNotFoundError as error:
        raise Configuration(f"no {path}: make the site's package anew") from error
    except msgspec.MsgspecError as error:
        raise Configuration(f"{path} holds no tables' definitions ({error})") from error


def write_tables(path: Path, tables: Tables) -> None:
    """Write the definitions so that a person can read and compare them."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(tables), indent=1) + b"\n")


def make_adapters(tables: Tables) -> tuple[IdentityAdapter, ...]:
    """Make an adapter for each table; Configuration when two would have the same name."""
    adapters = tuple(
        IdentityAdapter(module, table) for module, ones in tables.items() for table in ones
    )
    _refuse_doubles((one.aggregate, one.root) for one in adapters)
    _refuse_doubles((f"the regions' table {one.root}", one.aggregate) for one in adapters)
    return adapters


def _refuse_doubles(pairs: Iterable[tuple[str, str]]) -> None:
    owners: dict[str, str] = {}
    for name, owner in pairs:
        if name in owners:
            raise Configuration(
                f"{owners[name]} and {owner} would both be {name}: leave one of them out, or "
                "write an adapter for it by hand"
            )
        owners[name] = owner
