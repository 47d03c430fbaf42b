"""Applies the steps of a change log to the hub, within one transaction of the hub.

Enters: steps in order. Leaves: mirror rows, events, letters, requests, barriers and the module's
marks; or nothing at all, when anything fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapters.change_steps import (
    Barrier,
    Doubt,
    EpochStarted,
    IncrementalRow,
    SnapshotCompleted,
    SnapshotRow,
    SnapshotStarted,
    SpillChunk,
    SpillDropped,
    Step,
    TableChanged,
    Transaction,
)
from adapters.envelope import make_time
from adapters.log_state import LogState
from pipeline.failpoints import pass_failpoint
from pipeline.hub.modules import ModuleMarks
from pipeline.translate.batch import DecodedTransaction, load_rows, make_moment
from pipeline.translate.event_maker import Moment, Outcome
from pipeline.translate.huge_transaction import translate_huge
from pipeline.translate.incremental import land_incremental_rows
from pipeline.translate.snapshot import complete_snapshot, land_snapshot_rows
from pipeline.translate.working_set import Roles

if TYPE_CHECKING:
    from adapters.aggregate import Adapter
    from pipeline.translate.landing import Landing


class HubWriter:
    """Writes batches of one module; `write` is called within the caller's hub transaction."""

    def __init__(self, landing: Landing, adapters: Sequence[Adapter], marks: ModuleMarks) -> None:
        self._landing = landing
        self._adapters = adapters
        self._marks = marks
        self._epoch = marks.log.epoch
        self._run = marks.log.snapshot_run
        self._actions: dict[type, Callable[[list[Any]], None]] = {
            Transaction: self._translate,
            SnapshotRow: self._land_snapshot,
            IncrementalRow: self._land_incremental,
            SpillChunk: self._spill,
            SpillDropped: self._drop_spill,
            Barrier: self._pass_barriers,
            Doubt: self._note_doubts,
            SnapshotStarted: self._start_snapshot,
            SnapshotCompleted: self._complete_snapshot,
            EpochStarted: self._start_epoch,
            TableChanged: self._change_tables,
        }

    def write(self, steps: Iterable[Step], log: LogState, offset: int) -> ModuleMarks:
        """Apply `steps`, then the marks: `log` is the state that belongs to `offset`."""
        for kind, run in itertools.groupby(steps, type):
            self._actions[kind](list(run))
        pass_failpoint("translate.after_landing")
        self._marks = replace(
            self._marks,
            log=log,
            source_offset=offset,
            next_number=self._landing.next_number,
        )
        self._landing.hub.save_marks(self._marks)
        return self._marks

    def _translate(self, transactions: list[Transaction]) -> None:
        for huge, run in itertools.groupby(transactions, lambda one: one.spilled > 0):
            if huge:
                for transaction in run:
                    self._see(translate_huge(self._landing, transaction, self._epoch))
            else:
                self._translate_run(list(run))

    def _translate_run(self, transactions: list[Transaction]) -> None:
        landing = self._landing
        decoded = [
            DecodedTransaction(make_moment(one, self._epoch), landing.decode(one.changes))
            for one in transactions
        ]
        writes = list(itertools.chain.from_iterable(one.writes for one in decoded))
        translation = landing.new_translation()
        load_rows(translation.rows, landing.roles, landing.mirror, writes)
        for one in decoded:
            translation.apply(one)
        landing.keep_outcome(translation.outcome)
        landing.land(translation, decoded[-1].moment)
        landing.facts.transactions += len(decoded)
        landing.facts.rows += len(writes)
        self._see(decoded[-1].moment)

    def _see(self, moment: Moment) -> None:
        self._marks = replace(self._marks, source_time=moment.time)

    def _land_snapshot(self, steps: list[SnapshotRow]) -> None:
        changes = [step.change for step in steps]
        land_snapshot_rows(self._landing, changes, self._epoch, self._run)
        self._marks = replace(self._marks, source_time=make_time(changes[-1].time_us))

    def _land_incremental(self, steps: list[IncrementalRow]) -> None:
        changes = [step.change for step in steps]
        time = make_time(changes[-1].time_us)
        moment = Moment(self._epoch, steps[-1].lsn, 0, time, None)
        land_incremental_rows(self._landing, changes, moment)

    def _spill(self, steps: list[SpillChunk]) -> None:
        for step in steps:
            self._landing.hub.spill_changes(step.first, step.changes)
            self._landing.facts.done.append(f"spilled {len(step.changes)} rows")

    def _drop_spill(self, steps: list[SpillDropped]) -> None:
        self._landing.hub.drop_spill()
        self._landing.facts.done.append(f"dropped the spill of transaction {steps[-1].txid}")

    def _pass_barriers(self, steps: list[Barrier]) -> None:
        for step in steps:
            moment = Moment(self._epoch, step.lsn, 0, make_time(step.time_us), None)
            event = self._landing.maker.make_barrier(step.id, moment)
            number = self._landing.next_number
            self._landing.keep_outcome(Outcome(events=[event]))
            self._landing.hub.add_barrier(step.id, (self._epoch, step.lsn), number)
            self._landing.facts.done.append(f"barrier {step.id}")

    def _note_doubts(self, steps: list[Doubt]) -> None:
        for step in steps:
            position = (self._epoch, step.lsn)
            self._landing.hub.note_doubt(position, step.txid, step.offset, step.reason)
            what = step.reason or f"a connector started within transaction {step.txid}"
            self._landing.facts.done.append(f"{what}: reconcile")

    def _start_epoch(self, steps: list[EpochStarted]) -> None:
        self._epoch = steps[-1].epoch
        self._landing.facts.done.append(f"epoch {self._epoch} started")

    def _change_tables(self, steps: list[TableChanged]) -> None:
        """Let the mirror follow what DDL says; what stands behind it is read as it says."""
        landing = self._landing
        changed = [landing.hub.change_table(step) for step in steps]
        if any(changed):
            landing.mirror = landing.hub.open_mirror()
            landing.roles = Roles(landing.module, self._adapters, landing.mirror.codecs)
            names = {step.definition.name for step in steps}
            landing.facts.done.append(f"table changed: {', '.join(sorted(names))}")

    def _start_snapshot(self, steps: list[SnapshotStarted]) -> None:
        self._run = steps[-1].run
        self._landing.facts.done.append(f"snapshot {self._run} started")

    def _complete_snapshot(self, steps: list[SnapshotCompleted]) -> None:
        for step in steps:
            complete_snapshot(self._landing, self._adapters, step.tables, step.run)
