"""The model of Debezium restarts as the real one does, behind every record of a log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fidelity_log import assert_equal, name_kind, normalise
from fidelity_model import ModelSite
from fidelity_real import RealSite
from fidelity_restarts import ONE_BY_ONE, RestartProbe
from fidelity_scripts import RESTARTED

from pipeline.local_stack.guard import guarded
from pipeline.local_stack.stack import LocalStack
from pipeline.simulate.debezium import ConnectorFailed

pytestmark = pytest.mark.long

BESIDE = ("Initial Snapshot: SKIPPED", "message heartbeat")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Give a stack of its own.

    The offsets are read from Connect's own topic, and servers that other tests killed may leave a
    transaction open there, behind which nothing can be read.
    """
    own = LocalStack(tmp_path_factory.mktemp("restarts"))
    with guarded(own):
        own.up()
        yield own


def test_restarts_everywhere(site: Callable[[], Any], stack: LocalStack) -> None:
    """Behind every record of a log, a restart loses and repeats what it does on the model."""
    made = site()
    real = RealSite(made.name, made.variables, stack, ONE_BY_ONE)
    try:
        probe = RestartProbe(real, made.variables, RESTARTED)
        kinds = [name_kind(json.loads(record.value)) for record in probe.log]
        beats = kinds.count("heartbeat")  # plain ones, all of them within the snapshot
        behind_its_end = kinds.index("message heartbeat") + 2
        for place in range(behind_its_end, len(probe.log)):
            written, has_failed = probe.restart_behind(place)
            found = normalise(probe.log[:place] + written, without=BESIDE)
            model = ModelSite(made.name, exact_restarts=False)
            try:
                expected = normalise(
                    model.run_with_restart(RESTARTED, place - beats), without=BESIDE
                )
            except ConnectorFailed:
                expected = []
            assert has_failed == (expected == []), f"behind record {place}: {kinds[place - 1]}"
            if not has_failed:
                assert_equal(found, expected)
    finally:
        real.close()
