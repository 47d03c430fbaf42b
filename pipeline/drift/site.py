"""Gathers what a change of a legacy table is held against: the site as it is deployed.

Enters: settings. Leaves: a `Landscape`, with every adapter's usage; definitions come from the
legacy database, else from the hub. Rows of the mirror are run through the adapters where there are
some.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import psycopg

from adapters.aggregate import Adapter, AggregateRows, load_adapters
from adapters.contract import load_contracts
from adapters.projection import load_projections
from legacy_db.database import open_legacy_database
from legacy_db.definition import Table
from pipeline.captured_tables import load_captured, load_declared_keys
from pipeline.connection import open_connection
from pipeline.drift.effects import Landscape
from pipeline.drift.usage import Usage, find_usage
from pipeline.errors import Configuration, IsthmusError, Unreachable
from pipeline.hub.definitions import DefinitionVersion, load_definitions, load_versions
from pipeline.quality.suite import load_suites
from pipeline.reconcile.aggregates import AggregateReader
from pipeline.reconcile.connections import connect_hub
from pipeline.settings import Settings
from pipeline.translate.rows import TableCodec

SAMPLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Definitions:
    """The tables' definitions of now, and where they were read.

    `key_names` are those of the primary keys' constraints; the hub does not keep them.
    """

    tables: Mapping[str, Table]
    origin: str
    key_names: Mapping[str, str]


def read_landscape(settings: Settings) -> tuple[Landscape, Definitions]:
    """Read the site; Unreachable when neither legacy database nor hub tell the definitions."""
    captured = {name: one.tables for name, one in load_captured(settings).items()}
    definitions = read_definitions(settings, captured)
    adapters = load_adapters(settings.adapters)
    contracts = load_contracts(settings.contracts)
    codecs = {name: TableCodec(table) for name, table in definitions.tables.items()}
    return (
        Landscape(
            captured=captured,
            types={
                name: {column.name: column.type for column in table.columns}
                for name, table in definitions.tables.items()
            },
            keys={name: table.key for name, table in definitions.tables.items()},
            usages=tuple(_find_usages(settings, adapters, codecs)),
            contracts=contracts,
            projections=load_projections(settings.adapters),
            suites=load_suites(settings.contracts, contracts),
            regions=tuple(settings.regions),
        ),
        definitions,
    )


def read_definitions(settings: Settings, captured: Mapping[str, Iterable[str]]) -> Definitions:
    """Read all captured tables' definitions from the legacy database, else from the hub."""
    names = sorted({name for tables in captured.values() for name in tables})
    legacy = settings.legacy
    try:
        with closing(open_legacy_database(legacy.engine, legacy.url)) as database:
            tables = database.read_tables(legacy.schema, names, load_declared_keys(settings))
            key_names = database.read_key_names(legacy.schema, names)
            return Definitions(tables, "the legacy database", key_names)
    except Unreachable:
        with open_connection(settings.hub_url, "contracts diff") as hub:
            kept = {
                name: table
                for module in captured
                for name, table in load_definitions(hub, module).items()
            }
        if not set(names) <= set(kept):
            raise
        return Definitions({name: kept[name] for name in names}, "the hub", {})


def read_versions(settings: Settings) -> list[DefinitionVersion]:
    """Read every definition that the captured tables had; Configuration when nothing was kept."""
    with connect_hub(settings) as hub:
        return load_versions(hub)


def _find_usages(
    settings: Settings, adapters: Iterable[Adapter], codecs: Mapping[str, TableCodec]
) -> Iterator[Usage]:
    for adapter in adapters:
        others = [one.table for one in adapter.members] + [one.table for one in adapter.lookups]
        tables = (adapter.root, *others)
        absent = [table for table in tables if table not in codecs]
        if absent:
            raise Configuration(
                f"{adapter.aggregate} reads {', '.join(absent)}, which no module declares: correct "
                "the adapter or the declarations"
            )
        own = {table: codecs[table] for table in tables}
        yield find_usage(adapter, own, _sample(settings, adapter, own))


def _sample(
    settings: Settings, adapter: Adapter, codecs: Mapping[str, TableCodec]
) -> list[AggregateRows]:
    """Load a few aggregates from the mirror; none when there is no hub or no mirror yet."""
    try:
        with connect_hub(settings) as hub:
            reader = AggregateReader(hub, adapter)
            keys = next(iter(reader.root_keys(SAMPLE_ROWS)), [])
            return [
                _as_now(rows, adapter, codecs)
                for rows in islice(reader.load(keys).values(), SAMPLE_ROWS)
            ]
    except (IsthmusError, psycopg.Error):
        return []


def _as_now(
    rows: AggregateRows, adapter: Adapter, codecs: Mapping[str, TableCodec]
) -> AggregateRows:
    """Give the mirror's rows the types of the definitions."""

    def convert(table: str, row: object) -> object:
        codec = codecs[table]
        return codec.row_type(*(getattr(row, name, None) for name in codec.attributes.values()))

    return AggregateRows(
        convert(adapter.root, rows.root),
        {table: [convert(table, one) for one in ones] for table, ones in rows.members.items()},
        {
            table: {key: convert(table, one) for key, one in ones.items()}
            for table, ones in rows.lookups.items()
        },
    )
