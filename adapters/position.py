"""Where a change stands: epochs, positions in the log and the sequence of an aggregate's events.

A PostgreSQL position is the LSN in a transaction's END (the end of its commit) or a message's own
LSN; these rise strictly, rows' LSNs do not. See docs/adr/0006-positions.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapters.errors import Poison

_TRANSACTION_ID = re.compile(r"(\d+):(\d+)")
_SEQUENCE = re.compile(r"([0-9a-f]{8})-([0-9a-f]{16})-([0-9a-f]{8})-([0-9a-f]{8})")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A point of one module's change log: the epoch stands before the LSN."""

    epoch: int
    lsn: int


@dataclass(frozen=True, slots=True, order=True)
class Sequence:
    """Orders the events of one aggregate; `str()` has a fixed width and sorts as bytes.

    `revision` is above 0 for a repair, a re-emission or a rebuilt event at an old position;
    `ordinal` tells several events of one aggregate in one transaction.
    """

    epoch: int
    lsn: int
    revision: int = 0
    ordinal: int = 0

    def __str__(self) -> str:
        return f"{self.epoch:08x}-{self.lsn:016x}-{self.revision:08x}-{self.ordinal:08x}"

    @classmethod
    def parse(cls, text: str) -> Sequence:
        """Read what `str()` wrote; Poison when it is anything else."""
        match = _SEQUENCE.fullmatch(text)
        if match is None:
            raise Poison(
                f"{text[:80]!r} is not a sequence (epoch-position-revision-ordinal in hex)"
            )
        return cls(*(int(part, 16) for part in match.groups()))


def parse_transaction_id(text: str) -> tuple[int, int]:
    """Split Debezium's `txid:lsn` into (txid, lsn); Poison when it is anything else."""
    match = _TRANSACTION_ID.fullmatch(text)
    if match is None:
        raise Poison(f"{text[:80]!r} is not a transaction id (txid:lsn)")
    return int(match.group(1)), int(match.group(2))
