"""A connector is deleted, edited or made to rest on MariaDB while several sessions work."""

from __future__ import annotations

import pytest
from cared_mariadb import CaredMariaDB
from mariadb_load import load
from mariadb_site import MODULE

pytestmark = pytest.mark.long


def test_a_deleted_connector_goes_on_where_it_was(cared: CaredMariaDB) -> None:
    """Apply makes it again from its offsets: what was committed meanwhile is in every region."""
    with load(cared, seed=1):
        cared.ask("DELETE", "")
        text = cared.wait_for_finding("connector missing")
        assert "binary log is kept only for a time" in text
        assert cared.status()["state"] == "MISSING"
        cared.do("connectors", "apply")
        cared.wait_until_well()
    cared.check_whole()
    assert cared.hub("select snapshot_run from hub.module") == [(1,)], "nothing was read again"


def test_a_connector_rests_and_goes_on_by_command(cared: CaredMariaDB) -> None:
    """Paused or stopped it falls behind, which is told; resumed or restarted it loses nothing."""
    with load(cared, seed=2):
        for command, state in (("pause", "PAUSED"), ("stop", "STOPPED")):
            cared.do("connectors", command, MODULE)
            cared.wait_for_state(state)
            assert f"is {state}" in cared.wait_for_finding("connector resting")
            cared.wait(lambda: (cared.status()["lag_bytes"] or 0) > 10_000, "it falls behind")
            cared.do("connectors", "resume", MODULE)
            cared.wait_for_state("RUNNING")
            cared.wait_until_well()
        cared.do("connectors", "restart", "--all", MODULE)
        cared.wait_for_state("RUNNING")
    cared.check_whole()


def test_a_harmless_edit_is_named_and_applied_again(cared: CaredMariaDB) -> None:
    """The connector goes on meanwhile; apply gives it its declared config again."""
    with load(cared, seed=3):
        cared.edit({"max.batch.size": "512"})
        assert "max.batch.size" in cared.wait_for_finding("config edited")
        cared.wait_for_state("RUNNING")
        cared.do("connectors", "apply")
        cared.wait_until_well()
    assert cared.doubts() == []
    cared.check_whole()


def test_an_edit_that_leaves_changes_out_stops_the_connector(cared: CaredMariaDB) -> None:
    """Lines that nobody captured are doubted and named; read again, all is equal.

    The care is away while the lines are left out, or it would be too quick for any to be lost.
    """
    assert cared.stop("care") == 0
    database = cared.database
    tables = rf"{database}\.isthmus_barrier,{database}\.ord,{database}\.part"
    with load(cared, seed=4):
        cared.edit({"table.include.list": tables})

        def has_it() -> bool:
            given = cared.ask("GET", "/tasks")
            return any(task["config"]["table.include.list"] == tables for task in given)

        cared.wait(has_it, "the task has the edited config")
        cared.wait_for_state("RUNNING")
        cared.wait_for_quiet()
        cared.legacy("replace into line values (70001, 1, 1, 1)", "delete from line where no = 2")
    cared.wait_for_quiet()
    cared.start("care")
    assert "table.include.list" in cared.wait_for_finding("config edited")
    cared.wait_for_state("STOPPED")
    cared.wait(lambda: cared.doubts() == ["config edited"], "the doubt")
    cared.do("connectors", "apply")
    cared.do("connectors", "resume", MODULE)
    cared.wait_for_quiet()
    code, document = cared.reconcile()
    assert (code, document["verdict"]) == (1, "DIFF")
    assert document["doubts"]
    cared.read_again()
    cared.check_whole()
    cared.wait_until_well()
    assert cared.doubts() == []


def test_with_heal_a_deleted_connector_comes_back_by_itself(cared: CaredMariaDB) -> None:
    """Nobody has to apply anything: it goes on where it was."""
    assert cared.stop("care") == 0
    cared.arguments["care"] = ("care", "--heal")
    cared.start("care")
    with load(cared, seed=5):
        cared.ask("DELETE", "")
        cared.wait(lambda: cared.told('"deed": "apply"') == 1, "it is applied again")
        cared.wait_for_state("RUNNING")
    cared.wait_until_well()
    cared.check_whole()
