"""A site in sync, for the tests of reconciliation, report and dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from reconcile_landscape import Landscape, open_landscape, reset


@pytest.fixture(scope="module")
def shared_landscape(module_site: Callable[[], Any]) -> Iterator[Landscape]:
    """Give the databases of a site, migrated and empty."""
    site = module_site()
    with open_landscape(site.folder, site.variables) as landscape:
        yield landscape


@pytest.fixture
def landscape(shared_landscape: Landscape) -> Landscape:
    """Give a site in sync: a few hundred orders in legacy database, mirror and both stores."""
    reset(shared_landscape)
    return shared_landscape
