"""Changes that may be missing from a change log are doubted, with every reason that is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.connection import open_connection
from pipeline.hub.doubts import list_open_doubts, note_lost, refute_doubts
from pipeline.hub.migrate import migrate_hub

MODULE = "sales"


@pytest.fixture
def hub_url(databases: Callable[[], dict[str, str]]) -> str:
    """Give a hub that knows a module at position 100 of epoch 1."""
    url = databases()["ISTHMUS_HUB_URL"]
    migrate_hub(url)
    with open_connection(url, "test") as connection:
        connection.execute(
            "insert into hub.module (module, epoch, lsn, source_offset) values (%s, 1, 100, 7)",
            (MODULE,),
        )
    return url


def test_reasons_at_one_place_are_one_doubt(hub_url: str) -> None:
    """The second reason hides the first one no more than the first one comes twice."""
    with open_connection(hub_url, "test") as connection:
        for reason in ("database changed", "slot missing", "database changed"):
            note_lost(connection, MODULE, (1, 120), 9, reason)
        (doubt,) = list_open_doubts(connection, [MODULE])
        assert (doubt.offset, doubt.lsn, doubt.reason) == (9, 120, "database changed; slot missing")


def test_a_reason_that_stands_moves_on_and_a_refuted_one_is_forgotten(hub_url: str) -> None:
    """The doubt is about all before the latest position, for the reasons since the last proof."""
    with open_connection(hub_url, "test") as connection:
        note_lost(connection, MODULE, (1, 120), 9, "slot missing")
        note_lost(connection, MODULE, (1, 150), 12, "slot missing")
        (doubt,) = list_open_doubts(connection, [MODULE])
        assert (doubt.offset, doubt.lsn) == (9, 150)
        connection.execute(
            "insert into hub.barrier (barrier, module, epoch, lsn, number) "
            "values ('b', %s, 1, 200, 1)",
            (MODULE,),
        )
        refute_doubts(connection, "b", [MODULE])
        assert list_open_doubts(connection, [MODULE]) == []
        note_lost(connection, MODULE, (1, 220), 9, "config edited")
        (doubt,) = list_open_doubts(connection, [MODULE])
        assert (doubt.lsn, doubt.reason) == (220, "config edited")
