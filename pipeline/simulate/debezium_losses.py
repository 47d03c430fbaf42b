"""What a connector that restarts inexactly never wrote: for the oracle, which must know it.

Enters: which records were given. Leaves: of each transaction whose END was written, the changes
that stand nowhere in the log, and the rows that got a new key with values that were not sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from pipeline.simulate.debezium_transaction import Unit
from pipeline.simulate.legacy_wal import Key


class EndedTransaction(msgspec.Struct, frozen=True):
    """What is missing of a transaction, and which rows `moved`: (table, old key, new key)."""

    lsn: int
    left_out: tuple[Unit, ...]
    moved: tuple[tuple[str, Key, Key], ...]


class Losses:
    """The bookkeeping of one connector: changes by their place in their transaction."""

    def __init__(self, tables: Collection[str]) -> None:
        self._tables = frozenset(tables)
        self._written: dict[int, set[int]] = {}
        self._ended: list[EndedTransaction] = []

    def note_written(self, entry: int, places: Iterable[int]) -> None:
        """Note changes of an entry of the write-ahead log that were given."""
        self._written.setdefault(entry, set()).update(places)

    def note_end(self, entry: int, lsn: int, units: Sequence[Unit]) -> None:
        """Note that an entry's END was given; `units` are all that its transaction has."""
        written = self._written.pop(entry, set())
        left_out, moved = [], []
        for place, unit in enumerate(units):
            change = unit.change
            if change.table is None or change.table.name not in self._tables:
                continue
            if place not in written:
                left_out.append(unit)
            if change.old_key is not None and change.key is not None and change.unavailable:
                moved.append((change.table.name, change.old_key, change.key))
        if left_out or moved:
            self._ended.append(EndedTransaction(lsn, tuple(left_out), tuple(moved)))

    def take(self) -> list[EndedTransaction]:
        """Give what was noted since the last time, oldest first."""
        ended, self._ended = self._ended, []
        return ended

    def forget(self) -> None:
        """Forget what was written: a snapshot begins the log anew."""
        self._written = {}
