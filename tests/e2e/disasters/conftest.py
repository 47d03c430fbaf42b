"""A cared-for site for all tests of a file; each test leaves it whole and running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cared_site import CaredSite
from server_pair import Pair

from pipeline.local_stack.stack import LocalStack


@pytest.fixture(scope="module")
def began(module_site: Callable[[], Any], request: pytest.FixtureRequest) -> Iterator[CaredSite]:
    """Give a site whose snapshots have come; a file's HEAL is the care's flag."""
    heal = bool(getattr(request.module, "HEAL", False))
    orders = int(getattr(request.module, "ORDERS", 300))
    live = CaredSite(module_site().folder, orders=orders, heal=heal)
    try:
        live.begin()
        yield live
    finally:
        live.end()


@pytest.fixture
def cared(began: CaredSite) -> CaredSite:
    """Give the site with all its processes running."""
    began.start_all()
    return began


@pytest.fixture(scope="module")
def pair(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Give a running primary and what its standby will be."""
    one = Pair(stack, tmp_path_factory.mktemp)
    try:
        one.primary.start()
        yield one
    finally:
        one.close()
