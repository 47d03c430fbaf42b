"""The legacy database's primary is killed under load, and its standby takes its place.

What leads to the database is an address that stays, as a proxy or a moved address gives it. Two
modules have failover slots, the third has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cared_site import CaredSite
from moved_legacy import lasting_load, lead_to
from server_pair import STANDBY, Pair

pytestmark = pytest.mark.long

RATE = 15.0
KEPT, UNKEPT = ("customers", "sales"), "inventory"


@pytest.fixture(scope="module")
def began(pair: Pair, module_site: Callable[[], Any]) -> Iterator[CaredSite]:
    """Give a site whose legacy database is behind the address, and whose snapshots have come."""
    site = module_site()
    lead_to(site.folder, site.variables, pair.primary, pair.address.port)
    live = CaredSite(site.folder, orders=300, failover=KEPT)
    try:
        live.begin()
        pair.join()
        pair.wait_for_standby()
        yield live
    finally:
        live.end()


def test_a_failover_loses_nothing_where_the_slot_was_kept_in_step(
    cared: CaredSite, pair: Pair
) -> None:
    """These connectors go on by themselves; the one whose slot was left behind is read anew."""
    with lasting_load(cared, seed=1, rate=RATE):
        slots = [cared.slot(module) for module in KEPT]
        cared.wait(lambda: pair.are_slots_ready(*slots), "the slots on the standby")
        cared.work(seed=10)
        cared.wait_for_looks()
        pair.fail_over()
        for module in KEPT:
            over = f"slot {cared.slot(module)} was kept in step on the new primary"
            cared.wait(lambda one=over: cared.told(one) > 0, over)  # type: ignore[misc]
        assert f"snapshot --again {UNKEPT}" in cared.wait_for_finding("slot missing", UNKEPT)
        cared.wait_for_state("STOPPED", UNKEPT)
        for module in KEPT:
            cared.wait_for_state("RUNNING", module)
        cared.work(seed=11)
    cared.read_again(UNKEPT)
    cared.check_equal()
    for module in (*KEPT, UNKEPT):
        assert cared.doubts(module) == []
        assert cared.findings(module) == {}
    confirmed = (
        f"select confirmed_flush_lsn from pg_replication_slots where slot_name = '{cared.slot()}'"
    )
    last = cared.administer(confirmed)
    cared.wait(lambda: cared.administer(confirmed) != last, "heartbeats move the slot on")
    epochs = dict(cared.hub("select module, epoch from hub.module"))
    assert epochs == {"customers": 1, "sales": 1, "inventory": 2}


def test_a_standby_that_is_waited_for_in_vain_is_named(cared: CaredSite, pair: Pair) -> None:
    """Connectors are RUNNING and capture nothing: heartbeats of their own hide it from others."""
    server = pair.primary
    server.execute(
        f"alter system set synchronized_standby_slots = '{STANDBY}'", "select pg_reload_conf()"
    )
    assert STANDBY in cared.wait_for_finding("standby missing")
    cared.legacy("update erp.ord_hdr set curr_cd = 'XTS' where ord_no = 1")
    cared.wait_for_looks(3)
    cared.wait_for_state("RUNNING")
    arrived = "select count(*) from mirror.ord_hdr where ord_no = 1 and curr_cd = 'XTS'"
    assert cared.hub(arrived) == [(0,)]
    assert "failover_stalls" in cared.run("connectors", "preflight", "--json").stdout
    server.execute("alter system reset synchronized_standby_slots", "select pg_reload_conf()")
    cared.check_equal()
    assert cared.hub(arrived) == [(1,)]
    assert cared.findings() == {}


def test_a_slot_becomes_a_failover_slot_afterwards(cared: CaredSite, pair: Pair) -> None:
    """Plan and preflight say that Debezium leaves the slot as it is, and how it is changed."""
    slot = cared.slot(UNKEPT)
    with (cared.declared / f"{UNKEPT}.yaml").open("a") as file:
        file.write("\nconfig:\n  slot.failover: true\n")
    assert f"{slot} stays as it is" in cared.run("connectors", "plan").stdout
    before = cared.run("connectors", "preflight", "--json").stdout
    assert f"ALTER_REPLICATION_SLOT {slot} (FAILOVER true)" in before
    assert "failover_ahead" in before
    with cared.load(seed=3, rate=RATE):
        cared.do("connectors", "stop", UNKEPT)
        pair.primary.replicate(
            f"ALTER_REPLICATION_SLOT {slot} (FAILOVER true)", database=cared.database
        )
        cared.do("connectors", "apply")
        cared.do("connectors", "resume", UNKEPT)
        cared.wait_for_state("RUNNING", UNKEPT)
    assert "failover_slot" not in cared.run("connectors", "preflight", "--json").stdout
    kept = f"select failover from pg_replication_slots where slot_name = '{slot}'"
    assert cared.administer(kept) == [(True,)]
    cared.check_equal()
