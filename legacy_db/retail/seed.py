"""Fills an empty ERP with twenty years of data, in bulk, in one transaction.

Enters: the URL of a role that may write, how many orders, a seed. Leaves: the number of rows per
table. The same seed fills two databases with the same rows, change stamps included.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, TypeVar

from legacy_db.errors import Configuration, Unreachable
from legacy_db.retail import seed_rows
from legacy_db.retail.erp_opening import open_erp
from legacy_db.retail.seed_orders import OrderGenerator, OrderRows
from legacy_db.retail.tables import METADATA, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from legacy_db.retail.erp_connection import ErpConnection
    from legacy_db.retail.seed_rows import Row

T = TypeVar("T")

ROWS_PER_BATCH = 5_000
"""Customers or orders whose rows are in memory at a time."""
SESSION_DOCUMENTS = 1_000_000
"""A terminal's session numbers its documents from session * this (orders, shipments, ...)."""
SESSION_CUSTOMERS = 10_000
"""The same for customers, whose numbers have 32 bits."""


def seed(
    url: str,
    orders: int = 50_000,
    seed: int = 1,
    *,
    customers: int = 5_000,
    items: int = 2_000,
    schema: str = SCHEMA,
) -> dict[str, int]:
    """Fill the migrated, empty ERP at `url` and return the rows written per table.

    Configuration when it holds data already; Unreachable when there is no server.
    """
    try:
        connection = open_erp(url, schema)
    except Unreachable as error:
        raise Unreachable(
            f"no legacy database to seed: start it with `isthmus up`, or correct its URL ({error})"
        ) from error
    with closing(connection):
        writer = _Writer(connection, schema)
        with connection.transaction():
            writer.refuse_data()
            _write_all(writer, Random(seed), orders, customers, items)  # noqa: S311 - test data, not secrets
            writer.set_next_session(orders, customers)
        connection.analyze(writer.rows)
    return dict(writer.rows)


def _write_all(writer: _Writer, random: Random, orders: int, customers: int, items: int) -> None:
    suppliers, purchases = 100, max(orders // 50, 10)
    for batch in _batch(seed_rows.customer_rows(random, customers)):
        writer.write("cust_mstr", [row for row, _ in batch])
        writer.write("cust_addr", [row for _, addresses in batch for row in addresses])
    writer.write("item_mstr", seed_rows.item_rows(random, items))
    writer.write("supp_mstr", seed_rows.supplier_rows(random, suppliers))
    bought = list(seed_rows.purchase_rows(random, purchases, suppliers, items))
    writer.write("po_hdr", [row for row, _ in bought])
    writer.write("po_lin", [row for _, lines in bought for row in lines])
    generator = OrderGenerator(random, orders=orders, customers=customers, items=items)
    for order_batch in _batch(generator.generate()):
        _write_orders(writer, order_batch)
    balances = list(generator.stock.balance_rows(random, items, generator.next_movement))
    writer.write("stk_bal", [balance for balance, _ in balances])
    writer.write("stk_mvt", [movement for _, movement in balances])


def _write_orders(writer: _Writer, orders: Sequence[OrderRows]) -> None:
    writer.write("ord_hdr", [order.header for order in orders])
    writer.write("ord_lin", [row for order in orders for row in order.lines])
    writer.write("shipmt", [row for order in orders for row in order.shipments])
    writer.write("stk_mvt", [row for order in orders for row in order.movements])
    writer.write("pay_trx", [row for order in orders for row in order.payments])
    writer.write("pay_stg", [row for order in orders for row in order.stages])
    writer.write("pay_log", [row for order in orders for row in order.log])


def _batch(rows: Iterator[T]) -> Iterator[list[T]]:
    while batch := list(islice(rows, ROWS_PER_BATCH)):
        yield batch


class _Writer:
    """Loads rows into tables and counts them."""

    def __init__(self, connection: ErpConnection, schema: str) -> None:
        self.rows: Counter[str] = Counter()
        self._connection = connection
        self._schema = schema

    def refuse_data(self) -> None:
        for name in ("cust_mstr", "ord_hdr"):
            if self._connection.execute(f"select 1 from {name} limit 1").fetchone():
                raise Configuration(
                    f"{self._schema}.{name} holds rows already: seed an empty database, or start "
                    "anew with `isthmus up --fresh`"
                )

    def write(self, name: str, rows: Iterable[Row]) -> None:
        columns = [column.name for column in METADATA.tables[f"{SCHEMA}.{name}"].columns]
        self.rows[name] += self._connection.load(name, columns, rows)

    def set_next_session(self, orders: int, customers: int) -> None:
        """Leave the numbers that the seed took to nobody else, and say where they end."""
        session = 1 + max(orders * 5 // SESSION_DOCUMENTS, customers // SESSION_CUSTOMERS)
        self._connection.execute(
            "update num_tab set nxt_no = greatest(nxt_no, %s) where num_cd = 'SESSION'", (session,)
        )
        self._connection.execute_many(
            "insert into num_tab (num_cd, nxt_no) values (%s, %s)",
            [("ORDER", orders + 1), ("CUSTOMER", customers + 1)],
        )
