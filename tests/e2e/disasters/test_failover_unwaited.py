"""A primary that waits for no standby is killed: connectors had told what the new one never had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cared_site import CaredSite
from live_site import MODULES
from moved_legacy import lasting_load, lead_to
from server_pair import Pair

pytestmark = pytest.mark.long

RATE = 15.0
OVER = "database failed over"
POSITION = "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"
SWITCH = "select pg_switch_wal()"


@pytest.fixture(scope="module")
def began(pair: Pair, module_site: Callable[[], Any]) -> Iterator[CaredSite]:
    """Give a site whose legacy database is behind the address, and whose snapshots have come."""
    site = module_site()
    lead_to(site.folder, site.variables, pair.primary, pair.address.port)
    live = CaredSite(site.folder, orders=300, failover=MODULES)
    try:
        live.begin()
        pair.join()
        yield live
    finally:
        live.end()


def test_a_failover_behind_a_primary_that_waited_for_nobody_is_doubted(
    cared: CaredSite, pair: Pair
) -> None:
    """What was captured and never came to the new primary is named, and goes by reading anew."""
    slots = [cared.slot(module) for module in MODULES]
    lost = "select count(*) from mirror.ord_hdr where ord_no > 800000000"
    with lasting_load(cared, seed=4, rate=RATE):
        cared.wait(lambda: pair.are_slots_ready(*slots), "the slots on the standby")
        pair.part()
        cared.legacy(
            "insert into erp.ord_hdr select n, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150,"
            " null, localtimestamp from generate_series(800000001, 800000100) n"
        )
        cared.wait(lambda: cared.hub(lost) == [(100,)], "what will be lost")
        before = cared.administer(POSITION)
        cared.stop("care")
        pair.fail_over()
        cared.wait(lambda: pair.primary.execute(SWITCH, POSITION) > before, "a later position")
        for module in MODULES:
            cared.wait_for_state("RUNNING", module)
        cared.start("care")
        for module in MODULES:
            cared.wait(lambda one=module: cared.doubts(one) == [OVER], "the doubt")  # type: ignore[misc]
        assert cared.told("the old primary waited for no standby") == len(MODULES)
    cared.wait_for_quiet()
    code, document = cared.run_json("reconcile", "--module", "sales")
    assert (code, document["verdict"]) == (1, "DIFF"), "the rows are named"
    cared.read_again(*MODULES)
    cared.check_equal()
    assert cared.hub(lost) == [(0,)]
    assert [cared.doubts(module) for module in MODULES] == [[], [], []]
