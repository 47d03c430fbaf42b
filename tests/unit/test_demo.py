"""The demo's record of accidents, and when it waits no longer."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.demo.accidents import Incidents
from pipeline.demo.watch import Landscape, ModuleState


def test_incidents_are_one_json_object_a_line(tmp_path: Path) -> None:
    """What an earlier demo left is gone."""
    for what in ("killed", "started again"):
        Incidents(tmp_path).add(what, "x")
    incidents = Incidents(tmp_path)
    incidents.add("replicate-eu killed", "SIGKILL, pid 7")
    incidents.add("replicate-eu started again", "pid 8")
    lines = [json.loads(line) for line in incidents.path.read_text().splitlines()]
    assert [line["what"] for line in lines] == ["replicate-eu killed", "replicate-eu started again"]
    assert set(lines[0]) == {"at", "what", "detail"}


def _is_settled(snapshot: str, published: int, emissions: int) -> bool:
    module = ModuleState("sales", snapshot, 9, published, emissions, 0)
    assert Landscape((module, module)).events == 18
    return module.is_settled


def test_a_module_is_settled_when_all_of_it_is_published() -> None:
    """A snapshot that runs, an emission that is asked for, an event in the store: not yet."""
    assert _is_settled("complete", 9, 0)
    assert not _is_settled("running", 9, 0)
    assert not _is_settled("complete", 8, 0)
    assert not _is_settled("complete", 9, 1)
