"""Assembles a module's change log of MariaDB into whole transactions and proves what it can.

Enters: decoded records in order. Leaves: the steps of `change_steps` and the state to resume from.
Every transaction of the server is announced: its GTID's sequence must follow the last one, or the
log has a hole. What that proves, and what it can't, is in docs/adr/0008-mariadb-positions.md.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import msgspec
from msgspec.structs import replace as replace_struct

from adapters.change_log import SPILL_ROWS
from adapters.change_steps import (
    Barrier,
    Doubt,
    EpochStarted,
    IncrementalRow,
    SnapshotRow,
    SpillChunk,
    SpillDropped,
    Step,
    TableChanged,
    Transaction,
)
from adapters.envelope import Heartbeat, Notification, RowChange
from adapters.errors import Fatal
from adapters.log_notices import follow_snapshot, refuse_older_epoch
from adapters.log_state import BinlogState, BinlogTransaction, LogState
from adapters.mariadb_envelope import GtidBegin, GtidEnd, MariaDBRecord
from adapters.mariadb_schema_change import SchemaChange

_AGAIN = "take a new snapshot under a new epoch"


@dataclass(frozen=True, slots=True)
class MariaDBTables:
    """The tables of a log: a module's own in `schema`, and those that are never mirrored.

    A row inserted into `barrier` is a barrier; rows of `signal` are Debezium's own.
    """

    schema: str
    captured: frozenset[str]
    barrier: str | None = None
    signal: str | None = None


class MariaDBLog:
    """The assembler of one module's log: feed it records in order, take the steps.

    `state` may be stored with everything before `resume_offset`; reading again from there with
    that state gives the same steps again.
    """

    def __init__(
        self,
        module: str,
        tables: MariaDBTables,
        state: LogState,
        offset: int,
        *,
        spill_rows: int = SPILL_ROWS,
    ) -> None:
        self.module = module
        self._spill_rows = spill_rows
        self._tables = tables
        self.state = state
        self._binlog = state.binlog or BinlogState()
        self._open = copy.deepcopy(self._binlog.open)
        self._stored_open = self._binlog.open
        self.resume_offset = offset
        self._changes: list[RowChange] = []

    def stored_state(self) -> LogState:
        """Return the state that belongs to `resume_offset`: what is only in memory is not in it."""
        opened = copy.deepcopy(self._stored_open)
        return replace(self.state, binlog=replace_struct(self._binlog, open=opened))

    def feed(self, record: MariaDBRecord, offset: int, epoch: int | None) -> list[Step]:
        """Take the record at `offset`; `epoch` is its header's, None where it was not read."""
        steps: list[Step] = []
        if epoch is not None and epoch != self.state.epoch:
            steps += self._enter_epoch(epoch, offset)
        if isinstance(record, RowChange):
            steps += self._take_row(record, offset)
        elif isinstance(record, GtidEnd):
            steps += self._take_end(record, offset)
        elif isinstance(record, GtidBegin):
            steps += self._take_begin(record, offset)
        elif isinstance(record, SchemaChange):
            steps += self._take_schema_change(record, offset)
        elif isinstance(record, Notification):
            steps += self._take_notification(record)
        else:
            assert isinstance(record, Heartbeat)  # noqa: S101 - the set is closed
        self._pass(offset)
        return steps

    def skip(self, offset: int) -> None:
        """Pass a record that could not be decoded: END's count tells whether it was a row."""
        self._pass(offset)

    def _pass(self, offset: int) -> None:
        """Resume behind this record, unless it may be part of what has not ended."""
        if self._open is None:
            self.resume_offset, self._stored_open = offset + 1, None

    def _enter_epoch(self, epoch: int, offset: int) -> list[Step]:
        refuse_older_epoch(self.module, self.state, epoch, offset)
        opened = self._open
        self.state = LogState(epoch=epoch, snapshot_run=self.state.snapshot_run)
        self._binlog, self._open, self._stored_open, self._changes = BinlogState(), None, None, []
        steps: list[Step] = [EpochStarted(epoch)]
        if opened is not None and opened.spilled:
            steps.insert(0, SpillDropped(opened.sequence))
        return steps

    def _take_begin(self, record: GtidBegin, offset: int) -> list[Step]:
        domain, sequence = record.gtid
        opened = self._open
        if opened is not None and (opened.domain, opened.sequence) == record.gtid:
            self._begin_again(opened, offset)
            return []
        steps = [] if opened is None else self._leave_endless(opened, offset)
        steps += self._doubt_domain(record, offset)
        passed = self._has_passed(record, offset)
        self._open = BinlogTransaction(domain, sequence, passed=passed)
        self.resume_offset, self._stored_open, self._changes = offset, None, []
        return steps

    def _begin_again(self, opened: BinlogTransaction, offset: int) -> None:
        """Take up a transaction that a connector started again in: its rest comes, or all of it."""
        if opened.wrapped:
            raise Fatal(
                f"{self._name(opened, offset)} is longer than 4 GiB, and a connector started "
                f"again within it: which rows were sent already can't be told; {_AGAIN}"
            )
        opened.again, opened.order = True, 0
        if opened.lsn and opened.doubted is None:
            opened.doubted = offset

    def _has_passed(self, record: GtidBegin, offset: int) -> bool:
        """Tell whether a transaction was translated before; Fatal when one is missing before it."""
        domain, sequence = record.gtid
        last = self._binlog.sequences.get(domain)
        if last is None or sequence == last + 1:
            return False
        if sequence > last:
            raise Fatal(
                f"module {self.module}, offset {offset}: transaction {sequence} of GTID domain "
                f"{domain} follows {last}: transactions are missing from the log (or from the "
                f"server's: a filtered replica, gtid_seq_no set by hand); {_AGAIN}"
            )
        return True

    def _doubt_domain(self, record: GtidBegin, offset: int) -> list[Step]:
        """Doubt what stands before the first transaction of a domain that none was known of."""
        domain, sequence = record.gtid
        known = self._binlog.sequences
        if not known or domain in known or sequence == 1:
            return []
        reason = (
            f"GTID domain {domain} appears for the first time, with transaction {sequence}: "
            "whether others came before it is not known"
        )
        return [Doubt(sequence, self.state.lsn, offset, reason)]

    def _refuse_reset(self, opened: BinlogTransaction, row: RowChange, offset: int) -> None:
        """Refuse what can't be a repetition: it is newer than all that was read before.

        BEGIN has no time of its own: Debezium gives it that of the event before.
        """
        if row.time_us > self._binlog.time_us:
            raise Fatal(
                f"{self._name(opened, offset)} is new, but its number is not: the server counts "
                "anew (RESET MASTER, a restored backup, another server); raise `epoch` in the "
                "declaration and take a new snapshot"
            )

    def _leave_endless(self, opened: BinlogTransaction, offset: int) -> list[Step]:
        """Leave what has no END: mostly a DDL statement, of whatever database.

        Its rows are void. MariaDB logs a transaction that is rolled back where it made a temporary
        table, with ROLLBACK at its end. An XA transaction has nothing there: Debezium writes its
        rows when it is prepared, and never what becomes of it.
        """
        self._close(opened)
        steps: list[Step] = [SpillDropped(opened.sequence)] if opened.spilled else []
        if opened.lsn and not opened.has_ddl:
            reason = (
                f"transaction {opened.sequence} of GTID domain {opened.domain} has no END: an XA "
                "transaction, whose changes are left out"
            )
            steps.append(Doubt(opened.sequence, opened.lsn, offset, reason))
        return steps

    def _close(self, opened: BinlogTransaction) -> list[RowChange]:
        """Take the open transaction for done; return the rows that are not spilled."""
        self._open, self._stored_open = None, None
        changes, self._changes = self._changes, []
        if not opened.passed:
            sequences = {**self._binlog.sequences, opened.domain: opened.sequence}
            time_us = max(self._binlog.time_us, opened.time_us)
            self._binlog = BinlogState(sequences, time_us)
            if opened.lsn:
                self.state = replace(self.state, lsn=opened.lsn)
        return changes

    def _take_row(self, row: RowChange, offset: int) -> list[Step]:
        is_own = row.table in {self._tables.signal, self._tables.barrier}
        if row.operation == "r":
            return [] if is_own else self._take_read(row)
        opened = self._open
        if opened is None or row.txid != opened.sequence:
            raise Fatal(
                f"module {self.module}, offset {offset}: a change of transaction {row.txid} stands "
                "outside its BEGIN and END: the connector must have provide.transaction.metadata "
                "and the log one partition; correct the declaration and take a new snapshot"
            )
        if not self._take_place(opened, row, offset):
            return []
        if row.operation == "t":
            return self._end_truncate(opened, row, is_own=is_own)
        if is_own:
            self._note_barrier(opened, row)
            return []
        self._changes.append(row)
        if len(self._changes) < self._spill_rows:
            return []
        self.resume_offset = offset + 1
        return [self._spill(opened)]

    def _take_read(self, row: RowChange) -> list[Step]:
        if not row.incremental:
            return [SnapshotRow(row)]
        return [IncrementalRow(row, self.state.lsn)]

    def _take_place(self, opened: BinlogTransaction, row: RowChange, offset: int) -> bool:
        """Check that a row is the next of the open transaction; False: it was taken before."""
        if row.order != opened.order + 1:
            raise Fatal(
                f"{self._name(opened, offset)}: change {row.order} follows change {opened.order}: "
                f"changes are missing from the log; {_AGAIN}"
            )
        opened.order = row.order
        if opened.passed:
            self._refuse_reset(opened, row, offset)
            return False
        step = int(row.operation == "c")  # a moved row is a delete and a create
        place = (row.lsn, row.row, step)
        if place <= opened.last and row.operation != "t":
            if opened.again:
                return False
            opened.wrapped = True
        if not opened.lsn:
            self._check_position(opened, row, offset)
            opened.lsn = row.lsn
        opened.last, opened.again = place, False
        opened.time_us = max(opened.time_us, row.time_us)
        return True

    def _check_position(self, opened: BinlogTransaction, row: RowChange, offset: int) -> None:
        if row.lsn <= self.state.lsn:
            raise Fatal(
                f"{self._name(opened, offset)} stands before what was read already: the server's "
                "binary log begins anew (RESET MASTER, a restored backup, another server); raise "
                "`epoch` in the declaration and take a new snapshot"
            )

    def _end_truncate(
        self, opened: BinlogTransaction, row: RowChange, *, is_own: bool
    ) -> list[Step]:
        """End the statement that TRUNCATE is: MariaDB's connector never writes an END for it."""
        self._close(opened)
        return [] if is_own else self._make_steps(opened, row.time_us, [row])

    def _note_barrier(self, opened: BinlogTransaction, row: RowChange) -> None:
        if row.table != self._tables.barrier or row.operation != "c" or row.after is None:
            return
        try:
            barrier = msgspec.json.decode(row.after, type=dict[str, msgspec.Raw]).get("id")
            if barrier is not None:
                opened.barriers.append(msgspec.json.decode(barrier, type=str))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # rubbish in a barrier's place is none

    def _spill(self, opened: BinlogTransaction) -> SpillChunk:
        chunk = SpillChunk(opened.sequence, opened.spilled, tuple(self._changes))
        opened.spilled += len(self._changes)
        self._changes = []
        self._stored_open = copy.deepcopy(opened)
        return chunk

    def _take_end(self, end: GtidEnd, offset: int) -> list[Step]:
        opened, (domain, sequence) = self._open, end.gtid
        if opened is None and sequence <= self._binlog.sequences.get(domain, -1):
            return []
        if opened is None or (opened.domain, opened.sequence) != end.gtid:
            raise Fatal(
                f"module {self.module}, offset {offset}: END of transaction {sequence} of GTID "
                f"domain {domain} without its BEGIN: the log has a hole; {_AGAIN}"
            )
        if opened.order != end.event_count:
            raise Fatal(
                f"{self._name(opened, offset)} has {opened.order} of its {end.event_count} "
                f"changes in the log; {_AGAIN}"
            )
        changes = self._close(opened)
        if opened.passed:
            return []
        return self._make_steps(opened, opened.time_us, changes)

    def _make_steps(
        self, opened: BinlogTransaction, time_us: int, changes: list[RowChange]
    ) -> list[Step]:
        lsn, sequence = opened.lsn, opened.sequence
        steps: list[Step] = []
        if changes or opened.spilled:
            spilled, domain = opened.spilled, opened.domain
            steps.append(Transaction(sequence, lsn, time_us, tuple(changes), spilled, domain))
        if opened.doubted is not None:
            steps.append(Doubt(sequence, lsn, opened.doubted))
        return steps + [Barrier(barrier, lsn, time_us) for barrier in opened.barriers]

    def _take_schema_change(self, change: SchemaChange, offset: int) -> list[Step]:
        if self._open is not None:
            self._open.has_ddl = True
        steps: list[Step] = []
        for table in change.tables:
            if table.schema != self._tables.schema or table.name not in self._tables.captured:
                continue
            if table.definition is not None:
                steps.append(TableChanged(table.definition, change.ddl, table.defaults))
            elif not change.read:  # a snapshot says that it drops what it is about to define
                raise Fatal(
                    f"module {self.module}, offset {offset}: table {table.name} was dropped in the "
                    "legacy database: take it out of the declaration, and start again"
                )
        return steps

    def _take_notification(self, record: Notification) -> list[Step]:
        before = self.state.snapshot_run
        self.state, steps = follow_snapshot(self.state, record)
        if self.state.snapshot_run != before:  # what follows it may begin anywhere
            self._binlog = replace_struct(self._binlog, sequences={})
        return steps

    def _name(self, opened: BinlogTransaction, offset: int) -> str:
        return (
            f"module {self.module}, offset {offset}: transaction {opened.sequence} of GTID domain "
            f"{opened.domain}"
        )
