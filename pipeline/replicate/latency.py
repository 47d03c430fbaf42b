"""Latency from the commit at the source to the commit in the store, as a histogram per minute.

Enters: milliseconds, counted in buckets that grow by a ninth of a doubling. Leaves: percentiles
over any window of minutes, too high by 8 % at most; the maximum is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

BUCKETS_PER_DOUBLING = 9


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Percentiles of `events` events, in milliseconds; all 0.0 when there were none."""

    events: int
    ms_p50: float
    ms_p95: float
    ms_p99: float
    ms_max: float


def find_bucket(ms: float) -> int:
    """Return the bucket of a latency; below one millisecond (or clocks that disagree) it is 0."""
    return 0 if ms <= 1 else math.ceil(math.log2(ms) * BUCKETS_PER_DOUBLING)


def bucket_ceiling(bucket: int) -> float:
    """Return the highest latency of a bucket, in milliseconds."""
    return float(2 ** (bucket / BUCKETS_PER_DOUBLING))


def summarize(buckets: Iterable[tuple[int, int, float]]) -> LatencySummary:
    """Summarize (bucket, events, highest ms) triples, in any order."""
    rows = sorted(buckets)
    events = sum(count for _, count, _ in rows)
    if not events:
        return LatencySummary(0, 0.0, 0.0, 0.0, 0.0)
    highest = max(ms for _, _, ms in rows)

    def percentile(share: float) -> float:
        left = math.ceil(events * share)
        for bucket, count, _ in rows:
            left -= count
            if left <= 0:
                return min(bucket_ceiling(bucket), highest)
        return highest

    return LatencySummary(events, percentile(0.5), percentile(0.95), percentile(0.99), highest)


def read_latency(
    connection: psycopg.Connection[Any], since: datetime, until: datetime
) -> LatencySummary:
    """Summarize the events that were stored in the minutes that begin in [since, until)."""
    rows = connection.execute(
        "select bucket, sum(events)::bigint, max(ms_max) from replication.latency"
        " where minute >= date_trunc('minute', %s::timestamptz) and minute < %s group by bucket",
        (since, until),
    ).fetchall()
    return summarize(rows)
