"""Appends events to the store `hub.event`, numbered without gaps per module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from adapters.contract import Contract
    from adapters.event import IntegrationEvent

_COPY = """
copy hub.event (module, number, kind, id, type, aggregate, subject, sequence, time, source,
    transaction, region, traceparent, fingerprint, payload) from stdin
"""


def ensure_partitions(connection: psycopg.Connection[Any]) -> None:
    """Make the store's partitions of today and tomorrow."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select hub.ensure_event_partition(current_date), "
            "hub.ensure_event_partition(current_date + 1)"
        )


def append_events(
    connection: psycopg.Connection[Any],
    module: str,
    first_number: int,
    events: Sequence[IntegrationEvent],
) -> None:
    """Append events under the numbers from `first_number` on, in the caller's transaction."""
    if not events:
        return
    ensure_partitions(connection)
    with connection.cursor() as cursor, cursor.copy(_COPY) as stream:
        for number, event in enumerate(events, first_number):
            stream.write_row(
                (
                    module,
                    number,
                    int(event.kind),
                    event.id,
                    event.type,
                    event.aggregate,
                    event.subject,
                    event.sequence,
                    event.time,
                    event.source,
                    event.transaction,
                    event.region,
                    event.traceparent,
                    event.fingerprint,
                    event.payload,
                )
            )


def keep_schemas(connection: psycopg.Connection[Any], contracts: Iterable[Contract]) -> None:
    """Keep the schemas that stored events were written by: a lost registry then loses nothing."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into hub.schema (fingerprint, type, subject, text) values (%s, %s, %s, %s) "
            "on conflict do nothing",
            [(one.fingerprint, one.type, one.subject, one.text) for one in contracts],
        )


def add_barrier(
    connection: psycopg.Connection[Any],
    module: str,
    barrier: str,
    position: tuple[int, int],
    number: int,
) -> None:
    """Say that the module's mirror holds everything before a barrier."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into hub.barrier (barrier, module, epoch, lsn, number) "
            "values (%s, %s, %s, %s, %s) on conflict do nothing",
            (barrier, module, *position, number),
        )
