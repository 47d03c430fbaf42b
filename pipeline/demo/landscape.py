"""Makes what the demo runs on: databases filled and migrated, contracts and connectors in place.

Enters: settings of a site whose local stack is up. Leaves: everything ready for our processes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from adapters.contract import load_contracts
from adapters.contract_check import register_contracts
from adapters.registry import SchemaRegistry
from connectors.apply import apply_site, open_servers
from connectors.declaration import load_declarations
from connectors.target import Target
from legacy_db.retail.migrations import migrate
from legacy_db.retail.seed import seed
from pipeline.hub.migrate import migrate_hub
from pipeline.replicate.migrate import migrate_store
from pipeline.settings import Settings, read_variables

Tell = Callable[[str], None]


def make_legacy(settings: Settings, *, orders: int, seed_number: int, tell: Tell) -> None:
    """Migrate the empty legacy database and fill it."""
    tell("migrating the schema")
    migrate(settings.legacy.owner_url, settings.legacy.schema)
    tell(f"writing {orders:,} orders by COPY")
    rows = seed(settings.legacy.owner_url, orders, seed_number, schema=settings.legacy.schema)
    tell(f"{sum(rows.values()):,} rows in {len(rows)} tables")


def migrate_targets(settings: Settings, tell: Tell) -> None:
    """Migrate the hub and the stores of all regions."""
    tell("the hub")
    migrate_hub(settings.hub_url)
    for region in settings.regions.values():
        tell(f"the store of {region.name}")
        migrate_store(region.url, settings.store_migrations)
    tell(f"the hub and the stores of {', '.join(settings.regions)}")


def register_site_contracts(settings: Settings, tell: Tell) -> None:
    """Register every contract."""
    with closing(SchemaRegistry(settings.registry_url)) as registry:
        ids = register_contracts(registry, load_contracts(settings.contracts).values())
    tell(f"{len(ids)} contracts under BACKWARD_TRANSITIVE")


def apply_connectors(settings: Settings, tell: Tell) -> list[str]:
    """Apply the declared connectors, wait until they run, and return their modules."""
    target = Target(
        site=settings.site,
        declarations=load_declarations(settings.connectors, read_variables(settings.root)),
        connect_url=settings.connect_url,
        bootstrap_servers=settings.bootstrap_servers,
        owner_url=settings.legacy.owner_url,
        event_partitions=settings.event_partitions,
        record_bytes_max=settings.record_bytes_max,
    )
    with open_servers(target) as servers:
        apply_site(target, servers, report=tell)
    modules = list(target.declarations)
    tell(f"{', '.join(modules)} run")
    return modules
