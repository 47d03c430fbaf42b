"""Nothing is lost, doubled or torn, wherever a process is killed."""

from __future__ import annotations

import signal

import pytest
from live_site import LiveSite

from adapters.change_log import SPILL_ROWS
from legacy_db.retail.workload import run_workload
from pipeline.failpoints import FAILPOINTS

CHILDREN = {"translate": "translate-sales", "publish": "publish", "replicate": "replicate-eu"}
STEPS = sorted(name for name in FAILPOINTS if name.partition(".")[0] in CHILDREN)
"""Those of apply are killed in tests/integration/connectors."""


def _work(running: LiveSite, seed: int) -> None:
    run_workload(running.settings.legacy.owner_url, rate=200, seconds=0.3, seed=seed, clients=3)


def test_the_snapshot_is_whole_in_every_region(running: LiveSite) -> None:
    """After the snapshot both regions hold what the hand-written queries say."""
    running.check_whole()


@pytest.mark.parametrize("failpoint", STEPS)
def test_a_kill_at_any_step_loses_and_doubles_nothing(running: LiveSite, failpoint: str) -> None:
    """The process dies there by SIGKILL, its successor goes on, and all regions are equal."""
    name = CHILDREN[failpoint.partition(".")[0]]
    running.stop(name)
    running.start(name, failpoint)
    _work(running, seed=STEPS.index(failpoint) + 1)
    if failpoint == "translate.after_spill":
        _write_huge(running)
    assert running.wait_for_end(name) == -signal.SIGKILL
    assert f"failpoint {failpoint} reached" in running.tail(name)
    running.start(name)
    running.wait_for_quiet()
    running.check_whole()


def _write_huge(running: LiveSite) -> None:
    """Write more rows in one transaction than the assembler keeps in memory."""
    running.legacy(
        "insert into erp.ord_hdr select n, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, "
        f"null, localtimestamp from generate_series(900000001, {900000000 + SPILL_ROWS}) n",
        "update erp.ord_hdr set curr_cd = 'USD' where ord_no between 900000001 and 900000100",
    )


def test_a_stop_in_good_order_leaves_nothing_behind(running: LiveSite) -> None:
    """SIGTERM ends every process in good order, and what they left is gone on with."""
    running.wait_for_quiet()
    for name in list(running.arguments):
        assert running.stop(name) == 0, running.tail(name)
    _work(running, seed=99)
    running.start_all()
    running.wait_for_quiet()
    running.check_whole()


def test_a_second_translator_fences_the_first(running: LiveSite) -> None:
    """The first one stops with exit code 1 and says why; nothing is lost."""
    running.wait_for_quiet()
    first = running.pid("translate-customers")
    running.arguments["second"] = running.arguments["translate-customers"]
    running.start("second")
    try:
        owner = "select owner from hub.module where module = 'customers'"
        before = running.hub(owner)
        running.wait(
            lambda: running.hub(owner) != before or "translate.start" in running.tail("second"),
            "take-over",
        )
        running.legacy("update erp.cust_mstr set cust_nm = 'Fenced' where cust_no = 1")
        assert running.pid("translate-customers") == first
        assert running.wait_for_end("translate-customers") == 1
        assert "another translator took over" in running.tail("translate-customers")
        running.wait_for_quiet()
        running.check_whole()
    finally:
        del running.arguments["second"]
    running.stop("second")
