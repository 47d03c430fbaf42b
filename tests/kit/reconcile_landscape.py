"""A site whose legacy database, mirror and stores are filled and alike, without a running pipeline.

Enters: a test's site. Leaves: a `Landscape`. Its courier thread
does what translators and replicators do with a barrier: it reads the barrier from the legacy
database's log and notes that modules and regions passed it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from retail_region_queries import REGION_QUERIES

from connectors.declaration import load_declarations
from legacy_db.definition import read_tables
from legacy_db.retail.migrations import migrate
from legacy_db.retail.seed import seed
from legacy_db.retail.tables import MODULE_TABLES
from pipeline.hub.migrate import migrate_hub
from pipeline.reconcile.options import Options
from pipeline.replicate.migrate import migrate_store
from pipeline.settings import Settings, load_settings, read_variables
from pipeline.translate.mirror_table import follow_table

ORDERS = 200
POLL_SECONDS = 0.02
_BARRIER_ID = re.compile(rb'\{"id": "([0-9a-f-]{36})"\}')


@dataclass
class Courier:
    """Passes barriers on; `idle_modules` and `idle_regions` don't."""

    legacy_url: str
    settings: Settings
    modules: tuple[str, ...]
    idle_modules: set[str] = field(default_factory=set)
    idle_regions: set[str] = field(default_factory=set)
    before_passing: Callable[[], None] = lambda: None
    passed: int = 0

    def run(self, stop: threading.Event) -> None:
        """Pass barriers on until `stop`."""
        with psycopg.connect(self.legacy_url, autocommit=True) as legacy:
            while not stop.wait(POLL_SECONDS):
                rows = legacy.execute(
                    "select data from pg_logical_slot_get_binary_changes('courier', null, null,"
                    " 'proto_version', '1', 'publication_names', 'courier', 'messages', 'true')"
                ).fetchall()
                for found in (_BARRIER_ID.search(bytes(data)) for (data,) in rows):
                    if found:
                        self.passed += 1
                        self.before_passing()
                        self._pass(found.group(1).decode())

    def _pass(self, barrier: str) -> None:
        modules = [module for module in self.modules if module not in self.idle_modules]
        with psycopg.connect(self.settings.hub_url) as hub:
            for module in modules:
                hub.execute(
                    "insert into hub.barrier (barrier, module, epoch, lsn, number)"
                    " values (%s, %s, 1, %s, %s)",
                    (barrier, module, 1000 + self.passed, self.passed),
                )
        for name, region in self.settings.regions.items():
            if name in self.idle_regions:
                continue
            with psycopg.connect(region.url) as store:
                for module in modules:
                    store.execute(
                        "insert into replication.barrier select %s, %s, n, %s, 'x', '{}', now()"
                        " from generate_series(0, %s - 1) n",
                        (
                            barrier,
                            self.settings.events_topic(module),
                            module,
                            self.settings.event_partitions,
                        ),
                    )


