"""The inbox: makes consumers with side effects in the store do each event exactly once.

Enters: dedup keys (ce_id) in the caller's transaction. Leaves: those that this consumer has not
had yet; they are taken when that transaction commits, together with what it did for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg


class Inbox:
    """The inbox of one consumer; `consumer` is its name, e.g. `domain_event`."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer

    def claim(
        self, connection: psycopg.Connection[Any], event_ids: Sequence[str], now: datetime
    ) -> set[str]:
        """Take events in the open transaction and return those that are new to this consumer."""
        rows = connection.execute(
            "insert into replication.inbox (consumer, event_id, received_at)"
            " select %s, unnest(%s::text[]), %s on conflict do nothing returning event_id",
            (self.consumer, list(event_ids), now),
        ).fetchall()
        return {event_id for (event_id,) in rows}
