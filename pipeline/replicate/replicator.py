"""Makes the replicator of a region.

Enters: settings, and what the site's adapter package says. Leaves: a `Replicator` ready to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adapters.contract import Contract
from adapters.projection import Projection
from adapters.registry import SchemaRegistry
from pipeline.replicate.consumer import EventsConsumer
from pipeline.replicate.core import Planner
from pipeline.replicate.loop import Replicator, Store
from pipeline.replicate.store import PostgresStore
from pipeline.replicate.threads import Lock
from pipeline.settings import Settings


def make_replicator(
    settings: Settings,
    region: str,
    *,
    modules: Iterable[str],
    projections: Sequence[Projection],
    contracts: Mapping[str, Contract],
) -> Replicator:
    """Make the replicator of a region for the events of `modules`; nothing is contacted yet."""
    store_url = settings.region(region).url
    topics = [settings.events_topic(module) for module in sorted(set(modules))]

    def open_consumer(store: Store, handover: Lock) -> EventsConsumer:
        return EventsConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            group=f"{settings.site}.{region}",
            topics=topics,
            take_over=store.take_over,
            handover=handover,
            record_bytes_max=settings.record_bytes_max,
        )

    return Replicator(
        region,
        planner=Planner(projections, contracts, SchemaRegistry(settings.registry_url)),
        open_store=lambda: PostgresStore(store_url, projections),
        open_consumer=open_consumer,
    )
