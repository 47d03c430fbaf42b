"""Where a connector begins: offsets, slot and change log must fit together."""

from __future__ import annotations

import pytest

from connectors.creation import check_beginning
from connectors.errors import Fatal
from connectors.names import ModuleNames

SALES = ModuleNames("retail", "sales")


@pytest.mark.parametrize(
    ("goes_on", "slot_there", "last_epoch", "epoch"),
    [
        (False, False, None, 1),
        (True, True, 1, 1),
        (True, True, 1, 2),
        (True, True, None, 1),
        (False, False, 1, 2),
    ],
)
def test_fitting_beginnings(
    *, goes_on: bool, slot_there: bool, last_epoch: int | None, epoch: int
) -> None:
    """A first start, going on, and beginning anew in a higher epoch are all right."""
    check_beginning(SALES, epoch, goes_on=goes_on, slot_there=slot_there, last_epoch=last_epoch)


@pytest.mark.parametrize(
    ("goes_on", "slot_there", "last_epoch", "epoch", "words"),
    [
        (True, False, 1, 1, "its replication slot isthmus_retail_sales is gone"),
        (False, True, None, 1, "is left over"),
        (False, False, 1, 1, "set epoch: 2"),
        (False, False, 4, 2, "set epoch: 5"),
        (True, True, 4, 2, "set epoch: 4"),
    ],
)
def test_unfitting_beginnings(
    *, goes_on: bool, slot_there: bool, last_epoch: int | None, epoch: int, words: str
) -> None:
    """What would lose rows, or send old ones after new ones, is Fatal and says what to do."""
    with pytest.raises(Fatal, match=words):
        check_beginning(SALES, epoch, goes_on=goes_on, slot_there=slot_there, last_epoch=last_epoch)
