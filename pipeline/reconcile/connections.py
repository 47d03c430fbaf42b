"""Connections of a reconciliation: the legacy database, the hub, the regions' stores.

Enters: the settings. Leaves: autocommit connections whose values print the same on every server;
Unreachable names the database that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from connectors.declaration import load_declarations
from legacy_db.database import LegacyDatabase, open_legacy_database
from pipeline.errors import Configuration, Unreachable
from pipeline.settings import Settings, read_variables

Connection = psycopg.Connection[Any]

_OUTPUT_FORMATS = (
    "-c DateStyle=ISO,YMD -c TimeZone=UTC -c IntervalStyle=postgres"
    " -c extra_float_digits=1 -c bytea_output=hex"
)
"""What the text of a value depends on; as legacy_db.row_hash sets it."""

CONNECT_SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Connections:
    """All databases that take part; `stores` by region.

    A store that no replicator has migrated yet is not among them: it has nothing to compare.
    """

    legacy: LegacyDatabase
    hub: Connection
    stores: dict[str, Connection]


def connect(url: str, what: str, setting: str) -> Connection:
    """Connect to the database at `url`; Unreachable says `what` and `setting`."""
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            options=_OUTPUT_FORMATS,
            connect_timeout=CONNECT_SECONDS_MAX,
            application_name="isthmus reconcile",
        )
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"can't reach {what} ({explain(error)}): is it running, and is {setting} right?"
        ) from error


@contextmanager
def open_connections(settings: Settings, regions: Iterable[str]) -> Iterator[Connections]:
    """Connect to the legacy database, the hub and the stores of `regions`; close all behind it.

    Configuration when the hub has no tables: nothing was ever translated.
    """
    with ExitStack() as stack:
        legacy = stack.enter_context(closing(open_legacy(settings)))
        hub = stack.enter_context(connect_hub(settings))
        stores = {}
        for name in regions:
            store = stack.enter_context(connect_store(settings, name))
            if has_table(store, "replication.barrier"):
                stores[name] = store
        yield Connections(legacy, hub, stores)


def open_legacy(settings: Settings) -> LegacyDatabase:
    """Connect to the legacy database; a barrier goes into the barrier tables of all modules."""
    declared = load_declarations(settings.connectors, read_variables(settings.root))
    tables = {one.barrier_table for one in declared.values() if one.barrier_table is not None}
    return open_legacy_database(settings.legacy.engine, settings.legacy.url, barrier_tables=tables)


def connect_hub(settings: Settings) -> Connection:
    """Connect to the hub; Configuration when it has no tables: nothing was ever translated."""
    hub = connect(settings.hub_url, "the hub's database", "[hub] url")
    if not has_table(hub, "hub.module"):
        hub.close()
        raise Configuration(
            "the hub has no tables yet: start the pipeline first (isthmus run, or isthmus "
            "translate), or correct [hub] url"
        )
    return hub


def connect_store(settings: Settings, region: str) -> Connection:
    """Connect to a region's store; Configuration when there is no such region."""
    return connect(
        settings.region(region).url, f"the store of region {region}", f"[regions.{region}] url"
    )


def has_table(connection: Connection, name: str) -> bool:
    """Tell whether a table of that qualified name is there."""
    row = connection.execute("select to_regclass(%s) is not null", (name,)).fetchone()
    return row is not None and bool(row[0])


def explain(error: Exception) -> str:
    """Return the first line of what an error says, e.g. without a statement's position."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
