"""What apply makes of a plan: all of it, but removals only where an option says so."""

from __future__ import annotations

import pytest

from connectors.apply import Options
from connectors.plan import Action, Change, Kind
from connectors.work import is_allowed, say_option

CONNECTOR = Change(Kind.CONNECTOR, "retail.old", Action.REMOVE)
SLOT = Change(Kind.SLOT, "isthmus_retail_old", Action.REMOVE)


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        (Options(), set()),
        (Options(remove=True), {CONNECTOR}),
        (Options(destroy=True), {CONNECTOR, SLOT}),
        (Options(force=True), set()),
    ],
)
def test_removals_need_the_option_that_is_named(options: Options, allowed: set[Change]) -> None:
    """Without the option a removal is not made, and apply names the option."""
    assert {one for one in (CONNECTOR, SLOT) if is_allowed(one, options)} == allowed
    assert (say_option(CONNECTOR), say_option(SLOT)) == ("--remove", "--destroy")
    assert is_allowed(Change(Kind.SLOT, "a", Action.CREATE), options)
