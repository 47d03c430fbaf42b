"""A binary log as a test makes it, and the change log that MariaDB's connector makes of it.

Enters: transactions, and after which records the connector starts again. Leaves: decoded records.
What a restart repeats, leaves out and counts anew is as `fidelity_mariadb_real` sees it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from adapters.binlog_position import Gtid, make_position
from adapters.envelope import Heartbeat, Notification, RowChange
from adapters.mariadb_envelope import GtidBegin, GtidEnd, MariaDBRecord
from adapters.mariadb_schema_change import SchemaChange

FILE = "bin.000007"
TABLE, BARRIER = "t", "isthmus_barrier"
SKIPPED = Notification("Initial Snapshot", "SKIPPED", {})


@dataclass(frozen=True, slots=True)
class BinlogRow:
    """A row of an event: c, u, d, or m for one whose key changes (two records)."""

    operation: str
    key: int
    table: str = TABLE


@dataclass(frozen=True, slots=True)
class BinlogEntry:
    """A transaction: events of rows. Or a `statement`, t for TRUNCATE, else DDL: it has no END.

    Nor has a transaction that was `rolled_back` but is logged.
    """

    gtid: Gtid
    events: tuple[tuple[BinlogRow, ...], ...] = ()
    statement: str = ""
    rolled_back: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A record, and the offset that Connect keeps with it: how much of its entry is done."""

    record: MariaDBRecord
    entry: int
    events: int = 0
    rows: int = 0
    passed: bool = False
    is_lossy: bool = False


@dataclass(slots=True)
class Connector:
    """Writes the change log of a binary log; `heartbeats` are behind every event and entry."""

    entries: list[BinlogEntry]
    heartbeats: bool = False
    time_us: int = 1_000_000
    lost: list[RowChange] = field(default_factory=list)

    def write(self, restarts: Collection[int] = ()) -> list[MariaDBRecord]:
        """Write the log, with a restart behind each of the records whose places are given."""
        log: list[MariaDBRecord] = []
        left = sorted(set(restarts))
        stream = self.write_from(0)
        while (written := next(stream, None)) is not None:
            log.append(written.record)
            if left and left[0] <= len(log):
                left.pop(0)
                if written.is_lossy:
                    self.lost.append(next(stream).record)  # type: ignore[arg-type]
                log.append(SKIPPED)
                following = written.entry + 1 if written.passed else written.entry
                stream = self.write_from(following, written.events, written.rows)
        return log

    def write_from(self, entry: int, events: int = 0, rows: int = 0) -> Iterator[Written]:
        """Write the log from an offset on."""
        for number in range(entry, len(self.entries)):
            yield from self.write_entry(number, events, rows)
            events = rows = 0

    def write_entry(self, number: int, events: int = 0, rows: int = 0) -> Iterator[Written]:
        """Write one transaction or statement, without what was done of it."""
        entry = self.entries[number]
        yield Written(GtidBegin(entry.gtid), number)
        if entry.statement:
            yield Written(self._write_statement(number, entry.statement), number)
            return
        order = 0
        for event, content in enumerate(entry.events):
            if event < events:
                continue
            skipped = rows if event == events else 0
            if skipped >= len(content) > 0:
                continue
            for place, row in enumerate(content):
                if place < skipped:
                    continue
                operations = "dc" if row.operation == "m" else row.operation
                for operation in operations:
                    order += 1
                    change = self._make_row(number, (event, place), row, operation, order)
                    is_lossy = len(operations) == len("dc") and operation == "d"
                    yield Written(change, number, event, place + 1, is_lossy=is_lossy)
            if self.heartbeats:
                yield Written(Heartbeat(), number, event)
        if entry.rolled_back:
            return
        yield Written(GtidEnd(entry.gtid, order), number, len(entry.events))
        if self.heartbeats:
            yield Written(Heartbeat(), number, passed=True)

    def _write_statement(self, number: int, statement: str) -> MariaDBRecord:
        if statement == "t":
            return self._make_row(number, (0, 0), BinlogRow("t", 0), "t", 1)
        return SchemaChange(statement, (), read=False)

    def _make_row(
        self, number: int, place: tuple[int, int], row: BinlogRow, operation: str, order: int
    ) -> RowChange:
        image = b'{"id":"%d"}' % row.key
        return RowChange(
            table=row.table,
            operation=operation,
            key=None if operation == "t" else image,
            after=None if operation in "dt" else image,
            before=None if operation in "ct" else image,
            txid=self.entries[number].gtid.sequence,
            order=order,
            link=None,
            lsn=make_position(FILE, 1000 * (number + 1) + place[0]),
            time_us=self._time(number),
            row=place[1],
        )

    def _time(self, number: int) -> int:
        return self.time_us + number
