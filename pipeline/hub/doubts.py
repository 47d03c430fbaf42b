"""Doubts in the hub: transactions of which the change log may not hold every row.

Enters: what a translator saw in a change log, and what a reconciliation proved. Leaves: the doubts
that are open, until legacy database and mirror were found to be equal behind them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class OpenDoubt:
    """A doubt that nothing has refuted yet; `offset` is the place in the module's change log."""

    module: str
    epoch: int
    lsn: int
    txid: int
    offset: int
    noted_at: datetime
    reason: str | None = None

    @property
    def text(self) -> str:
        """What is doubted, for a person."""
        if self.reason is not None:
            return f"changes may be missing from its change log ({self.reason}), not refuted yet"
        return (
            f"a connector started within transaction {self.txid} (offset {self.offset} of the "
            "change log), which may lack rows: not refuted yet"
        )

    def document(self) -> dict[str, Any]:
        """Return the doubt as it stands in JSON."""
        return {
            "module": self.module,
            "epoch": self.epoch,
            "lsn": self.lsn,
            "transaction": self.txid,
            "offset": self.offset,
            "noted_at": self.noted_at.isoformat(),
            "reason": self.reason,
            "text": self.text,
        }


def note_doubt(
    connection: psycopg.Connection[Any],
    module: str,
    position: tuple[int, int],
    txid: int,
    offset: int,
    *,
    reason: str | None = None,
) -> None:
    """Note a doubt in the batch's transaction; the same offset again changes nothing."""
    connection.execute(
        "insert into hub.doubt (module, epoch, lsn, txid, source_offset, reason)"
        " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
        (module, *position, txid, offset, reason),
    )


def note_lost(
    connection: psycopg.Connection[Any],
    module: str,
    position: tuple[int, int],
    offset: int,
    reason: str,
) -> None:
    """Note that changes before `position` may have been left out of the log, and why.

    An open doubt of the same reason moves on to the position: one doubt is enough. At one place
    of the log it has all the reasons that are known.
    """
    epoch, lsn = position
    moved = connection.execute(
        "update hub.doubt set lsn = greatest(lsn, %s) where module = %s and epoch = %s"
        " and reason = %s and refuted_at is null",
        (lsn, module, epoch, reason),
    )
    if moved.rowcount:
        return
    connection.execute(
        "insert into hub.doubt (module, epoch, lsn, txid, source_offset, reason)"
        " values (%s, %s, %s, 0, %s, %s) on conflict (module, source_offset, epoch)"
        " do update set lsn = greatest(hub.doubt.lsn, excluded.lsn), refuted_at = null,"
        " reason = case when hub.doubt.refuted_at is not null then excluded.reason"
        " when position(excluded.reason in coalesce(hub.doubt.reason, '')) > 0"
        " then hub.doubt.reason else concat_ws('; ', hub.doubt.reason, excluded.reason) end",
        (module, epoch, lsn, offset, reason),
    )


def note_untold(
    connection: psycopg.Connection[Any], module: str, table: str, reasons: Collection[str]
) -> None:
    """Note that rows of a mirror table may not hold what no change tells, as of now.

    The doubt is that of the module whose table it is (`module` where none is known to own it), and
    stands behind all that was translated: only a later barrier refutes it.
    """
    connection.execute(
        "insert into hub.doubt (module, epoch, lsn, txid, source_offset, reason)"
        " select m.module, m.epoch, m.lsn + 1, 0, m.source_offset, %(reason)s"
        " from hub.module m where m.module = coalesce((select v.module"
        " from hub.definition_version v where v.table_name = %(table)s"
        " order by (v.module = %(module)s) desc, v.recorded_at desc limit 1), %(module)s)"
        " on conflict (module, source_offset, epoch)"
        " do update set lsn = greatest(hub.doubt.lsn, excluded.lsn), refuted_at = null,"
        " reason = concat_ws('; ', hub.doubt.reason, excluded.reason)",
        {"module": module, "table": table, "reason": "; ".join(reasons)},
    )


def refute_doubts(
    connection: psycopg.Connection[Any], barrier: str, modules: Collection[str]
) -> None:
    """Close the doubts of modules whose mirror was equal to the legacy database at a barrier."""
    connection.execute(
        "update hub.doubt d set refuted_at = now() from hub.barrier b"
        " where b.barrier = %s and b.module = d.module and d.module = any(%s)"
        " and d.refuted_at is null and (d.epoch, d.lsn) <= (b.epoch, b.lsn)",
        (barrier, list(modules)),
    )


def list_open_doubts(
    connection: psycopg.Connection[Any], modules: Collection[str]
) -> list[OpenDoubt]:
    """List the doubts of modules that are open, oldest first."""
    with connection.cursor(row_factory=class_row(OpenDoubt)) as cursor:
        cursor.execute(
            "select module, epoch, lsn, txid, source_offset as offset, noted_at, reason"
            " from hub.doubt where refuted_at is null and module = any(%s)"
            " order by noted_at, source_offset",
            (list(modules),),
        )
        return cursor.fetchall()
