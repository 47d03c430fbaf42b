"""One clerk's terminal: its connection, the numbers it gives to documents, what it did lately.

Enters: a connection of the ERP. Leaves: `Session`, which the transactions of workload_*.py work
with, and their common look-ups. Numbers are counted up within the session's own million, as the ERP
does: no two sessions meet on a counter.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from legacy_db.errors import Configuration
from legacy_db.retail.seed import SESSION_CUSTOMERS, SESSION_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from legacy_db.retail.erp_connection import Answer, ErpConnection

RECENT_MAX = 200
"""Documents of its own that a session remembers."""
TODAY = (
    "(extract(year from localtimestamp(6)) * 10000 + extract(month from localtimestamp(6)) * 100"
    " + extract(day from localtimestamp(6)))"
)
OWN_ORDER = 0.6
"""How often a clerk works on an order that he placed himself; else on any."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the database held before: active items, the ends of orders and customers."""

    items: tuple[str, ...]
    orders: int
    customers: int


def read_shape(connection: ErpConnection) -> Shape:
    """Read what there is to work on; Configuration when the ERP is not seeded."""
    ends = dict(connection.execute("select rtrim(num_cd), nxt_no from num_tab").fetchall())
    items = connection.execute(
        "select rtrim(item_no) from item_mstr where stat_cd = 'A' order by item_no"
    ).fetchall()
    if "ORDER" not in ends or not items:
        raise Configuration(
            "the legacy database holds no data to work on: seed it first (`isthmus demo` does)"
        )
    return Shape(tuple(item for (item,) in items), ends["ORDER"] - 1, ends["CUSTOMER"] - 1)


def take_session_number(connection: ErpConnection) -> int:
    """Take the next session's number from the ERP's table of numbers."""
    with connection.transaction():
        row = connection.execute(
            "select nxt_no from num_tab where num_cd = 'SESSION' for update"
        ).fetchone()
        connection.execute("update num_tab set nxt_no = nxt_no + 1 where num_cd = 'SESSION'")
    if row is None:
        raise Configuration("num_tab has no row SESSION: migrate and seed the legacy database anew")
    return int(row[0])


@dataclass(slots=True)
class Session:
    """A terminal's state. The deques are its own documents, changed after a commit only."""

    connection: ErpConnection
    number: int
    shape: Shape
    orders: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    authorized: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    captured: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    pending: list[tuple[deque[int], int]] = field(default_factory=list)
    _given: Counter[str] = field(default_factory=Counter)

    def execute(self, statement: str, *parameters: Any) -> Answer:
        """Execute one statement."""
        return self.connection.execute(statement, parameters)

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute one statement for each row, in one round trip."""
        self.connection.execute_many(statement, rows)

    def next_number(self, document: str) -> int:
        """Take a number for an order, shipment, movement, payment or customer."""
        block = SESSION_CUSTOMERS if document == "customer" else SESSION_DOCUMENTS
        self._given[document] += 1
        if self._given[document] == block:
            # the other documents begin anew with the new session
            self.number, self._given = take_session_number(self.connection), Counter({document: 1})
        return self.number * block + self._given[document]

    def remember(self, documents: deque[int], number: int) -> None:
        """Remember a document once its transaction has committed."""
        self.pending.append((documents, number))

    def finish(self, *, committed: bool) -> None:
        """Keep or forget what the transaction remembered."""
        if committed:
            for documents, number in self.pending:
                documents.append(number)
        self.pending.clear()

    def draw_item(self, random: Random) -> str:
        """Draw an active item."""
        return random.choice(self.shape.items)

    def lock_order(self, random: Random, statuses: str) -> tuple[Any, ...] | None:
        """Lock an order in one of `statuses`; return (ord_no, curr_cd, tot_amt) or None.

        The clerk begins at an order of his own or anywhere, and takes the first one that will do.
        """
        own = bool(self.orders) and random.random() < OWN_ORDER
        start = random.randrange(1, self.shape.orders + 1)
        if own:
            start = self.orders[random.randrange(len(self.orders))]
        found: tuple[Any, ...] | None = self.execute(
            "select ord_no, curr_cd, tot_amt from ord_hdr"
            " where ord_no >= %s and position(stat_cd in %s) > 0"
            " order by ord_no limit 1 for update",
            start,
            statuses,
        ).fetchone()
        return found
