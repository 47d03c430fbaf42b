"""What a change log asks to be done, step by step: a closed set of values.

Enters: nothing. Leaves: the steps that the assembler yields and the translator applies in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.envelope import RowChange
from legacy_db.definition import Table


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A row that a snapshot read: it lands, and yields no event."""

    change: RowChange


@dataclass(frozen=True, slots=True)
class IncrementalRow:
    """A row that an incremental snapshot read; `lsn` is the position as of which it is.

    Debezium leaves out what changed between reading and here, so it is the row as the mirror must
    have it now: only where that differs was something amiss.
    """

    change: RowChange
    lsn: int


@dataclass(frozen=True, slots=True)
class SnapshotStarted:
    """A snapshot begins; rows that it does not see will be swept."""

    run: int


@dataclass(frozen=True, slots=True)
class SnapshotCompleted:
    """Every row of the snapshot has come; `tables` are those that it reported complete."""

    run: int
    tables: dict[str, int]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One whole committed transaction; with `spilled` rows in the hub before `changes`.

    `domain` is that of its GTID, whose sequence is `txid` then.
    """

    txid: int
    lsn: int
    time_us: int
    changes: tuple[RowChange, ...]
    spilled: int = 0
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A transaction within which a connector started again, at `offset` of the change log.

    Debezium may then leave out rows that share a position in the write-ahead log with the last one
    that it had sent, and counts END without them: the log can't tell. A comparison can.
    With a `reason` it is another thing that the log can't tell.
    """

    txid: int
    lsn: int
    offset: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SpillChunk:
    """Rows of a huge transaction that is still open: to be kept in the hub, not yet applied."""

    txid: int
    first: int
    changes: tuple[RowChange, ...]


@dataclass(frozen=True, slots=True)
class SpillDropped:
    """The open transaction's spilled rows are void: it starts over, or was translated before."""

    txid: int


@dataclass(frozen=True, slots=True)
class Barrier:
    """A barrier: everything before it in the legacy database stands before it in the log."""

    id: str
    lsn: int
    time_us: int


@dataclass(frozen=True, slots=True)
class TableChanged:
    """A DDL statement: from here on a captured table is as `definition` says.

    `defaults` are the expressions that its columns have. The same step may come again.
    """

    definition: Table
    ddl: str
    defaults: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class EpochStarted:
    """Positions start anew: everything that follows belongs to this epoch."""

    epoch: int


Step = (
    EpochStarted
    | SnapshotRow
    | IncrementalRow
    | SnapshotStarted
    | SnapshotCompleted
    | Transaction
    | Doubt
    | SpillChunk
    | SpillDropped
    | Barrier
    | TableChanged
)
