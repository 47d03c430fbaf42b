"""Lands the rows that an incremental snapshot read, as of their place in the change log.

Enters: rows. Leaves: the mirror's rows corrected where they differ, and a request for every
aggregate whose state that changes; it waits for the snapshot's end, so that no half one is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.translate.batch import load_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.envelope import RowChange
    from pipeline.translate.event_maker import Moment
    from pipeline.translate.landing import Landing

REASON = "incremental snapshot"


def land_incremental_rows(landing: Landing, changes: Sequence[RowChange], moment: Moment) -> None:
    """Correct the mirror by rows that are as of `moment`; what is there already changes nothing.

    No position guards the mirror's rows: Debezium leaves out what changed between the reading and
    this place of the log, and the log is read in order.
    """
    writes = landing.decode(changes)
    translation = landing.new_translation()
    load_rows(translation.rows, landing.roles, landing.mirror, writes, unused=True)
    for aggregate, keys in translation.correct(writes, moment).items():
        landing.hub.request_keys(landing.module, aggregate, keys, reason=REASON)
        landing.facts.done.append(f"corrected {len(keys)} {aggregate}")
    landing.keep_outcome(translation.outcome)
    landing.land(translation, moment, REASON)
    landing.facts.snapshot_rows += len(changes)
