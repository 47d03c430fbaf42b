"""What a log tells of snapshots and epochs: the same for every engine.

Enters: the state of a change log and a notification. Leaves: the state after it, and the steps.
"""

from __future__ import annotations

from dataclasses import replace

from adapters.change_steps import SnapshotCompleted, SnapshotStarted, Step
from adapters.envelope import Notification
from adapters.errors import Fatal
from adapters.log_state import LogState, SnapshotState

INITIAL_SNAPSHOT = "Initial Snapshot"
INCREMENTAL_SNAPSHOT = "Incremental Snapshot"
_RUNNING = {"STARTED": True, "IN_PROGRESS": True, "COMPLETED": False, "ABORTED": False}
"""Whether an incremental snapshot runs behind a notification of this type."""


def refuse_older_epoch(module: str, state: LogState, epoch: int, offset: int) -> None:
    """Refuse a log that goes back to an epoch before the one that it is in; Fatal says so."""
    if epoch < state.epoch:
        raise Fatal(
            f"module {module}, offset {offset}: the log goes back from epoch {state.epoch} to "
            f"{epoch}: an old connector is writing to this log; stop it, or raise `epoch` in the "
            "declaration if the database was restored"
        )


def is_restart(record: Notification) -> bool:
    """Tell whether a connector says that it started and its snapshot was complete already."""
    return record.aggregate_type == INITIAL_SNAPSHOT and record.type == "SKIPPED"


def follow_snapshot(state: LogState, record: Notification) -> tuple[LogState, list[Step]]:
    """Take what a notification says of the initial or an incremental snapshot."""
    if record.aggregate_type == INCREMENTAL_SNAPSHOT and record.type in _RUNNING:
        return replace(state, incremental=_RUNNING[record.type]), []
    if record.aggregate_type != INITIAL_SNAPSHOT:
        return state, []
    if record.type == "STARTED":
        run = state.snapshot_run + 1
        started = replace(
            state,
            snapshot=SnapshotState.RUNNING,
            snapshot_run=run,
            snapshot_tables={},
            link=None,
            incremental=False,  # all is told when this one is complete
        )
        return started, [SnapshotStarted(run)]
    if record.type == "TABLE_SCAN_COMPLETED" and record.data.get("status") == "SUCCEEDED":
        table = record.data.get("scanned_collection", "").rpartition(".")[2]
        rows = int(record.data.get("total_rows_scanned", "0"))
        return replace(state, snapshot_tables={**state.snapshot_tables, table: rows}), []
    if record.type == "COMPLETED" or (
        # a connector that finds its snapshot complete, and was killed before it said so
        record.type == "SKIPPED" and state.snapshot is SnapshotState.RUNNING
    ):
        completed = replace(state, snapshot=SnapshotState.COMPLETE)
        return completed, [SnapshotCompleted(state.snapshot_run, state.snapshot_tables)]
    return state, []
