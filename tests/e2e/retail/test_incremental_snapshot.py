"""A table that is read again while everything runs, on the real programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_site import SALES_SIGNALS, LiveSite, declare_sales_signals

from legacy_db.retail.migrations import migrate

ASK = """insert into erp.sales_signal values ('again-1', 'execute-snapshot',
    '{"type": "incremental", "data-collections": ["erp.ord_lin"]}')"""


@pytest.fixture
def signalled(site: Callable[[], Any]) -> Iterator[LiveSite]:
    """Give a running site of 200 orders whose module sales has a signal table."""
    folder = site().folder
    declare_sales_signals(folder)
    live = LiveSite(folder, orders=200)
    try:
        migrate(live.settings.legacy.owner_url)
        live.legacy(SALES_SIGNALS)
        live.set_up()
        live.start_all()
        live.wait_for_quiet()
        yield live
    finally:
        live.end()


def test_rows_that_the_mirror_lacks_come_back_and_are_told(signalled: LiveSite) -> None:
    """Lines that were lost in the hub make a wrong order; read again, both regions are right."""
    live = signalled
    live.check_whole()
    ((order, lines),) = live.query_legacy(
        "select ord_no, count(*) from erp.ord_lin group by 1 having count(*) > 1 limit 1"
    )
    live.write_hub(f"delete from mirror.ord_lin where ord_no = {order}")
    live.legacy(f"update erp.ord_hdr set chg_ts = chg_ts + interval '1 s' where ord_no = {order}")
    live.wait_for_quiet()
    assert len(live.differences()) >= lines * 2, "both regions have the order without its lines"
    before = live.hub("select max(number) from hub.event where module = 'sales'")[0][0]
    live.legacy(ASK)
    kept = f"select count(*) from mirror.ord_lin where ord_no = {order}"
    live.wait(lambda: live.hub(kept) == [(lines,)], "the lines in the mirror")
    live.wait_for_quiet()
    live.check_whole()
    told = f"select distinct subject from hub.event where module = 'sales' and number > {before}"
    assert live.hub(f"{told} and kind = 0") == [(str(order),)], "nothing else is told again"
