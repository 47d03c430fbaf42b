"""The making of a replication slot: it waits for transactions that are open (SnapBuild).

Enters: the legacy model, again and again. Leaves: whether the slot has its consistent point.
"""

from __future__ import annotations

from pipeline.simulate.legacy import LegacyDatabase

_WAITS_MAX = 2
"""It waits for those that are open at first, then once for those that are open after that."""


class SlotCreation:
    """One slot that is being made."""

    def __init__(self) -> None:
        self._waits = 0
        self._waits_for: set[int] = set()

    def is_consistent(self, database: LegacyDatabase) -> bool:
        """Go on as far as the open transactions let it."""
        writers = {txid for txid, one in database.open.items() if one.has_written}
        if self._waits_for & writers:
            return False
        if self._waits < _WAITS_MAX and (writers or self._waits):
            self._waits += 1
            self._waits_for = writers
            return not writers
        return True
