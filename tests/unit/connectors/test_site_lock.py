"""Who changes a site's connectors does so alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plan_values import TARGET

from connectors.errors import Configuration
from connectors.site_lock import hold


def test_two_do_not_change_one_site() -> None:
    """The second is refused and told who may be at it; behind the first it gets its turn."""
    with hold(TARGET):
        with pytest.raises(Configuration, match="connectors of retail are being changed"):
            hold(TARGET).__enter__()
        with hold(replace(TARGET, site="other")), hold(replace(TARGET, connect_url="http://d")):
            pass
    with hold(TARGET):
        pass
