"""What the clerks do is decided by the seed; how fast, by the token bucket."""

from __future__ import annotations

from itertools import islice

import pytest

from legacy_db.retail.workload import _TRANSACTIONS
from legacy_db.retail.workload_plan import (
    FIRST_BATCH,
    WEIGHTS,
    Kind,
    TokenBucket,
    plan_operations,
)


def test_the_same_seed_plans_the_same_operations() -> None:
    """A client's operations follow from the seed and the client's number alone."""
    first = list(islice(plan_operations(7, 2), 500))
    assert first == list(islice(plan_operations(7, 2), 500))
    assert first != list(islice(plan_operations(7, 3), 500))
    assert first != list(islice(plan_operations(8, 2), 500))


def test_one_client_makes_the_huge_batch() -> None:
    """Client 0 makes the first batch at its FIRST_BATCH-th operation, other clients make none."""
    kinds = [operation.kind for operation in islice(plan_operations(1, 0), FIRST_BATCH)]
    assert kinds.index(Kind.REPRICE_BATCH) == FIRST_BATCH - 1
    others = [operation.kind for operation in islice(plan_operations(1, 1), FIRST_BATCH * 2)]
    assert Kind.REPRICE_BATCH not in others
    without = [one.kind for one in islice(plan_operations(1, 0, batches=False), FIRST_BATCH)]
    assert without[:-1] == kinds[:-1]
    assert without[-1] is not Kind.REPRICE_BATCH


def test_every_kind_is_planned_and_can_be_made() -> None:
    """Each kind has a transaction, and all but the batch have a weight."""
    assert set(_TRANSACTIONS) == set(Kind)
    assert set(WEIGHTS) == set(Kind) - {Kind.REPRICE_BATCH}


def test_the_bucket_keeps_the_rate() -> None:
    """A client that is as fast as it may be waits for 1/rate before each transaction."""
    now = 0.0
    bucket = TokenBucket(rate=10, burst=5, now_s=now)
    for _ in range(101):
        now += bucket.take(now)
    assert now == pytest.approx(10.0)


def test_the_bucket_catches_up_within_its_burst() -> None:
    """After a long transaction at most `burst` transactions follow without a wait."""
    bucket = TokenBucket(rate=10, burst=5, now_s=0.0)
    waits = [bucket.take(100.0) for _ in range(7)]
    assert waits[:5] == [0.0] * 5
    assert waits[5] == pytest.approx(0.1)
    assert waits[6] == pytest.approx(0.2)
