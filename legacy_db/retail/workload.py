"""Runs the ERP's workload: clerks at several terminals, at a given rate, for a given time.

Enters: the application's URL, a seed, a clock and a stop signal. Leaves: a `WorkloadResult`. Each
client is a thread with a connection of its own, so that transactions interleave as in the real
thing. What a client does follows from the seed alone; how far it gets, from time.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from random import Random
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

from legacy_db.errors import Configuration, Retriable, Unreachable
from legacy_db.retail import (
    workload_customers,
    workload_orders,
    workload_payments,
    workload_stock,
    workload_upkeep,
)
from legacy_db.retail.erp_connection import Conflict
from legacy_db.retail.erp_opening import open_erp
from legacy_db.retail.tables import SCHEMA
from legacy_db.retail.workload_plan import Kind, Operation, TokenBucket, plan_operations
from legacy_db.retail.workload_session import (
    Session,
    read_shape,
    take_session_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ATTEMPTS_MAX = 20
BACKOFF_S_MAX = 0.5
BURST_S = 2.0
"""A client that fell behind catches up at most this much of its rate at once."""

_TRANSACTIONS: dict[Kind, Callable[[Session, Random], object]] = {
    Kind.PLACE: workload_orders.place_order,
    Kind.PLACE_LARGE_REMARK: workload_orders.place_large_remark,
    Kind.PLACE_AND_CHANGE: workload_orders.place_and_change,
    Kind.PLACE_WITH_SAVEPOINT: workload_orders.place_with_savepoint,
    Kind.PLACE_ROLLED_BACK: workload_orders.place_rolled_back,
    Kind.CHANGE: workload_orders.change_order,
    Kind.CANCEL: workload_orders.cancel_order,
    Kind.SHIP: workload_orders.ship_order,
    Kind.DELIVER: workload_orders.deliver_shipment,
    Kind.PURGE: workload_upkeep.purge_orders,
    Kind.REASSIGN_LARGE: workload_upkeep.reassign_large,
    Kind.REWRITE_LARGE: workload_upkeep.rewrite_large,
    Kind.REPRICE_BATCH: workload_upkeep.reprice_batch,
    Kind.RECEIVE_STOCK: workload_stock.receive_stock,
    Kind.DESCRIBE_ITEM: workload_stock.describe_item,
    Kind.AUTHORIZE: workload_payments.authorize_payment,
    Kind.CAPTURE: workload_payments.capture_payment,
    Kind.SETTLE: workload_payments.settle_payment,
    Kind.ADD_CUSTOMER: workload_customers.add_customer,
    Kind.RENAME_CUSTOMER: workload_customers.rename_customer,
    Kind.READDRESS_CUSTOMER: workload_customers.readdress_customer,
    Kind.SOFT_REMOVE_CUSTOMER: workload_customers.soft_remove_customer,
    Kind.HARD_REMOVE_CUSTOMER: workload_customers.hard_remove_customer,
}


@dataclass(slots=True)
class WorkloadResult:
    """What was done: transactions per kind, those with nothing to do, rollbacks and retries."""

    transactions: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)
    rolled_back: int = 0
    retries: int = 0

    def add(self, other: WorkloadResult) -> None:
        """Add what another client did at the same time."""
        self.transactions += other.transactions
        self.counts.update(other.counts)
        self.idle.update(other.idle)
        self.rolled_back += other.rolled_back
        self.retries += other.retries

    def as_document(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return {**asdict(self), "counts": dict(self.counts), "idle": dict(self.idle)}


def run_workload(
    url: str,
    *,
    rate: float,
    seconds: float,
    seed: int = 1,
    clients: int = 4,
    schema: str = SCHEMA,
    batches: bool = True,
    stop: Event | None = None,
    clock: Callable[[], float] = monotonic,
) -> WorkloadResult:
    """Make `rate` transactions a second for `seconds`, by `clients` sessions; return what was done.

    With `batches` one of them makes a huge batch update now and then. It ends when
    rate * seconds transactions are done, when the time is over, or when `stop` is set.
    Configuration for a database without data; Unreachable when the server isn't there or goes away.
    """
    if rate <= 0 or seconds <= 0 or clients < 1:
        raise Configuration("the workload needs a rate and seconds above 0 and a client or more")
    total = max(round(rate * seconds), 1)
    shares = [total // clients + (client < total % clients) for client in range(clients)]
    with ExitStack() as stack:
        # numbers are taken in the clients' order: the same seed gives the same numbers
        sessions = [_open_session(url, schema, stack) for _ in range(clients)]
        started_s = clock()
        times = _Times(clock, started_s + seconds, stop or Event())
        pool = stack.enter_context(ThreadPoolExecutor(clients))
        futures = []
        for client, (session, share) in enumerate(zip(sessions, shares, strict=True)):
            bucket = TokenBucket(rate / clients, rate / clients * BURST_S + 1, started_s)
            operations = islice(plan_operations(seed, client, batches=batches), share)
            futures.append(pool.submit(_Terminal(session, bucket, times).work, operations))
        result = _gather(futures, times)
        result.seconds = round(clock() - started_s, 3)
    return result


def _open_session(url: str, schema: str, stack: ExitStack) -> Session:
    try:
        connection = stack.enter_context(closing(open_erp(url, schema)))
    except Unreachable as error:
        raise Unreachable(
            "no legacy database for the workload: start it with `isthmus up`, or correct "
            f"ISTHMUS_LEGACY_APP_URL ({error})"
        ) from error
    shape = read_shape(connection)
    return Session(connection, take_session_number(connection), shape)


def _gather(futures: list[Future[WorkloadResult]], times: _Times) -> WorkloadResult:
    """Add up what the clients did; the first one that fails stops the others."""
    result = WorkloadResult()
    try:
        for future in as_completed(futures):
            result.add(future.result())
    finally:
        times.stop.set()
    return result


@dataclass(frozen=True, slots=True)
class _Times:
    clock: Callable[[], float]
    deadline_s: float
    stop: Event

    def over(self) -> bool:
        return self.stop.is_set() or self.clock() >= self.deadline_s


class _Terminal:
    """One client: works through its operations at its pace."""

    def __init__(self, session: Session, bucket: TokenBucket, times: _Times) -> None:
        self._session = session
        self._bucket = bucket
        self._times = times
        self._result = WorkloadResult()

    def work(self, operations: Iterator[Operation]) -> WorkloadResult:
        for operation in operations:
            self._times.stop.wait(self._bucket.take(self._times.clock()))
            if self._times.over():
                break
            try:
                self._make(operation)
            except Unreachable as error:
                raise Unreachable(
                    f"the legacy database went away during {operation.kind} ({error}): see its "
                    "log, start it with `isthmus up`"
                ) from error
        return self._result

    def _make(self, operation: Operation) -> None:
        """Make one transaction, again from its beginning when it met another one."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                done, committed = _transact(self._session, operation)
            except Conflict:
                self._result.retries += 1
                if self._times.stop.wait(_backoff_s(attempt, operation)):
                    return
                continue
            self._count(operation.kind, done=done, committed=committed)
            return
        raise Retriable(
            f"{operation.kind} met other transactions {ATTEMPTS_MAX} times: lower --clients"
        )

    def _count(self, kind: Kind, *, done: bool, committed: bool) -> None:
        self._result.transactions += 1
        self._result.rolled_back += not committed
        (self._result.counts if done else self._result.idle)[kind.value] += 1


def _backoff_s(attempt: int, operation: Operation) -> float:
    """Double the wait with each attempt; the operation's draw keeps two clients out of step."""
    longest = min(0.002 * 2.0**attempt, BACKOFF_S_MAX)
    return longest * (1 + operation.draw % 100 / 100) / 2


def _transact(session: Session, operation: Operation) -> tuple[bool, bool]:
    """Return whether there was something to do, and whether it was committed."""
    done, kept, committed = True, False, False
    try:
        with session.connection.transaction():
            done = bool(_TRANSACTIONS[operation.kind](session, Random(operation.draw)))  # noqa: S311 - a workload, not a secret
            kept = True
        committed = kept
    finally:
        session.finish(committed=committed)
    return done, committed
