"""Lands the rows that an incremental snapshot read, as of their place in the change log.

Enters: rows. Leaves: the mirror's rows corrected where they differ, and a request for every
aggregate whose state that changes; it is emitted once the snapshot is complete, so no half one is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.translate.batch import load_rows
from pipeline.translate.snapshot import refuse_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.envelope import RowChange
    from pipeline.translate.event_maker import Moment
    from pipeline.translate.landing import Landing

REASON = "incremental snapshot"


def land_incremental_rows(landing: Landing, changes: Sequence[RowChange], moment: Moment) -> None:
    """Correct the mirror by rows that are as of `moment`; what is there already changes nothing."""
    writes = landing.decode(changes)
    for write in writes:
        refuse_failure(landing, write.table, write.failure)
    translation = landing.new_translation()
    load_rows(translation.rows, landing.roles, landing.mirror, writes)
    for aggregate, keys in translation.correct(writes).items():
        landing.hub.request_keys(landing.module, aggregate, keys, reason=REASON)
        landing.facts.done.append(f"corrected {len(keys)} {aggregate}")
    landing.land(translation, moment)
    landing.facts.snapshot_rows += len(changes)
