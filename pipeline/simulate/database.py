"""A model of a PostgreSQL database: transactions that read what is committed, row locks, failures.

Enters: reads and writes of tables as dicts. Leaves: all of a transaction's writes at its commit, or
none. A connection may fail before, at or after a commit, and a process may die at each.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from pipeline.simulate.kernel import POLL_S

if TYPE_CHECKING:
    from pipeline.simulate.kernel import Kernel, Process

GONE: Any = object()
"""A row that a transaction deleted."""


class Database:
    """Committed rows by table and key; `locks` says which connection changed a row."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tables: defaultdict[str, dict[Any, Any]] = defaultdict(dict)
        self.locks: dict[tuple[str, Any], Connection] = {}
        self.next_serial = 1

    def rows(self, table: str) -> dict[Any, Any]:
        """Return the committed rows of a table."""
        return self.tables[table]

    def serial(self) -> int:
        """Draw the next number; like a sequence it is not given back."""
        self.next_serial += 1
        return self.next_serial - 1


class Connection:
    """One connection of a process, by default of the one that runs now."""

    def __init__(self, kernel: Kernel, database: Database, process: Process | None = None) -> None:
        self._kernel = kernel
        self._database = database
        self._process = process or kernel.process
        self._broken = False
        self._changes: dict[str, dict[Any, Any]] = {}
        self._inside = False
        self._process.on_death.append(self.close)
        self.call("connect")

    def close(self) -> None:
        """Roll back and close."""
        self._broken = True
        self.roll_back()

    def call(self, what: str) -> None:
        """Send a statement, which may not get there."""
        self._kernel.step(f"{self._database.name}.{what}")
        if self._broken:
            raise psycopg.OperationalError("the connection is closed")
        if self._process.cut_off.get(self._database.name, 0.0) > self._kernel.now:
            self.close()
            raise psycopg.OperationalError("the server does not answer")

    def transaction(self) -> Transaction:
        """Commit what is written within, or nothing of it."""
        return Transaction(self)

    def begin(self) -> None:
        """Begin a transaction."""
        self.call("begin")
        self._inside = True

    def commit(self) -> None:
        """Commit what was written since `begin`; the answer may be lost though it was done."""
        self.call("commit")
        for table, changes in self._changes.items():
            rows = self._database.rows(table)
            for key, row in changes.items():
                if row is GONE:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        self.roll_back()
        self.call("committed")

    def roll_back(self) -> None:
        """Forget what was written since `begin`, and let go of the rows' locks."""
        self._changes = {}
        self._inside = False
        locks = self._database.locks
        if locks:
            for row in [row for row, owner in locks.items() if owner is self]:
                del locks[row]

    def rows(self, table: str) -> dict[Any, Any]:
        """Return the rows of a table as this connection sees them."""
        committed = self._database.rows(table)
        changes = self._changes.get(table)
        if not changes:
            return committed
        merged = {**committed, **changes}
        return {key: row for key, row in merged.items() if row is not GONE}

    def get(self, table: str, key: Any) -> Any:
        """Return one row; None when it is not there."""
        changes = self._changes.get(table)
        if changes is not None and key in changes:
            row = changes[key]
            return None if row is GONE else row
        return self._database.rows(table).get(key)

    def put(self, table: str, key: Any, row: Any) -> None:
        """Insert or update a row."""
        assert self._inside  # noqa: S101 - every write stands in a transaction
        self._changes.setdefault(table, {})[key] = row

    def delete(self, table: str, key: Any) -> None:
        """Delete a row."""
        self.put(table, key, GONE)

    def lock(self, table: str, key: Any) -> None:
        """Take a row's lock, waiting for whoever has it."""
        locks = self._database.locks
        while locks.get((table, key), self) is not self:
            self._kernel.wait(lambda: (table, key) not in locks, POLL_S)
            self.call("lock")
        locks[table, key] = self

    def serial(self) -> int:
        """Draw the next number."""
        return self._database.serial()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of a connection; a class, since a simulation opens very many."""

    connection: Connection

    def __enter__(self) -> None:
        self.connection.begin()

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.connection.commit()
        else:
            self.connection.roll_back()
