"""The event store as the publisher sees it: the mark, the rows after it, the schemas' texts.

Enters: a connection to the hub. Leaves: stored events in number order, bounded by rows and bytes.
Every psycopg failure leaves as Retriable, but for a hub without tables (Configuration).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from adapters.event import EventKind, IntegrationEvent
from pipeline.connection import open_connection
from pipeline.errors import Configuration, Fatal, Retriable
from pipeline.publish.batch import StoredEvent

_KINDS = {int(kind): kind for kind in EventKind}
_COLUMNS = """number, kind, id, type, aggregate, subject, sequence, time, source, transaction,
    region, traceparent, fingerprint, payload"""
_BOUNDED = f"""
select {_COLUMNS} from (
    select {_COLUMNS}, sum(coalesce(octet_length(payload), 0)::bigint)
        over (order by number rows between unbounded preceding and 1 preceding) as bytes_before
    from (select * from hub.event where module = %(module)s and number > %(after)s
          and number <= %(last)s order by number limit %(rows)s) as next
) as bounded where coalesce(bytes_before, 0) < %(bytes)s order by number"""
_BY_NUMBERS = f"""select {_COLUMNS} from hub.event
where module = %(module)s and number = any(%(numbers)s) order by number"""


class Outbox:
    """One module's rows of the hub; every method is a transaction of its own."""

    def __init__(self, hub_url: str, module: str) -> None:
        self._module = module
        with _hub_errors(module):
            self._connection = open_connection(
                hub_url, f"publish {module}", "-c timezone=UTC -c statement_timeout=60000"
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read_mark(self) -> int:
        """Return the published-up-to mark, 0 for a module that was never published."""
        with _hub_errors(self._module):
            self._connection.execute(
                "insert into hub.relay (module) values (%s) on conflict do nothing",
                (self._module,),
            )
            return int(self._one("select published_up_to from hub.relay where module = %s") or 0)

    def read_last_number(self) -> int:
        """Return the last number given out in this module, 0 when there is none."""
        with _hub_errors(self._module):
            return int(self._one("select next_number from hub.module where module = %s") or 1) - 1

    def read_after(
        self, mark: int, *, last: int, rows_max: int, bytes_max: int
    ) -> list[StoredEvent]:
        """Read events with mark < number <= last; the last one read may pass `bytes_max`."""
        bounds = {"after": mark, "last": last, "rows": rows_max, "bytes": bytes_max}
        return self._read(_BOUNDED, bounds)

    def read_numbers(self, numbers: Sequence[int]) -> list[StoredEvent]:
        """Read the events with these numbers, in number order."""
        return self._read(_BY_NUMBERS, {"numbers": list(numbers)})

    def read_schema(self, fingerprint: str) -> tuple[str, str]:
        """Return (registry subject, schema text); Fatal when the hub does not have it."""
        with _hub_errors(self._module):
            row = self._connection.execute(
                "select subject, text from hub.schema where fingerprint = %s", (fingerprint,)
            ).fetchone()
        if row is None:
            raise Fatal(
                f"hub.schema has no fingerprint {fingerprint}, which events of {self._module} "
                "carry: restore the hub"
            )
        return str(row[0]), str(row[1])

    def move_mark(self, before: int, after: int) -> bool:
        """Move the mark; False when it was not at `before` any more."""
        with _hub_errors(self._module):
            moved = self._connection.execute(
                "update hub.relay set published_up_to = %s, updated_at = now() "
                "where module = %s and published_up_to = %s",
                (after, self._module, before),
            )
            return moved.rowcount == 1

    def _one(self, query: str) -> Any:
        row = self._connection.execute(query, (self._module,)).fetchone()
        return row[0] if row else None

    def _read(self, query: str, parameters: dict[str, Any]) -> list[StoredEvent]:
        with _hub_errors(self._module), self._connection.cursor(binary=True) as cursor:
            cursor.execute(query, {"module": self._module, **parameters})
            return [_make_stored(row) for row in cursor.fetchall()]


def _make_stored(row: tuple[Any, ...]) -> StoredEvent:
    number, kind, id_, type_, aggregate, subject, sequence, time, source = row[:9]
    return StoredEvent(
        number,
        IntegrationEvent(
            id=id_,
            kind=_KINDS[kind],
            type=type_,
            aggregate=aggregate,
            subject=subject,
            sequence=sequence,
            time=time,
            source=source,
            transaction=row[9],
            region=row[10],
            traceparent=row[11],
            fingerprint=row[12],
            payload=row[13],
        ),
    )


@contextmanager
def _hub_errors(module: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise Configuration(
            f"the hub has no tables for {module} ({error.diag.message_primary}): is [hub] url "
            "right? `isthmus translate` makes them"
        ) from error
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise Retriable(f"the hub did not answer the publisher of {module}: {reason}") from error
