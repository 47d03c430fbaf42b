"""What is known of one module's capture at one moment, read from all sides.

Enters: nothing. Leaves: values that rules, `status` and the care of a running site share; None
stands for what is not there or could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from connectors.config import EPOCH_PROPERTY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.plan import Publication

MISSING = "MISSING"
FAILED = "FAILED"
RUNNING = "RUNNING"
STOPPED = "STOPPED"
RESTING = ("PAUSED", STOPPED)
"""States that a person asked for."""
NO_EVENT = "no event"
"""Where a binary log ended once stands the middle of something now, or nothing."""
_OFFSET_BITS = 40
"""As in the translator's positions (adapters.binlog_position)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A connector or one of its tasks; `trace` is the whole trace of a failure."""

    name: str
    state: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class ConnectorFacts:
    """A connector as Connect has it; `parts` holds itself first, then its tasks.

    `config` is without the marks that apply leaves; by these `edited` says that somebody else has
    changed it since, and `sealed` that nobody has. Without marks nobody can tell: neither is true.
    """

    name: str
    parts: tuple[Part, ...] = ()
    config: Mapping[str, str] | None = None
    offset: Mapping[str, Any] | None = None
    edited: bool = False
    sealed: bool = False

    @property
    def state(self) -> str:
        """The connector's own state; MISSING when Connect does not know it."""
        return self.parts[0].state if self.parts else MISSING

    @property
    def runs(self) -> bool:
        """Whether it and its tasks run."""
        return len(self.parts) > 1 and all(part.state == RUNNING for part in self.parts)

    @property
    def failure(self) -> Part | None:
        """The first part that has failed, tasks before the connector: they say why."""
        failed = [part for part in self.parts if part.state == FAILED]
        return failed[-1] if failed else None

    @property
    def reads_snapshot(self) -> bool:
        """Whether its offset says that an initial snapshot has begun and has not ended."""
        offset = self.offset or {}
        return bool(offset.get("snapshot")) and not offset.get("snapshot_completed", False)

    @property
    def lsn(self) -> int | None:
        """The position behind which it goes on: of the last commit, or of the last row it sent."""
        offset = self.offset or {}
        known = [offset[key] for key in ("lsn_commit", "lsn_proc", "lsn") if offset.get(key)]
        return int(known[0]) if known else None

    @property
    def epoch(self) -> str | None:
        """The epoch under which it writes."""
        return None if self.config is None else self.config.get(EPOCH_PROPERTY)

    @property
    def binlog_place(self) -> BinlogPlace | None:
        """The place in a binary log from which it goes on."""
        offset = self.offset or {}
        if not isinstance(offset.get("file"), str):
            return None
        return BinlogPlace(offset["file"], int(offset.get("pos", 0)))


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """A replication slot; positions are LSNs as numbers."""

    name: str
    active_pid: int | None = None
    restart_lsn: int | None = None
    confirmed_lsn: int | None = None
    wal_status: str | None = None
    safe_wal_bytes: int | None = None
    failover: bool = False
    synced: bool = False
    invalidation: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the log that it needs is gone: nothing can be read from it any more."""
        return self.wal_status == "lost" or self.invalidation is not None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint: where it stands in the log, and the next transaction's number at it."""

    lsn: int = 0
    next_xid: int = 0


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The legacy database: which one it is, how far its log has come, and a module's side of it.

    In recovery there is no `timeline`, and `lsn` is how far the standby has replayed. `next_xid` is
    the number of the next transaction; `checkpoint` the last one, which even a crash keeps. By
    `waits_for` failover slots never run ahead of standbys; `standbys_gone` are those of them by
    which nobody streams.
    """

    system: str
    timeline: int | None
    lsn: int
    slot: SlotFacts | None
    publication: Publication | None
    next_xid: int = 0
    checkpoint: Checkpoint = Checkpoint()
    waits_for: tuple[str, ...] = ()
    standbys_gone: tuple[str, ...] = ()

    @property
    def in_recovery(self) -> bool:
        """Whether it is a standby."""
        return self.timeline is None

    @property
    def lag_bytes(self) -> int | None:
        """How much log the connector has not confirmed yet."""
        if self.slot is None or self.slot.confirmed_lsn is None:
            return None
        return max(0, self.lsn - self.slot.confirmed_lsn)

    @property
    def retained_bytes(self) -> int | None:
        """How much log the slot keeps on the disk."""
        if self.slot is None or self.slot.restart_lsn is None:
            return None
        return max(0, self.lsn - self.slot.restart_lsn)


class BinlogPlace(NamedTuple):
    """A place in a binary log."""

    file: str
    offset: int

    @property
    def number(self) -> int:
        """One number that rises with the log: the hub keeps a transaction's as its position."""
        digits = self.file.rpartition(".")[2]
        return (int(digits) if digits.isdecimal() else 0) << _OFFSET_BITS | self.offset

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"


