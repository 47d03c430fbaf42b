"""TRUNCATE and changed keys come through under load, large values up to the limit."""

from __future__ import annotations

import secrets

from cared_site import CaredSite

MEGABYTE = 1_000_000


def test_a_truncated_table_under_load_is_empty_and_filled_again(cared: CaredSite) -> None:
    """Shipments are emptied in a transaction that interleaves with others, which go on."""
    with cared.load(seed=1):
        for _ in range(3):
            cared.legacy("truncate erp.shipmt")
            cared.work(seed=10, transactions=30)
    cared.check_equal()


def test_changed_keys_under_load_move_whole_orders(cared: CaredSite) -> None:
    """An order that gets another number is deleted under the old one and whole under the new."""
    with cared.load(seed=2):
        for number in range(1, 6):
            moved = 800_000_000 + number
            cared.legacy(
                f"update erp.ord_hdr set ord_no = {moved} where ord_no = {number}",
                f"update erp.ord_lin set ord_no = {moved} where ord_no = {number}",
                f"update erp.shipmt set ord_no = {moved} where ord_no = {number}",
            )
    cared.check_equal()
    for region in cared.settings.regions:
        found = cared.store(region, "select count(*) from orders where order_id between 1 and 5")
        assert found == [(0,)]


def test_a_value_of_five_megabytes_comes_through(cared: CaredSite) -> None:
    """It is below the site's limit for records: it arrives like any other."""
    remark = secrets.token_hex(5 * MEGABYTE // 2)
    with cared.load(seed=3):
        cared.legacy(f"update erp.ord_hdr set rmk = '{remark}' where ord_no = 10")
    cared.wait_for_quiet()
    for region in cared.settings.regions:
        assert cared.store(region, "select remark from orders where order_id = 10") == [(remark,)]
    cared.check_equal()


def test_a_value_beyond_the_limit_stops_its_module_alone_and_is_named(cared: CaredSite) -> None:
    """The other modules go on; once the value is smaller, a new snapshot brings all of it."""
    with cared.load(seed=4):
        cared.legacy("update erp.ord_hdr set rmk = repeat('x', 30000000) where ord_no = 11")
        text = cared.wait_for_finding("connector failed")
        assert "record_bytes_max" in text
        cared.wait_for_state("RUNNING", "customers")
        cared.legacy("update erp.cust_mstr set cust_nm = 'Goes on' where cust_no = 3")
        moved = (
            "select 1 from hub.event where module = 'customers' and subject = '3' and number > 9"
        )
        cared.wait(lambda: bool(cared.hub(moved)), "the other module's event")
        cared.legacy("update erp.ord_hdr set rmk = 'short' where ord_no = 11")
        cared.read_again()
    cared.check_equal()