@dataclass
class Landscape:
    """The databases of a site that is in sync."""

    folder: Path
    settings: Settings
    variables: dict[str, str]
    courier: Courier
    options: Options = field(default_factory=lambda: Options(timeout_s=20, rows_per_chunk=64))

    def legacy(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the legacy database's owner."""
        return run(self.settings.legacy.owner_url, statement, *parameters)

    def hub(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement in the hub."""
        return run(self.settings.hub_url, statement, *parameters)

    def store(self, region: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement in a region's store."""
        return run(self.settings.region(region).url, statement, *parameters)


def run(url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement in a transaction of its own; return its rows, if any."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def open_landscape(folder: Path, variables: dict[str, str]) -> Iterator[Landscape]:
    """Migrate a site's databases, with the courier at work; end it behind. `reset` fills them."""
    settings = load_settings(folder)
    declarations = load_declarations(settings.connectors, read_variables(settings.root))
    migrate(settings.legacy.owner_url)
    migrate_hub(settings.hub_url)
    for region in settings.regions.values():
        migrate_store(region.url, settings.store_migrations)
    legacy_url = _as_admin(variables)
    with psycopg.connect(legacy_url, autocommit=True) as legacy:
        legacy.execute("create publication courier")
        legacy.execute("select pg_create_logical_replication_slot('courier', 'pgoutput')")
    courier = Courier(legacy_url, settings, tuple(declarations))
    stop = threading.Event()
    thread = threading.Thread(target=courier.run, args=(stop,))
    thread.start()
    try:
        yield Landscape(folder, settings, variables, courier)
    finally:
        stop.set()
        thread.join()
        with psycopg.connect(legacy_url, autocommit=True) as legacy:
            legacy.execute("select pg_drop_replication_slot('courier')")


def reset(landscape: Landscape) -> None:
    """Fill legacy database, mirror and stores anew, and let the courier pass everything on."""
    settings, courier = landscape.settings, landscape.courier
    courier.idle_modules, courier.idle_regions = set(), set()
    courier.before_passing, courier.passed = lambda: None, 0
    tables = [name for names in MODULE_TABLES.values() for name in names]
    landscape.legacy(f"truncate {', '.join(f'erp.{name}' for name in tables)}")
    landscape.legacy("delete from erp.num_tab where num_cd <> 'SESSION'")
    seed(settings.legacy.owner_url, ORDERS, customers=80, items=40)
    landscape.hub("drop schema mirror cascade")
    landscape.hub("create schema mirror")
    landscape.hub("truncate hub.dead_letter, hub.emission, hub.barrier, hub.module, hub.relay")
    declarations = load_declarations(settings.connectors, read_variables(settings.root))
    fill_mirror(settings, [name for one in declarations.values() for name in one.tables])
    for name, region in settings.regions.items():
        landscape.store(
            name,
            f"truncate {', '.join(REGION_QUERIES)}, replication.dead_letter, replication.barrier,"
            " replication.aggregate, replication.latency",
        )
        fill_store(settings, region.url)


def fill_mirror(settings: Settings, names: list[str]) -> None:
    """Copy legacy tables into the mirror as they are."""
    with (
        psycopg.connect(settings.legacy.owner_url) as legacy,
        psycopg.connect(settings.hub_url) as hub,
    ):
        for table in read_tables(legacy, settings.legacy.schema, names).values():
            follow_table(hub, table, [])
            columns = sql.SQL(", ").join(sql.Identifier(one.name) for one in table.columns)
            source = sql.SQL("select {} from {}").format(
                columns, sql.Identifier(table.schema, table.name)
            )
            copy_rows(
                legacy, source, hub, sql.SQL("mirror.{} ({})").format(
                    sql.Identifier(table.name), columns
                ),
            )  # fmt: skip


def fill_store(settings: Settings, url: str) -> None:
    """Fill a region's tables by the hand-written queries over the legacy tables."""
    with (
        psycopg.connect(settings.legacy.owner_url) as legacy,
        psycopg.connect(url) as store,
    ):
        for name, query in REGION_QUERIES.items():
            copy_rows(legacy, sql.SQL(query), store, sql.Identifier(name))


def copy_rows(
    source: psycopg.Connection[Any],
    query: sql.Composable,
    target: psycopg.Connection[Any],
    table: sql.Composable,
) -> None:
    """Copy what a query gives into a table of another database."""
    out = sql.SQL("copy ({}) to stdout").format(query)
    into = sql.SQL("copy {} from stdin").format(table)
    with source.cursor().copy(out) as read, target.cursor().copy(into) as write:
        for block in read:
            write.write(block)


def _as_admin(variables: dict[str, str]) -> str:
    database = variables["ISTHMUS_LEGACY_OWNER_URL"].rsplit("/", 1)[1]
    return f"{variables['ISTHMUS_POSTGRES_ADMIN_URL'].rsplit('/', 1)[0]}/{database}"
