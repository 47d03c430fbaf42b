"""One running site for all tests of a file; each test leaves it whole and running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_site import MODULES, LiveSite


@pytest.fixture(scope="module")
def started(module_site: Callable[[], Any]) -> Iterator[LiveSite]:
    """Give a site with 300 orders whose snapshot has come to all regions."""
    live = LiveSite(module_site().folder, orders=300)
    complete = "select count(*) from hub.module where snapshot = 'complete'"
    try:
        live.set_up()
        live.start_all()
        live.wait(lambda: live.hub(complete)[0][0] == len(MODULES), "the snapshots")
        live.wait_for_quiet()
        yield live
    finally:
        live.end()


@pytest.fixture
def running(started: LiveSite) -> LiveSite:
    """Give the site with all its processes running."""
    started.start_all()
    return started
