"""A module's marks in the hub: position, source offset, next number; and the fence around them.

Whoever takes a module over raises its owner number; every batch of an earlier owner then fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from adapters.log_state import BinlogState, LogState, OpenTransaction, SnapshotState
from pipeline.connection import take_rows
from pipeline.errors import Fatal

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg


@dataclass(frozen=True, slots=True)
class ModuleMarks:
    """What a translator resumes from; `next_number` is that of the module's next event."""

    owner: int
    log: LogState
    source_offset: int
    next_number: int
    revision: int
    source_time: datetime | None


_COLUMNS = (
    "owner, epoch, lsn, link, source_offset, next_number, revision, snapshot, snapshot_run, "
    "snapshot_tables, open_transaction, incremental, binlog, source_time"
)


def take_module(connection: psycopg.Connection[Any], module: str) -> ModuleMarks:
    """Become the translator of a module: whoever was it before can't commit any more."""

    def take() -> ModuleMarks:
        connection.execute(
            "insert into hub.module (module) values (%s) on conflict do nothing", (module,)
        )
        row = connection.execute(
            f"update hub.module set owner = owner + 1 where module = %s returning {_COLUMNS}",
            (module,),
        ).fetchone()
        assert row is not None  # noqa: S101 - inserted above
        return _make_marks(row)

    return take_rows(
        connection,
        take,
        table="hub.module",
        condition="taken.module = %s",
        parameters=(module,),
    )


def lock_module(connection: psycopg.Connection[Any], module: str, owner: int) -> None:
    """Lock a module's row until the end of the transaction; Fatal when it has another owner.

    A successor waits for this lock only, and a predecessor is fenced before it writes anything.
    """
    row = connection.execute(
        "select owner from hub.module where module = %s for update", (module,)
    ).fetchone()
    if row is None or row[0] != owner:
        raise _fenced(module)


def save_marks(connection: psycopg.Connection[Any], module: str, marks: ModuleMarks) -> None:
    """Write a batch's marks in the batch's transaction; Fatal when another translator took over."""
    log = marks.log
    opened = None if log.open is None else msgspec.json.encode(log.open).decode()
    binlog = None if log.binlog is None else msgspec.json.encode(log.binlog).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update hub.module set epoch = %s, lsn = %s, link = %s, source_offset = %s,
                next_number = %s, revision = %s, snapshot = %s, snapshot_run = %s,
                snapshot_tables = %s, open_transaction = %s, incremental = %s,
                binlog = %s, source_time = %s,
                translated_at = now()
            where module = %s and owner = %s
            """,
            (
                log.epoch,
                log.lsn,
                log.link,
                marks.source_offset,
                marks.next_number,
                marks.revision,
                str(log.snapshot),
                log.snapshot_run,
                msgspec.json.encode(log.snapshot_tables).decode(),
                opened,
                log.incremental,
                binlog,
                marks.source_time,
                module,
                marks.owner,
            ),
        )
        if cursor.rowcount != 1:
            raise _fenced(module)


def skip_to(connection: psycopg.Connection[Any], module: str, offset: int) -> None:
    """Let a module's translator go on at `offset`, where a new epoch begins with a snapshot.

    A translator that runs is fenced: what it has in hand belongs to what is passed over.
    """
    connection.execute(
        "update hub.module set owner = owner + 1, source_offset = greatest(source_offset, %s)"
        " where module = %s",
        (offset, module),
    )


def _fenced(module: str) -> Fatal:
    return Fatal(
        f"another translator took over module {module}: this one stops and has written nothing "
        "since; run one translator per module"
    )


def _make_marks(row: tuple[Any, ...]) -> ModuleMarks:
    (owner, epoch, lsn, link, offset, number, revision, snapshot, run, *more, time) = row
    tables, opened, incremental, binlog = more
    log = LogState(
        epoch=epoch,
        lsn=lsn,
        link=link,
        snapshot=SnapshotState(snapshot),
        snapshot_run=run,
        snapshot_tables=dict(tables),
        open=None if opened is None else msgspec.convert(opened, OpenTransaction),
        incremental=incremental,
        binlog=None if binlog is None else msgspec.convert(binlog, BinlogState),
    )
    return ModuleMarks(owner, log, offset, number, revision, time)
