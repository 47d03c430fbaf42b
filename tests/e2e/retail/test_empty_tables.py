"""A site whose legacy tables are empty when the connectors begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from live_site import LiveSite

from legacy_db.retail.migrations import migrate
from pipeline.demo.landscape import apply_connectors, migrate_targets


def test_a_snapshot_of_nothing_completes(site: Callable[[], Any]) -> None:
    """The snapshot of an empty module completes, and the first row that comes later is an event."""
    live = LiveSite(site().folder, orders=0)
    migrate(live.settings.legacy.owner_url)
    migrate_targets(live.settings, lambda _: None)
    apply_connectors(live.settings, lambda _: None)
    try:
        live.start("translate-inventory")
        complete = "select 1 from hub.module where snapshot = 'complete'"
        live.wait(lambda: bool(live.hub(complete)), "the snapshot")
        assert live.hub("select 1 from hub.event") == []
        live.legacy("insert into erp.stk_bal values ('AMS', 'A-1', 5, 1, 20260101)")
        subjects = "select kind, subject from hub.event"
        live.wait(lambda: bool(live.hub(subjects)), "the event")
        assert live.hub(subjects) == [(0, "AMS:A-1")]
    finally:
        live.end()
