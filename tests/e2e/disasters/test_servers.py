"""Connect is killed during a snapshot, and the broker is restarted, while everyone works."""

from __future__ import annotations

import pytest
from cared_site import CaredSite

from pipeline.local_stack.stack import LocalStack

pytestmark = pytest.mark.long

ORDERS = 20_000


def test_connect_killed_during_a_snapshot_begins_it_again(
    cared: CaredSite, stack: LocalStack
) -> None:
    """What the first attempt left is swept or overwritten; every region is whole in the end."""
    with cared.load(seed=1):
        cared.do("connectors", "snapshot", "--again", "sales", "--raise-epoch", "--yes")
        running = "select snapshot = 'running' and epoch > 1 from hub.module where module = 'sales'"
        cared.wait(lambda: cared.hub(running) == [(True,)], "the snapshot runs")
        stack.kill("connect")
        stack.start("connect")
        cared.wait_for_state("RUNNING")
        complete = "select snapshot, epoch from hub.module where module = 'sales'"
        cared.wait(lambda: cared.hub(complete) == [("complete", 2)], "the snapshot")
    cared.check_equal()


def test_a_restarted_broker_is_survived(cared: CaredSite, stack: LocalStack) -> None:
    """Connect, translators, publisher, replicators and the care all find it again."""
    with cared.load(seed=2):
        stack.kill("kafka")
        stack.start("kafka")
        for module in ("customers", "inventory", "sales"):
            cared.wait_for_state("RUNNING", module)
        cared.work(seed=20)
    cared.check_equal()
    assert cared.findings() == {}
