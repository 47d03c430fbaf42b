"""Lands the rows of a snapshot, and sweeps what a complete snapshot did not see.

Rows of a snapshot yield no events; once it is complete, every aggregate is asked for instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import Fatal
from pipeline.hub.sweeps import DELETES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.aggregate import Adapter, Key, Row
    from adapters.envelope import RowChange
    from pipeline.translate.landing import Landing

_REASON = "snapshot"


def land_snapshot_rows(
    landing: Landing, changes: Sequence[RowChange], epoch: int, run: int
) -> None:
    """Land the rows that a snapshot read; a row that changed after it is not overwritten."""
    by_lsn: dict[tuple[str, int], dict[Key, Row]] = {}
    for change, write in zip(changes, landing.decode(changes), strict=True):
        if write.failure is not None:
            raise Fatal(
                f"module {landing.module}: a snapshot row of {write.table} can't be landed "
                f"({write.failure.reason}): correct it in the legacy database, or leave the "
                "table out of the declaration"
            )
        if write.key is not None:
            by_lsn.setdefault((write.table, change.lsn), {})[write.key] = write.row
    for (table, lsn), rows in by_lsn.items():
        landing.mirror.merge_snapshot(table, rows, epoch, lsn, run)
    landing.facts.snapshot_rows += len(changes)


def complete_snapshot(
    landing: Landing, adapters: Iterable[Adapter], tables: Iterable[str], run: int
) -> None:
    """Delete what the snapshot did not see, and ask for every aggregate that shows these tables."""
    captured = [table for table in tables if table in landing.mirror.codecs]
    if run > 1:
        whole = [table for table in captured if table not in landing.partly_read]
        _refuse_too_many(landing, whole, run)
        for table in whole:
            _sweep(landing, table, run)
        if partly := sorted(landing.partly_read.intersection(captured)):
            landing.facts.done.append(f"not swept, read only in part: {', '.join(partly)}")
    for adapter in adapters:
        shown = {adapter.root, *(member.table for member in adapter.members)}
        if adapter.module == landing.module and shown.intersection(captured):
            landing.hub.request_all(adapter.aggregate, _REASON)
            landing.hub.request_quarantined(adapter.aggregate, _REASON)
        elif adapter.module != landing.module and any(
            lookup.table in captured for lookup in adapter.lookups
        ):
            landing.hub.request_all_of_other(adapter.module, adapter.aggregate, _REASON)
    landing.facts.done.append(f"snapshot {run} complete")


def _refuse_too_many(landing: Landing, tables: Sequence[str], run: int) -> None:
    """Stop before a sweep that would delete more rows than DELETES_MAX, or a person, allows."""
    allowed = landing.hub.read_deletes_max()
    bound = DELETES_MAX if allowed is None else allowed
    unseen = {table: landing.mirror.count_unseen(table, run) for table in tables}
    if sum(unseen.values()) > bound:
        most = ", ".join(f"{table} {count}" for table, count in unseen.items() if count)
        raise Fatal(
            f"module {landing.module}: the snapshot did not see {sum(unseen.values())} rows that "
            f"the mirror has ({most}), and {bound} may be deleted at most: nothing was deleted. "
            "Look whether it read the right database; if these rows are gone indeed, allow it: "
            f"`isthmus connectors snapshot {landing.module} --deletes-max "
            f"{sum(unseen.values())}`, and start the translator again"
        )
    if allowed is not None:
        landing.hub.set_deletes_max(None)  # it was for this sweep


def _sweep(landing: Landing, table: str, run: int) -> None:
    for role in landing.roles.by_table.get(table, ()):
        keys = landing.mirror.unseen_keys(table, role.columns, run)
        landing.hub.request_keys(landing.module, role.adapter.aggregate, keys, reason=_REASON)
    if swept := landing.mirror.sweep(table, run):
        landing.facts.done.append(f"swept {swept} rows of {table}")
