"""A publication is dropped, or loses a table, while the legacy application works."""

from __future__ import annotations

from cared_site import CaredSite


def test_a_dropped_publication_stops_its_connector_and_is_survived(cared: CaredSite) -> None:
    """PostgreSQL only warns and leaves the rows out: they are doubted, named and read again."""
    with cared.load(seed=1):
        cared.legacy(f"drop publication {cared.slot()}")
        text = cared.wait_for_finding("publication missing")
        assert "connectors apply" in text
        cared.wait_for_state("STOPPED")
        cared.work(seed=10)
    cared.wait(lambda: cared.doubts() == ["publication missing"], "the doubt")
    cared.do("connectors", "apply")
    cared.do("connectors", "resume", "sales")
    cared.wait(lambda: not cared.findings(), "nothing is found any more")
    cared.wait_for_quiet()
    code, document = cared.run_json("reconcile", "--module", "sales")
    assert (code, document["verdict"]) == (1, "DIFF"), "the rows are named"
    assert document["doubts"]
    cared.read_again()
    cared.check_equal()
    assert cared.doubts() == []


def test_a_publication_that_lost_a_table_is_mended_by_reading_that_table(
    cared: CaredSite,
) -> None:
    """Rows that were added or changed come back by an incremental snapshot of the one table."""
    with cared.load(seed=2):
        cared.legacy(f"alter publication {cared.slot()} drop table erp.ord_lin")
        assert "lost erp.ord_lin" in cared.wait_for_finding("publication changed")
        cared.wait_for_state("STOPPED")
    cared.legacy("update erp.ord_lin set qty = qty + 1 where ord_no in (1, 2, 3)")
    cared.do("connectors", "apply")
    cared.do("connectors", "resume", "sales")
    cared.wait_for_state("RUNNING")
    said = cared.do("connectors", "snapshot", "ord_lin")
    assert "rows read again" in said
    cared.wait_for_quiet()
    code, _ = cared.run_json("reconcile", "--module", "sales")
    if code:  # lines that were deleted meanwhile stay until a sweep
        cared.read_again()
    cared.check_equal()
    assert cared.doubts() == []
