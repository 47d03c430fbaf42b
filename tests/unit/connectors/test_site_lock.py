"""Who changes a site's connectors does so alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from plan_values import TARGET

from connectors.errors import Configuration
from connectors.offset_change import dump_offsets
from connectors.offset_commands import reset, set_offsets
from connectors.site_lock import hold

ENTRIES = [{"partition": {"server": "retail"}, "offset": {"lsn": 1}}]


def test_two_do_not_change_one_site() -> None:
    """The second is refused and told who may be at it; behind the first it gets its turn."""
    with hold(TARGET):
        with pytest.raises(Configuration, match="connectors of retail are being changed"):
            hold(TARGET).__enter__()
        with hold(replace(TARGET, site="other")), hold(replace(TARGET, connect_url="http://d")):
            pass
    with hold(TARGET):
        pass


def test_offsets_are_not_changed_under_somebody_else(tmp_path: Path) -> None:
    """An apply would read one half of its plan before, and one behind the change."""
    (module,) = TARGET.declarations
    file = tmp_path / "offsets.json"
    file.write_text(dump_offsets(TARGET.declared_connector(module), ENTRIES))
    with hold(TARGET):
        with pytest.raises(Configuration, match="are being changed"):
            reset(TARGET, module, yes=True, ask=None)
        with pytest.raises(Configuration, match="are being changed"):
            set_offsets(TARGET, module, file, yes=True, ask=None)
