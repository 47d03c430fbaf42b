"""Assembles a module's change log into whole transactions and proves that nothing is missing.

Enters: decoded records in order. Leaves: what is to be done (land snapshot rows, translate a
transaction, pass a barrier, ...) and the state to resume from. Pure: no clock, network or logger.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import NamedTuple

import msgspec

from adapters.change_steps import (
    Barrier,
    Doubt,
    EpochStarted,
    IncrementalRow,
    SnapshotRow,
    SpillChunk,
    SpillDropped,
    Step,
    Transaction,
)
from adapters.envelope import (
    Begin,
    ChangeRecord,
    End,
    Heartbeat,
    LogicalMessage,
    Notification,
    RowChange,
    digest_row,
)
from adapters.errors import Fatal
from adapters.log_notices import follow_snapshot, is_restart, refuse_older_epoch
from adapters.log_state import LogState, OpenTransaction

BARRIER_PREFIX = "isthmus.barrier"
SPILL_ROWS = 10_000
"""A transaction of more rows is spilled to the hub in chunks of this many, to bound memory."""


class _Interrupted(NamedTuple):
    """A transaction that another BEGIN came into, until the log says what became of it.

    Two things are known of Debezium's PostgreSQL connector when it starts again within one. If
    commits that it had sent already lie behind the transaction's last row, it announces those once
    more, without rows, and then goes on with the REST of the rows after a second BEGIN, counting
    from 1. And if the last thing that it had sent was a heartbeat, END may be lost: its offset
    is behind the commit already. `begun_at` is the offset of the newest BEGIN.
    """

    opened: OpenTransaction
    changes: list[RowChange]
    time_us: int
    begun_at: int


class ChangeLog:
    """The assembler of one module's log: feed it records in order, take the steps.

    `state` may be stored with everything before `resume_offset`; reading again from there with
    that state gives the same steps again. Rows of `signal_table` are Debezium's own: its watermarks
    around what an incremental snapshot reads.
    """

    def __init__(
        self, module: str, state: LogState, offset: int, signal_table: str | None = None
    ) -> None:
        self.module = module
        self._signal_table = signal_table
        self.state = state
        self.resume_offset = offset
        self._changes: list[RowChange] = []
        self._stored_open = copy.deepcopy(state.open)
        self._interrupted: _Interrupted | None = None
        self._time_us = 0

    def stored_state(self) -> LogState:
        """Return the state that belongs to `resume_offset`: what is only in memory is not in it."""
        return replace(self.state, open=copy.deepcopy(self._stored_open))

    def feed(self, record: ChangeRecord, offset: int, epoch: int | None) -> list[Step]:
        """Take the record at `offset`; `epoch` is its header's, None where it was not read."""
        steps: list[Step] = []
        if epoch is not None and epoch != self.state.epoch:
            steps += self._enter_epoch(epoch, offset)
        if isinstance(record, RowChange):
            steps += self._take_row(record, offset)
        elif isinstance(record, End):
            steps += self._take_end(record, offset)
        elif isinstance(record, Begin):
            steps += self._take_begin(record, offset)
        elif isinstance(record, LogicalMessage):
            steps += self._take_message(record, offset)
        elif isinstance(record, Notification):
            steps += self._take_notification(record, offset)
        else:
            assert isinstance(record, Heartbeat)  # noqa: S101 - the set is closed
            if self.state.open is not None:
                self.state.open.heartbeat = True
        self._pass(offset)
        return steps

    def skip(self, offset: int) -> None:
        """Pass a record that could not be decoded: END's count tells whether it was a row."""
        self._pass(offset)

    def _pass(self, offset: int) -> None:
        """Resume behind this record, unless it may be part of what has not ended."""
        if self.state.open is None and self._interrupted is None:
            self.resume_offset = offset + 1

    def _enter_epoch(self, epoch: int, offset: int) -> list[Step]:
        refuse_older_epoch(self.module, self.state, epoch, offset)
        opened = self._interrupted.opened if self._interrupted is not None else self.state.open
        self.state = LogState(epoch=epoch, snapshot_run=self.state.snapshot_run)
        self._changes, self._stored_open, self._interrupted = [], None, None
        steps: list[Step] = [EpochStarted(epoch)]
        if opened is not None and opened.spilled:
            steps.insert(0, SpillDropped(opened.txid))
        return steps

    def _take_begin(self, record: Begin, offset: int) -> list[Step]:
        opened, interrupted = self.state.open, self._interrupted
        if opened is not None and opened.txid == record.txid:
            opened.again = True
            return []
        if interrupted is not None and interrupted.opened.txid == record.txid:
            opened, self._changes, self._time_us, _ = interrupted
            opened.again = True
            self._interrupted = None
            self.state = replace(self.state, open=opened)
            return []
        if opened is not None and (opened.order or opened.before):
            self._interrupted = _Interrupted(opened, self._changes, self._time_us, offset)
        elif interrupted is not None:
            self._interrupted = interrupted._replace(begun_at=offset)
        else:
            self.resume_offset, self._stored_open = offset, None
        self.state, self._changes = replace(self.state, open=OpenTransaction(record.txid)), []
        return []

    def _take_row(self, row: RowChange, offset: int) -> list[Step]:
        is_signal = row.table == self._signal_table
        if row.operation == "r":
            return [] if is_signal else self._take_read(row)
        if not self._take_place(row, offset):
            return []
        steps = self._end_endless(row.link, offset)
        if self._interrupted is not None:  # of a transaction that was translated before
            return []
        self._time_us = row.time_us
        if is_signal:
            return steps
        self._changes.append(row)
        if len(self._changes) < SPILL_ROWS:
            return steps
        self.resume_offset = offset + 1
        return [*steps, self._spill()]

    def _take_read(self, row: RowChange) -> list[Step]:
        if not row.incremental:
            return [SnapshotRow(row)]
        return [IncrementalRow(row, self.state.lsn)]

    def _take_place(self, record: RowChange | LogicalMessage, offset: int) -> bool:
        """Check that a row or message is the next of the open transaction; False: seen before."""
        opened, txid, order = self.state.open, record.txid, record.order
        if opened is None or txid != opened.txid:
            raise Fatal(
                f"module {self.module}, offset {offset}: a change of transaction {txid} stands "
                f"outside its BEGIN and END: the connector must have provide.transaction.metadata "
                "and the log one partition; correct the declaration and take a new snapshot"
            )
        if opened.again:
            self._take_up(opened, record)
        if order <= opened.order and record.lsn <= opened.lsn:
            return False  # sent again after a restart within it; END's count proves it
        if opened.order == 0 and not opened.before:
            opened.first = order  # not 1: a connector went back into it; END tells if it matters
            opened.head = digest_row(record) if isinstance(record, RowChange) else b""
        elif order != opened.order + 1:
            raise Fatal(
                f"module {self.module}, offset {offset}: change {order} of transaction {txid} "
                f"follows change {opened.order}: changes are missing from the log; take a new "
                "snapshot under a new epoch"
            )
        opened.order, opened.lsn = order, record.lsn
        opened.heartbeat = opened.restarted = False
        if record.link not in opened.links:
            opened.links.append(record.link)
        return True

    def _take_up(self, opened: OpenTransaction, record: RowChange | LogicalMessage) -> None:
        """Tell by the first change after a second BEGIN: the rest of it comes, or all of it again.

        Rows of one COPY share a position: among these, the first one tells itself.
        """
        opened.again = False
        if record.order != 1:
            return
        goes_on = record.lsn > opened.lsn
        if record.lsn == opened.lsn and isinstance(record, RowChange):
            goes_on = digest_row(record) != opened.head
        if goes_on:
            opened.before, opened.order = opened.before + opened.order, 0
        else:
            opened.before, opened.order = 0, opened.before + opened.order

    def _end_endless(self, lsn: int | None, offset: int) -> list[Step]:
        """End an interrupted transaction whose END was lost at `lsn`, where what follows links to.

        All of its rows stand in the log before the heartbeat, which stands before the position that
        the connector went on from: only END's count can't be checked.
        """
        if self._interrupted is None or lsn is None:
            return []
        opened, changes, time_us, begun_at = self._interrupted
        if not opened.restarted or lsn <= max(opened.lsn, self.state.lsn):
            return []
        self._check_chain(opened, offset)
        self._interrupted = None
        self.resume_offset, self._stored_open = begun_at, None
        self.state = replace(self.state, lsn=lsn, link=lsn)
        return _make_steps(opened, lsn, time_us, changes)

    def _spill(self) -> SpillChunk:
        opened = self.state.open
        assert opened is not None  # noqa: S101 - only called within a transaction
        chunk = SpillChunk(opened.txid, opened.spilled, tuple(self._changes))
        opened.spilled += len(self._changes)
        self._changes = []
        self._stored_open = copy.deepcopy(opened)
        return chunk

    def _take_end(self, end: End, offset: int) -> list[Step]:
        opened = self.state.open
        if opened is None and end.lsn <= self.state.lsn:
            return []
        if opened is None or opened.txid != end.txid:
            raise Fatal(
                f"module {self.module}, offset {offset}: END of transaction {end.txid} without "
                "its BEGIN: the log has a hole; take a new snapshot under a new epoch"
            )
        changes, self._changes = self._changes, []
        self.state = replace(self.state, open=None)
        if end.lsn <= self.state.lsn:  # translated before: the whole transaction is a duplicate
            if self._interrupted is None:
                self._stored_open = None
            return [SpillDropped(end.txid)] if opened.spilled else []
        ended: list[Step] = []
        if opened.order == 0:  # had it rows, they would have told
            ended = self._end_endless(end.lsn - 1, offset)
        self._refuse_interrupted(offset)
        self._stored_open = None
        self._check_whole(opened, end, offset)
        self.state = replace(self.state, lsn=end.lsn, link=end.lsn)
        return ended + _make_steps(opened, end.lsn, self._time_us, changes)

    def _refuse_interrupted(self, offset: int) -> None:
        if self._interrupted is not None:
            opened = self._interrupted.opened
            raise Fatal(
                f"module {self.module}, offset {offset}: transaction {opened.txid} was begun and "
                f"has {opened.before + opened.order} changes in the log, but neither its rest nor "
                "its END: changes are missing; take a new snapshot under a new epoch"
            )

    def _check_whole(self, opened: OpenTransaction, end: End, offset: int) -> None:
        if opened.again and end.event_count == 0:  # nothing was left of it but END
            opened.before, opened.order = opened.before + opened.order, 0
        if opened.order != end.event_count:
            raise Fatal(
                f"module {self.module}, offset {offset}: transaction {end.txid} has "
                f"{opened.order} of its {end.event_count} changes in the log; take a new snapshot "
                "under a new epoch"
            )
        self._check_chain(opened, offset)

    def _check_chain(self, opened: OpenTransaction, offset: int) -> None:
        if opened.first != 1:
            raise Fatal(
                f"module {self.module}, offset {offset}: transaction {opened.txid} begins with "
                f"change {opened.first}: changes are missing from the log; take a new snapshot "
                "under a new epoch"
            )
        expected = self.state.link
        for link in opened.links:
            if expected is not None and link != expected:
                raise Fatal(
                    f"module {self.module}, offset {offset}: transaction {opened.txid} follows "
                    f"position {link}, but the log's last position is {expected}: transactions are "
                    "missing; take a new snapshot under a new epoch"
                )

    def _take_message(self, message: LogicalMessage, offset: int) -> list[Step]:
        barrier = _read_barrier(message)
        if message.txid is None:
            return self._take_lone_message(message, barrier, offset)
        if not self._take_place(message, offset):
            return []
        steps = self._end_endless(message.link, offset)
        if self._interrupted is None:
            self._time_us = message.time_us
            if barrier is not None and self.state.open is not None:
                self.state.open.barriers.append(barrier)
        return steps

    def _take_lone_message(
        self, message: LogicalMessage, barrier: str | None, offset: int
    ) -> list[Step]:
        """Take a message outside transactions: it never stands within one, which has ended then."""
        if message.lsn <= self.state.lsn:
            return []
        opened = self.state.open
        if opened is not None and (opened.order or opened.before):
            self._interrupted = _Interrupted(opened, self._changes, self._time_us, offset)
            self.state, self._changes = replace(self.state, open=None), []
        steps = self._end_endless(message.lsn, offset)
        self._refuse_interrupted(offset)
        self.state = replace(self.state, lsn=message.lsn, link=message.lsn)
        if barrier is not None:
            steps.append(Barrier(barrier, message.lsn, message.time_us))
        return steps

    def _take_notification(self, record: Notification, offset: int) -> list[Step]:
        if is_restart(record):
            self._take_restart(offset)
        self.state, steps = follow_snapshot(self.state, record)
        return steps

    def _take_restart(self, offset: int) -> None:
        """Note that the connector started; within a transaction that leaves a doubt about it."""
        if self.state.open is not None:
            self.state.open.restarted = self.state.open.heartbeat
            self.state.open.doubted = offset
        if self._interrupted is not None:
            self._interrupted.opened.doubted = offset


def _make_steps(
    opened: OpenTransaction, lsn: int, time_us: int, changes: list[RowChange]
) -> list[Step]:
    steps: list[Step] = []
    if changes or opened.spilled:
        steps.append(Transaction(opened.txid, lsn, time_us, tuple(changes), opened.spilled))
    if opened.doubted is not None:
        steps.append(Doubt(opened.txid, lsn, opened.doubted))
    return steps + [Barrier(barrier, lsn, time_us) for barrier in opened.barriers]


def _read_barrier(message: LogicalMessage) -> str | None:
    """Return the id of a barrier; None for any other message, and for rubbish in its place."""
    if message.prefix != BARRIER_PREFIX:
        return None
    try:
        return msgspec.json.decode(message.content, type=dict[str, str]).get("id")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
