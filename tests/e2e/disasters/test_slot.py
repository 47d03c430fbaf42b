"""A replication slot is dropped, or loses its log, while the legacy application works."""

from __future__ import annotations

from cared_site import CaredSite
from live_site import MODULES


def test_a_dropped_slot_is_not_made_anew_behind_our_back(cared: CaredSite) -> None:
    """The connector is stopped before a new slot leaves changes out; a new snapshot has all."""
    slot = f"select count(*) from pg_replication_slots where slot_name = '{cared.slot()}'"
    with cared.load(seed=1):
        cared.do("connectors", "stop", "sales")
        cared.administer(f"select pg_drop_replication_slot('{cared.slot()}')")
        cared.resume()
        text = cared.wait_for_finding("slot missing")
        assert "snapshot --again sales" in text
        cared.wait_for_state("STOPPED")
        assert cared.administer(slot) == [(0,)]
        cared.work(seed=10)
    cared.wait(lambda: cared.doubts() == ["slot missing"], "the doubt")
    cared.read_again()
    cared.check_equal()
    assert (cared.doubts(), cared.findings()) == ([], {})


def test_a_lost_slot_is_named_and_survived(cared: CaredSite) -> None:
    """Where the server removes the log that a slot needs, only a new snapshot has all."""
    with cared.load(seed=2):
        cared.do("connectors", "stop", "sales")
        cared.administer("alter system set max_slot_wal_keep_size = '1MB'")
        try:
            cared.administer("select pg_reload_conf()")

            def lose() -> bool:
                cared.administer("select pg_switch_wal()", "checkpoint")
                return cared.is_lost()

            cared.wait(lose, "the slot is lost")
        finally:
            cared.administer("alter system reset max_slot_wal_keep_size", "select pg_reload_conf()")
        # all slots of the server have lost their log: the connectors were too far behind
        assert "max_slot_wal_keep_size" in cared.wait_for_finding("slot lost")
    lost = [module for module in MODULES if cared.is_lost(module)]
    assert "sales" in lost
    cared.resume()
    for module in lost:
        cared.wait_for_finding("slot lost", module)
        cared.wait_for_state("STOPPED", module)
        cared.read_again(module)
    cared.check_equal()
    assert cared.doubts() == []
