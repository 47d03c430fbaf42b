"""With `--heal` the care applies again what somebody undid, while the legacy application works."""

from __future__ import annotations

import pytest
from cared_site import CaredSite

pytestmark = pytest.mark.long

HEAL = True


def test_a_deleted_connector_comes_back_by_itself(cared: CaredSite) -> None:
    """Nobody has to apply anything: it goes on where it was."""
    with cared.load(seed=1):
        assert cared.connect("DELETE", "/sales").ok
        cared.wait(lambda: cared.told('"deed": "apply"') == 1, "it is applied again")
        cared.wait_for_state("RUNNING")
    cared.wait(lambda: cared.findings() == {}, "nothing is found any more")
    cared.check_equal()


def test_a_dropped_publication_comes_back_and_stays_doubted(cared: CaredSite) -> None:
    """The connector is stopped, applied again and resumed; what is lost is still for a person."""
    with cared.load(seed=2):
        cared.legacy(f"drop publication {cared.slot()}")
        cared.wait_for_finding("publication missing")
        cared.wait(lambda: cared.told('"deed": "resume"') == 1, "it is resumed")
        cared.wait_for_state("RUNNING")
    assert cared.doubts() == ["publication missing"]
    cared.wait_for_quiet()
    code, document = cared.run_json("reconcile", "--module", "sales")
    if code:  # a change fell into the gap: it is named, and comes back with a new snapshot
        assert (document["verdict"], bool(document["doubts"])) == ("DIFF", True)
        cared.read_again()
    cared.check_equal()
    assert cared.doubts() == []
