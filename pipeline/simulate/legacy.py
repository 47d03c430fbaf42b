"""A model of the legacy PostgreSQL: interleaving transactions, row locks, a write-ahead log.

Enters: operations on handles of open transactions, one at a time. Leaves: `wal`, what decoding a
slot yields, and `history`, every state that was ever committed. No clock, no randomness, no thread.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from legacy_db.definition import Column, Table
from pipeline.simulate.legacy_transaction import (
    DuplicateKey,
    LegacyTransaction,
    Locked,
    SessionLost,
)
from pipeline.simulate.legacy_values import make_coercions
from pipeline.simulate.legacy_wal import Commit, Key, Row, Tables, WalMessage, WalTransaction

__all__ = ["DuplicateKey", "LegacyDatabase", "LegacyTransaction", "Locked", "SessionLost"]

_FIRST_LSN = 0x1500000
_FIRST_TXID = 700
_DDL_BYTES = 1264
_MESSAGE_BYTES = 80
_COMMIT_BYTES = 48
_TICK_US = 1000
"""A commit or message that is given no time comes this much after the one before."""
_START_TIME_US = 1_767_225_600_000_000  # 2026-01-01


class LegacyDatabase:
    """The database; every table has a primary key.

    `out_of_line` are the (table, column) pairs whose values of at least `out_of_line_length`
    characters or bytes are stored apart: an update that leaves one as it is does not log it.
    `tables` are the rows that are committed now, `timeline` grows with every restore. `readers`
    have read a table in a transaction that is open: it can't be truncated or altered meanwhile.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        *,
        out_of_line: Iterable[tuple[str, str]] = (),
        out_of_line_length: int = 1,
    ) -> None:
        for table in tables:
            if not table.key:
                raise ValueError(f"table {table.name} has no primary key: the model needs one")
        self.definitions = {table.name: table for table in tables}
        self.tables: Tables = {table.name: {} for table in tables}
        self.wal: list[WalTransaction | WalMessage] = []
        self.timeline = 1
        self.lsn = _FIRST_LSN
        self.time_us = _START_TIME_US
        self.open: dict[int, LegacyTransaction] = {}
        self.locks: dict[tuple[str, Key], LegacyTransaction] = {}
        self.readers: dict[str, str] = {}
        self.out_of_line_length = out_of_line_length
        self._out_of_line = frozenset(out_of_line)
        self._next_txid = _FIRST_TXID
        self.layouts = {table.name: _Layout(table, self._out_of_line) for table in tables}
        first = Commit(self.lsn, 0, self.time_us, {}, self.tables, self.definitions, 0)
        self.history = [first]
        self._history_lsns = [self.lsn]

    @property
    def last_txid(self) -> int:
        """The id of the transaction that began last."""
        return self._next_txid - 1

    def begin(self) -> LegacyTransaction:
        """Begin a transaction."""
        txid = self._next_txid
        self._next_txid += 1
        transaction = LegacyTransaction(self, txid)
        self.open[txid] = transaction
        return transaction

    def message(self, prefix: str, content: bytes, time_us: int | None = None) -> int:
        """Emit a message outside transactions; its position is returned."""
        self.lsn += _MESSAGE_BYTES
        self.wal.append(WalMessage(prefix, content, self.lsn, self._tell_time(time_us)))
        return self.lsn

    def add_column(self, table: str, name: str, type_: str) -> None:
        """Add a nullable column, null in every row; Locked while somebody writes the table."""
        self._refuse_writers(table)
        definition = self.definitions[table]
        attnum = max(column.attnum for column in definition.columns) + 1
        columns = (*definition.columns, Column(name, type_, nullable=True, attnum=attnum))
        rows = {key: {**row, name: None} for key, row in self.tables[table].items()}
        self._define(Table(definition.schema, table, columns, definition.key), rows)

    def drop_column(self, table: str, name: str) -> None:
        """Drop a column that is not of the key; Locked while somebody writes the table."""
        self._refuse_writers(table)
        definition = self.definitions[table]
        if name in definition.key:
            raise ValueError(f"column {name} is of the key of {table}")
        columns = tuple(column for column in definition.columns if column.name != name)
        rows = {
            key: {column: value for column, value in row.items() if column != name}
            for key, row in self.tables[table].items()
        }
        self._define(Table(definition.schema, table, columns, definition.key), rows)

    def commit_at(self, lsn: int) -> Commit:
        """Return the last commit at or before a position."""
        return self.history[max(0, bisect_right(self._history_lsns, lsn) - 1)]

    def state_at(self, lsn: int) -> Tables:
        """Return every table's rows as of a position: an END, a message, a snapshot."""
        return self.commit_at(lsn).tables

    def restore(self, to: int) -> None:
        """Restore the database to the last commit at or before `to`: what came later never was.

        Open sessions are lost, slots are gone (`timeline` grows), LSNs and txids are used again.
        """
        for transaction in list(self.open.values()):
            transaction.lose()
        self.readers.clear()
        index = max(0, bisect_right(self._history_lsns, to) - 1)
        del self.history[index + 1 :], self._history_lsns[index + 1 :]
        commit = self.history[index]
        del self.wal[commit.wal_length :]
        self.tables, self.definitions = commit.tables, commit.definitions
        self.layouts = {
            name: _Layout(table, self._out_of_line) for name, table in self.definitions.items()
        }
        self.lsn = commit.lsn
        committed = (entry.txid for entry in self.wal if isinstance(entry, WalTransaction))
        self._next_txid = max(committed, default=_FIRST_TXID - 1) + 1
        self.timeline += 1

    def end_transaction(
        self,
        transaction: LegacyTransaction,
        deltas: dict[str, dict[Key, Row | None]],
        time_us: int | None,
    ) -> int:
        """Write a transaction's commit; the handle calls this."""
        self.lsn += _COMMIT_BYTES
        changes = tuple(transaction.changes)
        if changes:
            moment = self._tell_time(time_us)
            self.wal.append(
                WalTransaction(transaction.txid, changes[0].lsn, self.lsn, moment, changes)
            )
            if deltas:
                self.tables = {**self.tables}
                for table, rows in deltas.items():
                    self.tables[table] = _merge(self.tables[table], rows)
            self._remember(transaction.txid, moment, deltas)
        return self.lsn

    def _define(self, table: Table, rows: dict[Key, Row]) -> None:
        txid = self._next_txid
        self._next_txid += 1
        self.lsn += _DDL_BYTES
        self.definitions = {**self.definitions, table.name: table}
        self.tables = {**self.tables, table.name: rows}
        self.layouts[table.name] = _Layout(table, self._out_of_line)
        self._remember(txid, self._tell_time(None), {})

    def _remember(self, txid: int, time_us: int, deltas: dict[str, dict[Key, Row | None]]) -> None:
        self.history.append(
            Commit(self.lsn, txid, time_us, deltas, self.tables, self.definitions, len(self.wal))
        )
        self._history_lsns.append(self.lsn)

    def _tell_time(self, time_us: int | None) -> int:
        self.time_us = self.time_us + _TICK_US if time_us is None else time_us
        return self.time_us

    def _refuse_writers(self, table: str) -> None:
        is_written = any(table in transaction.written for transaction in self.open.values())
        if is_written or table in self.readers.values():
            raise Locked(table)


class _Layout:
    """What is worked out once of a table's definition."""

    __slots__ = ("coercions", "columns", "definition", "key_of", "names", "out_of_line")

    def __init__(self, table: Table, out_of_line: frozenset[tuple[str, str]]) -> None:
        self.definition = table
        self.names = tuple(column.name for column in table.columns)
        self.columns = frozenset(self.names)
        self.coercions = make_coercions(table)
        self.key_of = _make_key(table.key)
        self.out_of_line = tuple(name for name in self.names if (table.name, name) in out_of_line)


def _make_key(columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Key]:
    if len(columns) == 1:
        (single,) = columns
        return lambda row: (row[single],)
    return lambda row: tuple(row[column] for column in columns)


def _merge(rows: dict[Key, Row], delta: dict[Key, Row | None]) -> dict[Key, Row]:
    merged = dict(rows)
    for key, row in delta.items():
        if row is None:
            merged.pop(key, None)
        else:
            merged[key] = row
    return merged
