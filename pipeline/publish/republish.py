"""Sends old events once more, with the same ids; the published-up-to mark stays where it is.

Enters: a module and numbers of its event store. Leaves: copies in its topic, behind newer events,
which a consumer must tell by sequence or id. Barriers are left out: they are said once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing

from adapters.event import EventKind
from adapters.registry import SchemaRegistry
from pipeline.publish.batch import plan_records
from pipeline.publish.channel import Channel
from pipeline.publish.outbox import Outbox
from pipeline.publish.schema_ids import SchemaIds
from pipeline.settings import Settings

CHUNK_ROWS = 100
"""Events held in memory at a time: each may be as large as a record may."""


def republish(settings: Settings, module: str, numbers: Sequence[int]) -> int:
    """Send the events with these numbers once more, in number order; return how many were sent.

    Numbers that are not (or no longer) in the store, or are barriers, are passed over. Retriable
    when a server does not answer; what was sent before stays sent, and to repeat is harmless.
    """
    channel = Channel(
        bootstrap_servers=settings.bootstrap_servers,
        topic=settings.events_topic(module),
        transactional_id=f"{settings.site}.{module}.republisher",
        record_bytes_max=settings.record_bytes_max,
    )
    schema_ids = SchemaIds(SchemaRegistry(settings.registry_url), time.monotonic)
    wanted = sorted(set(numbers))
    sent = 0
    with closing(Outbox(settings.hub_url, module)) as outbox, closing(channel), closing(schema_ids):
        for start in range(0, len(wanted), CHUNK_ROWS):
            stored = outbox.read_numbers(wanted[start : start + CHUNK_ROWS])
            events = [one for one in stored if one.event.kind is not EventKind.BARRIER]
            used = {one.event.fingerprint for one in events}
            records = plan_records(
                module,
                events,
                schema_ids=schema_ids.resolve(
                    [one for one in used if one is not None], outbox.read_schema
                ),
                partitions=0,
                record_bytes_max=settings.record_bytes_max,
            )
            channel.send(records, lambda: None)
            sent += len(records)
    return sent
