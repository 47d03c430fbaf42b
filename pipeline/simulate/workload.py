"""The legacy application of the simulation: sessions whose transactions interleave.

Enters: the model of the legacy database. Leaves: placed, changed, renamed and removed rows; a turn
that would have to wait for another session's lock does nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from pipeline.simulate.legacy import DuplicateKey, LegacyTransaction, Locked
from pipeline.simulate.site import QUANTITY_MAX

if TYPE_CHECKING:
    from pipeline.simulate.legacy import LegacyDatabase

SESSIONS_MAX = 3
ORDERS = 6
"""Order and customer numbers are few, so that transactions meet."""
CUSTOMERS = 4
HUGE_ROWS = 12

Change = Callable[[LegacyTransaction], object]


class Workload:
    """Sessions on the legacy database; `faults` says which of the rarer changes are made."""

    def __init__(self, random: Random, legacy: LegacyDatabase, faults: frozenset[str]) -> None:
        self._random = random
        self._legacy = legacy
        self._changes, self._chances = self._weigh(faults)
        self._columns = 0
        self._sessions: list[LegacyTransaction] = []
        self._names = 0

    def fill(self) -> None:
        """Write what is there before anything is captured."""
        transaction = self._legacy.begin()
        for number in range(1, self._random.randint(1, CUSTOMERS)):
            transaction.insert("cust", {"cust_no": number, "name": self._name()})
        for number in range(1, self._random.randint(1, ORDERS)):
            self._place(transaction, number)
        transaction.commit()

    def turn(self) -> None:
        """Let one session do one thing."""
        self._sessions = [one for one in self._sessions if one.is_open]
        if len(self._sessions) < SESSIONS_MAX and self._random.random() < 0.4:  # noqa: PLR2004 - a third go on alone
            self._sessions.append(self._legacy.begin())
        if not self._sessions:
            return
        session = self._random.choice(self._sessions)
        try:
            if self._random.random() < 0.35:  # noqa: PLR2004 - about two changes a transaction
                self._end(session)
            else:
                self._choose()(session)
        except (Locked, DuplicateKey):
            pass  # it would wait, or fail; it tries something else at its next turn

    def finish(self) -> None:
        """Commit what is open, and heal the rows that could not be understood."""
        for session in self._sessions:
            if session.is_open:
                session.commit()
        self._sessions = []

    def heal(self) -> None:
        """Correct every row that the adapter or an expectation does not accept."""
        session = self._legacy.begin()
        for key, row in self._legacy.tables["ord_hdr"].items():
            if row["stat"].strip() == "?":
                session.update("ord_hdr", key, {"stat": "N"})
        for key, row in self._legacy.tables["ord_lin"].items():
            if row["qty"] > QUANTITY_MAX:
                session.update("ord_lin", key, {"qty": 1})
        session.commit()

    def alter(self) -> None:
        """Add a column to a captured table."""
        self._columns += 1
        table = self._random.choice(("cust", "ord_hdr"))
        with contextlib.suppress(Locked):  # somebody writes the table: not now
            self._legacy.add_column(table, f"extra_{self._columns}", "integer")

    def _end(self, session: LegacyTransaction) -> None:
        if self._random.random() < 0.15:  # noqa: PLR2004 - most commit
            session.rollback()
        else:
            session.commit()

    def _choose(self) -> Change:
        return self._random.choices(self._changes, cum_weights=self._chances)[0]

    def _weigh(self, faults: frozenset[str]) -> tuple[list[Change], list[int]]:
        """List what a session may do, with the chances summed up."""
        chances: list[tuple[int, Change]] = [
            (10, lambda one: self._place(one, self._random.randint(1, ORDERS))),
            (10, self._change_order),
            (8, self._change_line),
            (4, self._remove_order),
            (3, self._move_order),
            (6, self._change_customer),
            (2, self._remove_customer),
            (2, self._copy_lines),
            (3, lambda one: one.savepoint()),
            (3, LegacyTransaction.rollback_to_savepoint),
            (1, lambda one: one.message("isthmus.note", b"inside")),
        ]
        if "inexact" in faults:  # of rows that share a position some may be left out
            chances += [(20, self._copy_page), (5, self._move_order)]
        else:  # Debezium may drop it then, and the log seems to have a hole
            chances.append((1, lambda _: self._legacy.message("isthmus.note", b"outside")))
        if "truncate" in faults:
            chances.append((1, lambda one: one.truncate(self._random.choice(("ord_lin", "cust")))))
            chances.append((1, lambda one: one.truncate("ord_hdr", "ord_lin")))
        if "huge" in faults:
            chances.append((1, self._change_many))
        if "poison" in faults:
            chances.append((3, self._poison))
        return [change for _, change in chances], list(accumulate(one for one, _ in chances))

    def _place(self, session: LegacyTransaction, number: int) -> None:
        header = {
            "ord_no": number,
            "cust_no": self._random.randint(1, CUSTOMERS),
            "stat": "N",
            "remark": self._random.choice((None, self._name() * 3)),
        }
        session.insert("ord_hdr", header)
        for line in range(1, self._random.randint(1, 4)):
            session.insert("ord_lin", {"ord_no": number, "lin_no": line, "qty": line})

    def _change_order(self, session: LegacyTransaction) -> None:
        values = self._random.choice((
            {"stat": self._random.choice("NSX")},
            {"remark": self._name()},
            {"cust_no": self._random.randint(1, CUSTOMERS)},
        ))  # fmt: skip
        session.update("ord_hdr", (self._random.randint(1, ORDERS),), values)

    def _change_line(self, session: LegacyTransaction) -> None:
        key = (self._random.randint(1, ORDERS), self._random.randint(1, 3))
        action = self._random.random()
        if action < 0.3:  # noqa: PLR2004 - a third each
            session.insert("ord_lin", {"ord_no": key[0], "lin_no": key[1], "qty": 7})
        elif action < 0.6:  # noqa: PLR2004 - as above
            session.delete("ord_lin", key)
        else:
            session.update("ord_lin", key, {"qty": self._random.randint(1, 99)})

    def _remove_order(self, session: LegacyTransaction) -> None:
        number = self._random.randint(1, ORDERS)
        for key in session.keys("ord_lin"):
            if key[0] == number:
                session.delete("ord_lin", key)
        session.delete("ord_hdr", (number,))

    def _move_order(self, session: LegacyTransaction) -> None:
        before, after = (self._random.randint(1, ORDERS) for _ in range(2))
        if session.update("ord_hdr", (before,), {"ord_no": after}):
            for key in session.keys("ord_lin"):
                if key[0] == before:
                    session.update("ord_lin", key, {"ord_no": after})

    def _change_customer(self, session: LegacyTransaction) -> None:
        number = self._random.randint(1, CUSTOMERS)
        if not session.update("cust", (number,), {"name": self._name()}):
            session.insert("cust", {"cust_no": number, "name": self._name()})

    def _remove_customer(self, session: LegacyTransaction) -> None:
        session.delete("cust", (self._random.randint(1, CUSTOMERS),))

    def _copy_lines(self, session: LegacyTransaction) -> None:
        number = self._random.randint(1, ORDERS)
        rows = [{"ord_no": number, "lin_no": line, "qty": line} for line in (4, 5, 6)]
        session.copy("ord_lin", rows)

    def _copy_page(self, session: LegacyTransaction) -> None:
        """Write several new rows under one position."""
        number = self._random.randint(1, ORDERS)
        keys: list[tuple[int, ...]]
        if self._random.random() < 0.3:  # noqa: PLR2004 - orders are of more interest
            table, keys = "cust", [(one,) for one in range(1, CUSTOMERS + 1)]
            rows = [{"cust_no": key[0], "name": self._name()} for key in keys]
        else:
            table, keys = "ord_lin", [(number, line) for line in range(4, 10)]
            rows = [{"ord_no": key[0], "lin_no": key[-1], "qty": 1} for key in keys]
        there = set(session.keys(table))
        session.copy(table, [row for key, row in zip(keys, rows, strict=True) if key not in there])

    def _change_many(self, session: LegacyTransaction) -> None:
        for turn in range(HUGE_ROWS):
            number = turn % ORDERS + 1
            session.update("ord_hdr", (number,), {"remark": self._name()})

    def _poison(self, session: LegacyTransaction) -> None:
        number = self._random.randint(1, ORDERS)
        if self._random.random() < 0.5:  # noqa: PLR2004 - the adapter's, or the expectation's
            session.update("ord_hdr", (number,), {"stat": "?"})
        else:
            session.update("ord_lin", (number, 1), {"qty": QUANTITY_MAX + 1})

    def _name(self) -> str:
        self._names += 1
        return f"name {self._names} é"
