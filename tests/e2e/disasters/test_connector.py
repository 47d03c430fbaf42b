"""A connector is deleted or edited behind our back while the legacy application works."""

from __future__ import annotations

from cared_site import CaredSite


def test_a_deleted_connector_is_named_and_goes_on_where_it_was(cared: CaredSite) -> None:
    """Apply makes it again from its offsets: what was committed meanwhile is in every region."""
    with cared.load(seed=1):
        assert cared.connect("DELETE", "/sales").ok
        text = cared.wait_for_finding("connector missing")
        assert "isthmus connectors apply" in text
        code, document = cared.run_json("connectors", "status")
        (sales,) = [one for one in document["connectors"] if one["name"].endswith(".sales")]
        assert (code, sales["state"]) == (1, "MISSING")
        cared.do("connectors", "apply")
        cared.wait(lambda: not cared.findings(), "nothing is found any more")
    assert cared.told("connector missing: is over") == 1
    cared.check_equal()


def test_a_harmless_edit_is_named_and_applied_again(cared: CaredSite) -> None:
    """The connector goes on meanwhile; apply gives it its declared config again."""
    with cared.load(seed=2):
        cared.edit(max_batch_size="512")
        text = cared.wait_for_finding("config edited")
        assert "max.batch.size" in text
        cared.wait_for_state("RUNNING")
        cared.do("connectors", "apply")
        cared.wait(lambda: not cared.findings(), "nothing is found any more")
    assert cared.doubts() == []
    cared.check_equal()


def test_an_edit_that_leaves_changes_out_stops_the_connector(cared: CaredSite) -> None:
    """Lines that nobody captured are doubted and named; read again, all is equal.

    The care is away while the lines are left out, or it would be too quick for any to be lost.
    """
    assert cared.stop("care") == 0
    with cared.load(seed=3):
        tables = r"erp\.ord_hdr,erp\.shipmt"
        cared.edit(**{"table.include.list": tables})

        def has_it() -> bool:
            tasks = cared.connect("GET", "/sales/tasks").json()
            return any(task["config"]["table.include.list"] == tables for task in tasks)

        cared.wait(has_it, "the task has the edited config")
        cared.wait_for_state("RUNNING")
        cared.work(seed=30)
    cared.wait_for_quiet()
    assert cared.differences()
    cared.start("care")
    text = cared.wait_for_finding("config edited")
    assert "table.include.list" in text
    cared.wait_for_state("STOPPED")
    cared.wait(lambda: cared.doubts() == ["config edited"], "the doubt")
    cared.do("connectors", "apply")
    cared.do("connectors", "resume", "sales")
    cared.wait_for_quiet()
    code, document = cared.run_json("reconcile", "--module", "sales")
    assert (code, document["verdict"]) == (1, "DIFF")
    assert document["doubts"]
    cared.read_again()
    cared.check_equal()
    assert cared.doubts() == []
