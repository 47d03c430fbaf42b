"""The retail legacy system on MariaDB goes the whole way, and reconciliation proves it."""

from __future__ import annotations

from typing import Any

import pytest
from retail_mariadb_site import RetailMariaDBSite

from legacy_db.retail.workload_plan import Kind

pytestmark = pytest.mark.long


def reconcile(running: RetailMariaDBSite) -> tuple[int, dict[tuple[str, str], Any]]:
    """Reconcile everything; return the exit code and the results by table and region."""
    code, document = running.run_json("reconcile")
    return code, {(one["table"], one["region"]): one for one in document["tables"]}


def test_the_snapshot_is_whole(running: RetailMariaDBSite) -> None:
    """Both regions hold what hand-written SQL over MariaDB's tables says."""
    running.check_whole()
    assert len(running.store("eu", "select 1 from orders")) == 300


def test_a_workload_arrives_whole(running: RetailMariaDBSite) -> None:
    """Several clients interleave, roll back and update thousands of rows; all of it arrives."""
    pace = ("--rate", "60", "--seconds", "15", "--clients", "4", "--seed", "5")
    code, result = running.run_json("workload", *pace)
    done = {Kind.PLACE, Kind.CHANGE, Kind.CANCEL, Kind.SHIP, Kind.PLACE_ROLLED_BACK}
    assert {kind.value for kind in done} <= result["counts"].keys()
    assert code == 0
    running.legacy(  # one huge batch
        "update ord_hdr set user = 'batch', chg_ts = utc_timestamp(6)",
        "update ord_lin set unit_prc = unit_prc + 0.0001",
    )
    running.wait_for_quiet()
    running.check_whole()


def test_everything_matches(running: RetailMariaDBSite) -> None:
    """Legacy database, mirror and both regions are equal, table by table."""
    code, results = reconcile(running)
    assert {one["state"] for one in results.values()} == {"MATCH"}
    assert code == 0
    assert {region for _, region in results} == {"mirror", "eu", "us"}
    assert results["ord_hdr", "mirror"]["rows"] == len(
        running.query_legacy("select 1 from ord_hdr")
    )


def test_rows_changed_by_hand_are_named(running: RetailMariaDBSite) -> None:
    """A changed, a missing and an extra row of mirror and store are named by key and column."""
    running.write_hub("update mirror.stk_bal set qty_oh = qty_oh + 1 where item_no = 'A-000000'"
                      " and whs_cd = 'OSL'")  # fmt: skip
    running.write_hub("delete from mirror.cust_addr where cust_no = 7 and addr_typ = 'B'")
    running.write_store("us", "update orders set remark = 'by hand' where order_id = 12")
    code, results = reconcile(running)
    assert code == 1
    differing = {place for place, one in results.items() if one["state"] == "DIFF"}
    assert {("stk_bal", "mirror"), ("cust_addr", "mirror"), ("orders", "us")} <= differing
    (stock,) = results["stk_bal", "mirror"]["keys"]
    assert (stock["key"], stock["kind"], stock["columns"]) == (
        {"whs_cd": "OSL", "item_no": "A-000000"}, "changed", ["qty_oh"],
    )  # fmt: skip
    (address,) = results["cust_addr", "mirror"]["keys"]
    assert (address["key"], address["kind"]) == ({"cust_no": 7, "addr_typ": "B"}, "missing")
    (order,) = results["orders", "us"]["keys"]
    assert (order["key"], order["columns"]) == ({"order_id": 12}, ["remark"])
