"""Runs the publishers of a site in one process: a thread, a producer and a hub connection each.

Enters: settings and modules. Leaves: when told to stop, after the batch at hand; or with the first
publisher's error, after the others have stopped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from adapters.registry import SchemaRegistry
from pipeline.hub.migrate import migrate_hub
from pipeline.publish.channel import Channel, ensure_topic
from pipeline.publish.definitions import keep_registering
from pipeline.publish.outbox import Outbox
from pipeline.publish.publisher import Publisher
from pipeline.publish.schema_ids import SchemaIds
from pipeline.settings import Settings


def build_publisher(settings: Settings, module: str) -> Publisher:
    """Build the publisher of a module; nothing is contacted yet."""
    return Publisher(
        module,
        open_outbox=lambda: Outbox(settings.hub_url, module),
        channel=Channel(
            bootstrap_servers=settings.bootstrap_servers,
            topic=settings.events_topic(module),
            transactional_id=f"{settings.site}.{module}.publisher",
            record_bytes_max=settings.record_bytes_max,
        ),
        schema_ids=SchemaIds(SchemaRegistry(settings.registry_url), time.monotonic),
        record_bytes_max=settings.record_bytes_max,
    )


def run_publishers(settings: Settings, modules: Sequence[str], stop: threading.Event) -> None:
    """Publish these modules until `stop`; Unreachable when hub or broker is not there at first.

    Raises the first error of a publisher, which stops the others too.
    """
    migrate_hub(settings.hub_url)
    for module in modules:
        ensure_topic(
            settings.bootstrap_servers,
            settings.events_topic(module),
            partitions=settings.event_partitions,
            record_bytes_max=settings.record_bytes_max,
        )
    with ThreadPoolExecutor(len(modules) + 1, thread_name_prefix="publish") as pool:
        jobs = [pool.submit(build_publisher(settings, module).run, stop) for module in modules]
        registry = SchemaRegistry(settings.registry_url)
        pool.submit(keep_registering, settings, registry, stop)
        wait(jobs, return_when=FIRST_EXCEPTION)
        stop.set()
    for job in jobs:
        job.result()
