"""Decides what the clerks of the ERP do next: a deterministic stream of operations per client.

Enters: a seed and a client's number. Leaves: operations, each with a seed of its own, from which
everything else about it is drawn; a repeated attempt draws the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(StrEnum):
    """The business transactions of the ERP."""

    PLACE = "place"
    PLACE_LARGE_REMARK = "place-large-remark"
    PLACE_AND_CHANGE = "place-and-change"
    PLACE_WITH_SAVEPOINT = "place-with-savepoint"
    PLACE_ROLLED_BACK = "place-rolled-back"
    CHANGE = "change"
    CANCEL = "cancel"
    SHIP = "ship"
    DELIVER = "deliver"
    PURGE = "purge"
    REASSIGN_LARGE = "reassign-large"
    REWRITE_LARGE = "rewrite-large"
    REPRICE_BATCH = "reprice-batch"
    RECEIVE_STOCK = "receive-stock"
    DESCRIBE_ITEM = "describe-item"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    SETTLE = "settle"
    ADD_CUSTOMER = "add-customer"
    RENAME_CUSTOMER = "rename-customer"
    READDRESS_CUSTOMER = "readdress-customer"
    SOFT_REMOVE_CUSTOMER = "soft-remove-customer"
    HARD_REMOVE_CUSTOMER = "hard-remove-customer"


@dataclass(frozen=True, slots=True)
class Operation:
    """One transaction to make; `draw` seeds everything that is random in it."""

    kind: Kind
    draw: int


WEIGHTS: dict[Kind, int] = {
    Kind.PLACE: 220,
    Kind.PLACE_LARGE_REMARK: 2,
    Kind.PLACE_AND_CHANGE: 60,
    Kind.PLACE_WITH_SAVEPOINT: 40,
    Kind.PLACE_ROLLED_BACK: 30,
    Kind.CHANGE: 140,
    Kind.CANCEL: 50,
    Kind.SHIP: 150,
    Kind.DELIVER: 40,
    Kind.PURGE: 10,
    Kind.REASSIGN_LARGE: 15,
    Kind.REWRITE_LARGE: 3,
    Kind.RECEIVE_STOCK: 30,
    Kind.DESCRIBE_ITEM: 20,
    Kind.AUTHORIZE: 70,
    Kind.CAPTURE: 60,
    Kind.SETTLE: 50,
    Kind.ADD_CUSTOMER: 20,
    Kind.RENAME_CUSTOMER: 40,
    Kind.READDRESS_CUSTOMER: 30,
    Kind.SOFT_REMOVE_CUSTOMER: 6,
    Kind.HARD_REMOVE_CUSTOMER: 8,
}
"""How often each comes, in parts of their sum; the batch comes by the clock of BATCH_EVERY."""
FIRST_BATCH = 250
BATCH_EVERY = 2_000
"""Client 0 makes its first huge batch at its FIRST_BATCH-th operation, then every BATCH_EVERY."""


def plan_operations(seed: int, client: int, *, batches: bool = True) -> Iterator[Operation]:
    """Yield the operations of `client` (from 0), without an end; huge ones only with `batches`."""
    random = Random(f"{seed}/{client}")  # noqa: S311 - a workload, not a secret
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    number = 0
    while True:
        number += 1
        kind, draw = random.choices(kinds, weights)[0], random.getrandbits(63)
        if batches and client == 0 and number % BATCH_EVERY == FIRST_BATCH:
            kind = Kind.REPRICE_BATCH
        yield Operation(kind, draw)


class TokenBucket:
    """Says how long to wait before the next transaction, for `rate` a second on average.

    Up to `burst` transactions catch up at once after a slow one.
    """

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = 1.0
        self._seen_s = now_s

    def take(self, now_s: float) -> float:
        """Take one token and return the seconds until it may be used."""
        earned = (now_s - self._seen_s) * self._rate
        self._tokens = min(self._tokens + earned, self._burst) - 1.0
        self._seen_s = now_s
        return max(-self._tokens / self._rate, 0.0)
