"""What is written into the legacy database: bulk changes in many transactions of business size.

Enters: a connection, a number of aggregates. Leaves: committed transactions; every row is a real
change, so that each aggregate that it touches gives an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

AGGREGATES_PER_TRANSACTION = 50


@dataclass(frozen=True, slots=True)
class BulkWork:
    """Updates of one module; `keys` selects all keys, `statements` change a list of them."""

    name: str
    module: str
    keys: str
    statements: tuple[str, ...]


SINGLE_ROW = BulkWork(
    "stock levels, 1 row each",
    "inventory",
    "select whs_cd || item_no from stk_bal order by 1",
    ("update stk_bal set qty_oh = qty_oh + 1 where whs_cd || item_no = any(%s)",),
)
FAT = BulkWork(
    "orders with lines",
    "sales",
    "select ord_no from ord_hdr order by 1",
    (
        "update ord_hdr set chg_ts = clock_timestamp() at time zone 'UTC' where ord_no = any(%s)",
        "update ord_lin set lin_amt = lin_amt + 1 where ord_no = any(%s)",
    ),
)


def write_changes(connection: psycopg.Connection, work: BulkWork, aggregates: int) -> int:
    """Change at least so many aggregates, round about the keys; return how many rows changed."""
    keys = [key for (key,) in connection.execute(work.keys)]
    connection.commit()
    rows = changed = 0
    for chunk in _cycle(keys):
        with connection.transaction():
            for statement in work.statements:
                rows += connection.execute(statement, (chunk,)).rowcount
        changed += len(chunk)
        if changed >= aggregates:
            break
    return rows


def _cycle(keys: list[object]) -> Iterator[list[object]]:
    while True:
        for start in range(0, len(keys), AGGREGATES_PER_TRANSACTION):
            yield keys[start : start + AGGREGATES_PER_TRANSACTION]