@dataclass(frozen=True, slots=True)
class BinlogFacts:
    """The binary log of MariaDB or MySQL: its files and their sizes, oldest first.

    `oldest_gtids` is the position at which the oldest file begins, `gtids` the one at which the log
    ends, and `is_exact` whether that is the end of the newest file. MySQL tells of neither.
    """

    files: tuple[tuple[str, int], ...]
    oldest_gtids: str = ""
    gtids: str | None = None
    is_exact: bool = False
    server_id: int | None = None

    @property
    def end(self) -> BinlogPlace | None:
        """Where the next transaction will stand."""
        return BinlogPlace(*self.files[-1]) if self.files else None

    def lag_bytes(self, file: str, position: int) -> int | None:
        """Say how much of the log lies behind a place in it; None where that file is gone."""
        names = [name for name, _ in self.files]
        if file not in names:
            return None
        begin = names.index(file)
        return max(0, sum(size for _, size in self.files[begin:]) - position)


@dataclass(frozen=True, slots=True)
class SeenSource:
    """What was seen of a legacy database before: which one, its timeline, its highest position.

    `went_back`: it was found behind that, and may have passed it again since. `waited`: its
    failover slots did not run ahead of its standbys.
    """

    system: str
    timeline: int | None
    lsn: int
    checkpoint: Checkpoint = Checkpoint()
    went_back: bool = False
    waited: bool = False


@dataclass(frozen=True, slots=True)
class SeenBinlog:
    """A place at which a server's binary log ended once, and the GTIDs up to there."""

    server_id: int | None
    place: BinlogPlace
    gtids: str


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The ends of a change log: its offsets, and when its last record was written (ms, or None).

    `high` is how far it can be read, `end` how far it is written: between them a transaction is
    open.
    """

    low: int
    high: int
    last_ms: int | None
    end: int = 0

    @property
    def held_at(self) -> int | None:
        """The offset at which the first open transaction begins."""
        return self.high if self.end > self.high else None


@dataclass(frozen=True, slots=True)
class TranslatorFacts:
    """How far a module's translator is, as the hub has it."""

    epoch: int
    lsn: int
    offset: int
    snapshot: str
    incremental: bool
    emissions: int


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """One module's capture at `now_ms`; `wanted` is its connector's declared config.

    What only somebody who keeps watching knows: `seen` of the legacy database in this epoch,
    `agreed`, the config in which declaration and Connect were last equal, for how long it has been
    `running_s`, and its log held by one open transaction, `held_s`. `at_seen` is what stands in the
    binary log now where it ended when it was `seen_binlog`: the next transaction's GTID, or
    NO_EVENT.
    """

    module: str
    now_ms: int
    connector: ConnectorFacts
    wanted: Mapping[str, str] | None = None
    wanted_publication: Publication | None = None
    source: SourceFacts | None = None
    binlog: BinlogFacts | None = None
    log: LogFacts | None = None
    translator: TranslatorFacts | None = None
    seen: SeenSource | None = None
    agreed: Mapping[str, str] | None = None
    running_s: float | None = None
    seen_binlog: SeenBinlog | None = None
    at_seen: str | None = None
    held_s: float | None = None

    @property
    def epoch(self) -> str | None:
        """The declared epoch."""
        return None if self.wanted is None else self.wanted.get(EPOCH_PROPERTY)

    @property
    def lag_bytes(self) -> int | None:
        """How much of the legacy database's log the connector has not confirmed."""
        place = self.connector.binlog_place
        if self.binlog is not None and place is not None:
            return self.binlog.lag_bytes(*place)
        return None if self.source is None else self.source.lag_bytes

    @property
    def silence_s(self) -> float | None:
        """How old the last record of the change log is."""
        if self.log is None or self.log.last_ms is None:
            return None
        return max(0.0, (self.now_ms - self.log.last_ms) / 1000)


def format_bytes(number: int) -> str:
    """Write a number of bytes in the unit that a person reads best."""
    size = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - the step of the units
            return f"{size:.3g} {unit}" if unit != "bytes" else f"{number} bytes"
        size /= 1000
    return f"{size:.3g} TB"


def format_lsn(lsn: int) -> str:
    """Write a position as PostgreSQL does."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
