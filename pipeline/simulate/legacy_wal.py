"""What the model's write-ahead log holds: committed transactions and messages, in commit order.

Rows and images are plain dicts of Python values, column to value, in the table's column order; they
are shared between states and never changed in place.
"""

from __future__ import annotations

from typing import Any

import msgspec

from legacy_db.definition import Table

Key = tuple[Any, ...]
Row = dict[str, Any]
Tables = dict[str, dict[Key, Row]]
"""The rows of every table: table's name, key, row."""


class WalChange(msgspec.Struct, frozen=True, gc=False):
    """One change of a transaction: a row (c, u, d), a truncated table (t) or a message (m).

    `table` is the definition at that time, None for a message; `key` is the row's key after the
    change, `old_key` the one before where it differs; `unavailable` are unchanged columns that
    are stored out of line; `row` of a message is its prefix and content.
    """

    operation: str
    table: Table | None
    lsn: int
    key: Key | None = None
    old_key: Key | None = None
    row: Row | None = None
    unavailable: tuple[str, ...] = ()


class WalTransaction(msgspec.Struct, frozen=True, gc=False):
    """A committed transaction; `lsn` is the end of its commit, `begin_lsn` its first change's."""

    txid: int
    begin_lsn: int
    lsn: int
    time_us: int
    changes: tuple[WalChange, ...]


class WalMessage(msgspec.Struct, frozen=True, gc=False):
    """A message outside transactions, at the position `lsn`."""

    prefix: str
    content: bytes
    lsn: int
    time_us: int


class Commit(msgspec.Struct, frozen=True, gc=False):
    """A moment of the database: everything that was committed up to `lsn`.

    `deltas` are the rows that this commit changed (None: deleted), `tables` all rows after it,
    `definitions` the tables as they were then, `wal_length` the entries of the log up to it.
    """

    lsn: int
    txid: int
    time_us: int
    deltas: dict[str, dict[Key, Row | None]]
    tables: Tables
    definitions: dict[str, Table]
    wal_length: int
