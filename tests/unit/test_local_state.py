"""The state file of the local stack: what it keeps over restarts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.local_stack.connect import build_worker_properties
from pipeline.local_stack.state import make_state, read_state, write_state

if TYPE_CHECKING:
    from pathlib import Path


def test_what_connect_was_given_is_kept(tmp_path: Path) -> None:
    """Engines and secrets are read back: a Connect that starts again has them again."""
    path = tmp_path / "stack.json"
    state = replace(make_state(), engines=("postgresql", "mariadb"), secrets={"SHOP_PW": "x"})
    write_state(path, state)
    assert read_state(path) == state


def test_a_file_of_before_has_postgresqls_connector(tmp_path: Path) -> None:
    """A state file that names no engines is one of a stack with PostgreSQL's connector only."""
    path = tmp_path / "stack.json"
    write_state(path, make_state())
    document = json.loads(path.read_text())
    del document["engines"]
    path.write_text(json.dumps(document))
    state = read_state(path)
    assert state is not None
    assert state.engines == ("postgresql",)


def test_connect_resolves_the_secrets_that_it_was_given() -> None:
    """Beside our own variables, those of other names: nothing else of its environment."""
    properties = build_worker_properties(
        port=1, kafka_port=2, plugin_folders=(), secrets=("SHOP_PW", "ISTHMUS_CAPTURE_PASSWORD")
    )
    pattern = properties["config.providers.env.param.allowlist.pattern"]
    assert pattern == "ISTHMUS_.*|SHOP_PW"
