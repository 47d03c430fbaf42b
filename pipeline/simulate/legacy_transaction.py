"""One open transaction of the legacy model: its own rows, its locks, its savepoints.

Enters: operations by table and key. Leaves: changes with the positions at which they were made;
nothing is seen by others before commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.simulate.legacy_wal import Key, Row, WalChange

if TYPE_CHECKING:
    from pipeline.simulate.legacy import LegacyDatabase

_ROW_BYTES = 128
_MESSAGE_BYTES = 80
_TRUNCATE_BYTES = 472
_ABORT_BYTES = 40
_ABSENT: Any = object()


class Locked(Exception):  # noqa: N818 - a state, not an error: the session would wait here
    """Another open transaction holds the row or table; nothing was changed."""


class DuplicateKey(Exception):  # noqa: N818 - as above
    """A row with that key is there; nothing was changed."""


class SessionLost(Exception):  # noqa: N818 - as above
    """The transaction is over: it was committed, rolled back, or the database was restored."""


class LegacyTransaction:
    """A handle made by `LegacyDatabase.begin`.

    `changes` are those that will be committed, `written` the tables that it holds for writing,
    `truncated` those that it holds for itself alone.
    """

    def __init__(self, database: LegacyDatabase, txid: int) -> None:
        self.txid = txid
        self.changes: list[WalChange] = []
        self.written: set[str] = set()
        self._database = database
        self._rows: dict[str, dict[Key, Row | None]] = {}
        self.truncated: set[str] = set()
        self._journal: list[tuple[Any, ...]] = []
        self._savepoints: list[tuple[int, int]] = []
        self._over = False
        self._has_id = False

    @property
    def is_open(self) -> bool:
        """Whether operations are still possible."""
        return not self._over

    @property
    def has_written(self) -> bool:
        """Whether it has an id in the log: a slot that is made meanwhile waits for it."""
        return self._has_id

    def select(self, table: str, key: Key) -> Row | None:
        """Return the row as this transaction sees it; None when there is none."""
        rows = self._rows.get(table)
        if rows is not None and key in rows:
            return rows[key]
        if table in self.truncated:
            return None
        return self._database.tables[table].get(key)

    def keys(self, table: str) -> list[Key]:
        """List the keys of the rows that this transaction sees."""
        own = self._rows.get(table, {})
        base = () if table in self.truncated else self._database.tables[table]
        return [key for key in base if key not in own] + [
            key for key, row in own.items() if row is not None
        ]

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row; columns that are not given are null."""
        self.copy(table, (row,))

    def copy(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows by one COPY: they share one position."""
        self._enter(table)
        layout = self._database.layouts[table]
        made: dict[Key, Row] = {}
        for given in rows:
            row = self._complete(table, given)
            key = layout.key_of(row)
            if key in made or self._check(table, key) is not None:
                raise DuplicateKey(f"{table} {key}")
            made[key] = row
        if not made:
            return
        lsn = self._advance(_ROW_BYTES * len(made))
        self._hold(table)
        for key, row in made.items():
            self._put(table, key, row)
            self.changes.append(WalChange("c", layout.definition, lsn, key, None, row))

    def update(self, table: str, key: Key, values: Mapping[str, Any]) -> bool:
        """Change columns of a row, of its key too; False when there is no such row.

        Out-of-line values of columns that are not given are unavailable in what is logged.
        """
        self._enter(table)
        old = self._check(table, key)
        if old is None:
            self._hold(table)
            return False
        layout = self._database.layouts[table]
        row = {**old, **self._coerce(table, values)}
        new_key = layout.key_of(row)
        moved = new_key != key
        if moved and self._check(table, new_key) is not None:
            raise DuplicateKey(f"{table} {new_key}")
        unavailable: tuple[str, ...] = ()
        if layout.out_of_line:
            unavailable = tuple(
                name
                for name in layout.out_of_line
                if name not in values  # given anew, even the same value is logged
                and (value := old[name]) is not None
                and len(value) >= self._database.out_of_line_length
            )
        lsn = self._advance(_ROW_BYTES)
        self._hold(table)
        if moved:
            self._put(table, key, None)
        self._put(table, new_key, row)
        self.changes.append(
            WalChange(
                "u", layout.definition, lsn, new_key, key if moved else None, row, unavailable
            )
        )
        return True

    def delete(self, table: str, key: Key) -> bool:
        """Delete a row; False when there is no such row."""
        self._enter(table)
        if self._check(table, key) is None:
            self._hold(table)
            return False
        lsn = self._advance(_ROW_BYTES)
        self._hold(table)
        self._put(table, key, None)
        self.changes.append(WalChange("d", self._database.definitions[table], lsn, key))
        return True

    def truncate(self, *tables: str) -> None:
        """Truncate tables by one statement; Locked while somebody else writes or reads one."""
        for table in tables:
            self._enter(table)
            if table in self._database.readers.values():
                raise Locked(table)
            for other in self._database.open.values():
                if other is not self and table in other.written:
                    raise Locked(table)
        lsn = self._advance(_TRUNCATE_BYTES)
        for table in tables:
            self._hold(table)
            self._journal.append((table, self._rows.get(table), table in self.truncated))
            self._rows[table] = {}
            self.truncated.add(table)
            self.changes.append(WalChange("t", self._database.definitions[table], lsn))

    def message(self, prefix: str, content: bytes) -> None:
        """Emit a message that is part of this transaction."""
        self._refuse_over()
        lsn = self._advance(_MESSAGE_BYTES) + _MESSAGE_BYTES  # a message's position is its end
        row = {"prefix": prefix, "content": content}
        self.changes.append(WalChange("m", None, lsn, row=row))

    def savepoint(self) -> None:
        """Set a savepoint."""
        self._refuse_over()
        self._savepoints.append((len(self._journal), len(self.changes)))

    def rollback_to_savepoint(self) -> bool:
        """Undo everything since the last savepoint, which stays; False when there is none."""
        self._refuse_over()
        if not self._savepoints:
            return False
        journal, changes = self._savepoints[-1]
        self._undo(journal)
        del self.changes[changes:]
        if self._has_id:
            self._advance(_ABORT_BYTES)
        return True

    def release_savepoint(self) -> bool:
        """Forget the last savepoint and keep what was done since; False when there is none."""
        self._refuse_over()
        return bool(self._savepoints) and self._savepoints.pop() is not None

    def commit(self, time_us: int | None = None) -> int:
        """Commit; the END position is returned."""
        self._refuse_over()
        deltas = {table: dict(rows) for table, rows in self._rows.items() if rows}
        for table in self.truncated:
            gone: dict[Key, Row | None] = dict.fromkeys(self._database.tables[table])
            deltas[table] = {**gone, **deltas.get(table, {})}
        self._leave()
        return self._database.end_transaction(self, deltas, time_us)

    def rollback(self) -> None:
        """Roll back: nothing is left but a gap between positions."""
        self._refuse_over()
        self._undo(0)
        self.changes.clear()
        if self._has_id:
            self._advance(_ABORT_BYTES)
        self._leave()

    def lose(self) -> None:
        """End without a trace, as when the database's server is gone."""
        self._leave()

    def _leave(self) -> None:
        self._over = True
        del self._database.open[self.txid]
        locks = self._database.locks
        for entry in self._journal:
            if len(entry) == 2:  # noqa: PLR2004 - a lock's entry
                locks.pop(entry, None)

    def _enter(self, table: str) -> None:
        self._refuse_over()
        for other in self._database.open.values():
            if other is not self and table in other.truncated:
                raise Locked(table)

    def _refuse_over(self) -> None:
        if self._over:
            raise SessionLost(f"transaction {self.txid} is over")

    def _check(self, table: str, key: Key) -> Row | None:
        """Return the row that is seen; Locked when somebody else has changed it."""
        holder = self._database.locks.get((table, key))
        if holder is not None and holder is not self:
            raise Locked(f"{table} {key}")
        return self.select(table, key)

    def _hold(self, table: str) -> None:
        if table not in self.written:
            self.written.add(table)
            self._journal.append((table,))

    def _put(self, table: str, key: Key, row: Row | None) -> None:
        """Write a row and take its lock; both are undone by the journal."""
        lock = (table, key)
        if lock not in self._database.locks:
            self._database.locks[lock] = self
            self._journal.append(lock)
        rows = self._rows.setdefault(table, {})
        self._journal.append((table, key, rows.get(key, _ABSENT), row))
        rows[key] = row

    def _undo(self, length: int) -> None:
        while len(self._journal) > length:
            match self._journal.pop():
                case (table,):
                    self.written.discard(table)
                case (table, key):
                    del self._database.locks[table, key]
                case (table, key, before, _):
                    if before is _ABSENT:
                        del self._rows[table][key]
                    else:
                        self._rows[table][key] = before
                case (table, rows, was_truncated):
                    if rows is None:
                        del self._rows[table]
                    else:
                        self._rows[table] = rows
                    if not was_truncated:
                        self.truncated.discard(table)

    def _advance(self, size: int) -> int:
        lsn = self._database.lsn
        self._database.lsn = lsn + size
        self._has_id = True
        return lsn

    def _complete(self, table: str, given: Mapping[str, Any]) -> Row:
        layout = self._database.layouts[table]
        values = self._coerce(table, given)
        return {name: values.get(name) for name in layout.names}

    def _coerce(self, table: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        layout = self._database.layouts[table]
        if not given.keys() <= layout.columns:
            raise ValueError(f"{table} has no column {set(given) - layout.columns}")
        if not layout.coercions:
            return given
        values = dict(given)
        for name, coerce in layout.coercions:
            if values.get(name) is not None:
                values[name] = coerce(values[name])
        return values
