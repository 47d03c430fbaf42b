"""The latency histogram and the headers of records, without any server."""

from __future__ import annotations

import random

import pytest
from replicate_shop import CONTRACTS, ITEM, PROJECTIONS, KnownSchemas, headers

from pipeline.errors import Configuration, Poison
from pipeline.replicate.core import Planner
from pipeline.replicate.latency import bucket_ceiling, find_bucket, summarize
from pipeline.replicate.record import read_barrier, read_envelope


def test_percentiles_are_within_a_bucket_of_the_truth() -> None:
    """The percentiles of the histogram exceed the exact ones by 8 % at most."""
    chance = random.Random(5)  # noqa: S311
    latencies = sorted(chance.lognormvariate(4, 1.5) for _ in range(5000))
    summary = summarize((find_bucket(ms), 1, ms) for ms in latencies)
    for share, measured in ((0.5, summary.ms_p50), (0.95, summary.ms_p95), (0.99, summary.ms_p99)):
        exact = latencies[int(5000 * share) - 1]
        assert exact <= measured <= max(exact * 1.081, 1)
    assert (summary.events, summary.ms_max) == (5000, latencies[-1])


def test_no_events_have_no_latency() -> None:
    """An empty window is summarized as zero events."""
    assert summarize([]).events == 0


@pytest.mark.parametrize("ms", [0, 0.5, 1, 1.01, 2, 1000, 86_400_000])
def test_a_latency_is_not_above_its_bucket(ms: float) -> None:
    """Every latency from a millisecond on is at most the ceiling of its bucket."""
    assert ms <= bucket_ceiling(find_bucket(ms)) * (1 + 1e-12)


@pytest.mark.parametrize("name", ["ce_id", "ce_subject", "ce_sequence", "ce_time", "ce_source"])
def test_a_missing_header_is_named(name: str) -> None:
    """The message says which header is not there."""
    with pytest.raises(Poison, match=name):
        read_envelope({one: value for one, value in headers(ITEM, "a", 1) if one != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_sequence", b"12"),
        ("ce_time", b"yesterday"),
        ("ce_subject", b"\xff"),
        ("ce_subject", b"a\0b"),
        ("ce_subject", b""),
        ("ce_id", None),
    ],
)
def test_a_wrong_header_is_poison(name: str, value: bytes | None) -> None:
    """A header that can't be read makes the record poison, whatever it is."""
    with pytest.raises(Poison, match=name if value != b"\xff" else "UTF-8"):
        read_envelope({**dict(headers(ITEM, "a", 1)), name: value})


@pytest.mark.parametrize(
    "value",
    [None, b"", b"[]", b"{}", b'{"barrier": 1, "module": "m", "position": "p", "partitions": 4}'],
)
def test_what_is_no_barrier_is_poison(value: bytes | None) -> None:
    """A barrier's value that is not the JSON of a barrier is poison."""
    with pytest.raises(Poison):
        read_barrier(value)


def test_a_projection_without_a_contract_is_refused() -> None:
    """A site whose projections do not fit its contracts is told so before anything runs."""
    with pytest.raises(Configuration, match=r"shop\.Order\.v1 has no contract"):
        Planner(PROJECTIONS, {ITEM.type: ITEM}, KnownSchemas())
    with pytest.raises(Configuration, match="two projections of one aggregate"):
        Planner([PROJECTIONS[0], PROJECTIONS[0]], CONTRACTS, KnownSchemas())
