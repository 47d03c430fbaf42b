"""What must be remembered of a module's change log between batches; the hub keeps it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import msgspec


class SnapshotState(enum.StrEnum):
    """How far the initial snapshot of a module is."""

    NONE = "none"
    RUNNING = "running"
    COMPLETE = "complete"


class OpenTransaction(msgspec.Struct):
    """A transaction whose END has not come; rows beyond SPILL_ROWS are already spilled.

    `links` are the positions that its rows say stood before it: one, if the log is whole. `lsn` is
    that of its last row, `first` the order of its first one. A connector that started again may
    have sent it in parts: `order` counts the changes of the newest, `before` those of the others.
    Since the last row have come: `heartbeat`, then `restarted` (a connector), then BEGIN `again`.
    `doubted` is the offset at which a connector started within it; `head` the digest of its first
    change, b"" where that is a message.
    """

    txid: int
    order: int = 0
    first: int = 1
    spilled: int = 0
    links: list[int | None] = msgspec.field(default_factory=list)
    barriers: list[str] = msgspec.field(default_factory=list)
    lsn: int = 0
    heartbeat: bool = False
    restarted: bool = False
    before: int = 0
    again: bool = False
    doubted: int | None = None
    head: bytes = b""


class BinlogTransaction(msgspec.Struct):
    """A transaction of a binary log whose END has not come, or a statement that has none.

    `lsn` is the place of its first row, `last` what tells its newest one (place, row, step of a
    changed key); 0 before they come. `order` counts the rows of the newest of the parts in which a
    connector that started again may have sent it; that BEGIN came `again` since the last row.
    `passed`: it was translated before. `has_ddl`: a statement, ROLLBACK too, ends it without END.
    `wrapped`: it is so long that places in the file began anew. `doubted` is the offset at which a
    connector started in it.
    """

    domain: str
    sequence: int
    time_us: int = 0
    lsn: int = 0
    last: tuple[int, int, int] = (0, 0, 0)
    order: int = 0
    spilled: int = 0
    barriers: list[str] = msgspec.field(default_factory=list)
    passed: bool = False
    again: bool = False
    has_ddl: bool = False
    wrapped: bool = False
    doubted: int | None = None


class BinlogState(msgspec.Struct, frozen=True):
    """How far a binary log was read: the last sequence of each GTID domain, and the newest time."""

    sequences: dict[str, int] = msgspec.field(default_factory=dict)
    time_us: int = 0
    open: BinlogTransaction | None = None


@dataclass(frozen=True, slots=True)
class LogState:
    """What must be remembered of a change log; all of it is kept in the hub.

    `lsn` is the position of the last transaction or message, `link` what the next row must name
    as the position before it (None: unknown, as after a snapshot). `incremental`: an incremental
    snapshot is running. `binlog` is there for MariaDB alone, instead of `link` and `open`.
    """

    epoch: int = 0
    lsn: int = 0
    link: int | None = None
    snapshot: SnapshotState = SnapshotState.NONE
    snapshot_run: int = 0
    snapshot_tables: dict[str, int] = field(default_factory=dict)
    open: OpenTransaction | None = None
    incremental: bool = False
    binlog: BinlogState | None = None
