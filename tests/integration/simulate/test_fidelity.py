"""The model of the legacy database and of Debezium writes what the real programs write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from fidelity_log import assert_equal, name_kind, normalise
from fidelity_model import ModelSite
from fidelity_random import make_random_script
from fidelity_real import RealSite
from fidelity_restarts import ONE_BY_ONE, RestartProbe
from fidelity_script import SCHEMA, Script, make_definitions
from fidelity_scripts import RESTARTED, SCRIPTS

from legacy_db.definition import read_tables
from pipeline.local_stack.stack import LocalStack
from pipeline.simulate.debezium import ConnectorFailed

RANDOM_SEEDS = range(4)
SKIPPED = "Initial Snapshot: SKIPPED"
BESIDE = (SKIPPED, "message heartbeat")


@pytest.fixture
def real(site: Callable[[], Any], stack: LocalStack) -> Iterator[RealSite]:
    """Give a site with the scripts' tables, without a connector."""
    made = site()
    opened = RealSite(made.name, made.variables, stack)
    yield opened
    opened.close()


def assert_same(script: Script, real: RealSite) -> None:
    """Run a script on both and compare their logs record by record."""
    expected = normalise(ModelSite(real.names.site).run(script), without=(SKIPPED,))
    assert_equal(normalise(real.run(script), without=(SKIPPED,)), expected)


def test_the_definitions_are_those_of_the_catalogue(real: RealSite, site: Any) -> None:
    """The model's tables are what reading the real ones' catalogue gives."""
    del site
    tables = make_definitions()
    with psycopg.connect(real.owner_url) as connection:
        assert read_tables(connection, SCHEMA, [table.name for table in tables]) == {
            table.name: table for table in tables
        }


@pytest.mark.parametrize("name", SCRIPTS)
def test_known_cases(name: str, real: RealSite) -> None:
    """Every case that was seen on the real programs gives the same log on the model."""
    assert_same(SCRIPTS[name], real)


@pytest.mark.parametrize("seed", RANDOM_SEEDS)
def test_random_cases(seed: int, real: RealSite) -> None:
    """Random interleavings of four sessions give the same log on the model."""
    assert_same(make_random_script(seed), real)


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
