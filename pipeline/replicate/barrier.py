"""Whether a region has passed a barrier, which is in every partition of the events topics.

Enters: a connection to the region's store. Leaves: yes or no, and who is parked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg


def passed_barrier(
    connection: psycopg.Connection[Any], barrier_id: str, partitions: Mapping[str, int]
) -> bool:
    """Tell whether all partitions of every topic (name -> number of them) have the barrier."""
    rows = connection.execute(
        "select topic, count(*) from replication.barrier where barrier = %s group by topic",
        (barrier_id,),
    ).fetchall()
    passed = dict(rows)
    return all(passed.get(topic, 0) >= count for topic, count in partitions.items())


def read_quarantined(
    connection: psycopg.Connection[Any], barrier_id: str | None = None
) -> set[tuple[str | None, str]]:
    """Return the parked (aggregate, subject)s of a store: its own, and those told by a barrier.

    The aggregate is None where a barrier tells nothing but the subject.
    """
    own = connection.execute("select aggregate, subject from replication.quarantined").fetchall()
    told = connection.execute(
        "select distinct unnest(quarantined) from replication.barrier where barrier = %s",
        (barrier_id,),
    ).fetchall()
    return {(aggregate, subject) for aggregate, subject in own} | {(None, one) for (one,) in told}
