"""The model of the legacy database and of Debezium writes what the real programs write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from fidelity_log import assert_equal, normalise
from fidelity_model import ModelSite
from fidelity_random import make_random_script
from fidelity_real import RealSite
from fidelity_script import SCHEMA, Script, make_definitions
from fidelity_scripts import SCRIPTS

from legacy_db.definition import read_tables
from pipeline.local_stack.stack import LocalStack

RANDOM_SEEDS = range(4)
SKIPPED = "Initial Snapshot: SKIPPED"


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
