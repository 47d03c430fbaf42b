"""With the differences of MariaDB, the models write what a real one's connector writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from fidelity_log import assert_equal
from fidelity_mariadb_log import normalise_mariadb
from fidelity_mariadb_model import ModelMariaDB
from fidelity_mariadb_real import BY_TWENTY, ONE_BY_ONE, RealMariaDB
from fidelity_mariadb_rows import assemble, list_rows
from fidelity_mariadb_script import KILLED, MODULE_TABLES, RESTARTED, RESTARTS, SCRIPTS
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB, find_mariadb
from mariadb_server import MariaDBServer

from pipeline.local_stack.stack import LocalStack

pytestmark = pytest.mark.long

SKIPPED = "Initial Snapshot: SKIPPED"
WITHIN = (6, 7, 8, 10)
"""Places behind a row of a transaction; behind the first, a moved row's new image is not sent."""
Connected = Callable[..., RealMariaDB]


@pytest.fixture(scope="module")
def programs(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[MariaDBServer, MariaDBConnect]]:
    """Give a server and a Connect worker of this module's own; skip where they can't be had."""
    try:
        found = find_mariadb()
        connect = MariaDBConnect(stack.variables(), tmp_path_factory.mktemp("mariadb_connect"))
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    try:
        server = MariaDBServer(found, tmp_path_factory.mktemp("mariadb"))
        try:
            yield server, connect
        finally:
            server.close()
    finally:
        connect.close()


@pytest.fixture
def real(programs: tuple[MariaDBServer, MariaDBConnect]) -> Iterator[Connected]:
    """Give a factory of sites with the scripts' tables, without connectors."""
    made: list[RealMariaDB] = []

    def make(config: Mapping[str, str] | None = None) -> RealMariaDB:
        made.append(RealMariaDB(*programs, config or {}))
        return made[-1]

    yield make
    for site in made:
        site.close()


def find_stream(log: list[dict[str, Any]]) -> int:
    """Find where the snapshot is behind."""
    return 1 + [one["kind"] for one in log].index("Initial Snapshot: COMPLETED")


@pytest.mark.parametrize("name", SCRIPTS)
def test_known_cases(name: str, real: Connected) -> None:
    """Several sessions' transactions, moved keys, savepoints, TRUNCATE give the model's log.

    Assembled, it gives the model's rows.
    """
    site = real()
    log = site.run(SCRIPTS[name])
    model = ModelMariaDB(site.names.site)
    assert_equal(normalise_mariadb(log, site.database), model.foretell(SCRIPTS[name]))
    rows, doubts = assemble(log, site.database, MODULE_TABLES)
    assert rows == list_rows(model)
    assert doubts == []


def test_connect_killed(real: Connected) -> None:
    """Killed within a transaction while others are open, it goes on as the model's, cut there.

    Which record the kill comes behind is a matter of time: the log tells, and the model is cut
    behind the same one.
    """
    site = real(BY_TWENTY)
    log = site.run(KILLED)
    found = normalise_mariadb(log, site.database)
    kinds = [one["kind"] for one in found]
    assert kinds.count(SKIPPED) == 1
    place = kinds.index(SKIPPED) - find_stream(found)
    model = ModelMariaDB(site.names.site)
    assert_equal(found, model.foretell(KILLED, place))
    assert kinds.count("BEGIN") == kinds.count("END") + 1  # it was cut within a transaction
    rows, doubts = assemble(log, site.database, MODULE_TABLES)
    assert rows == list_rows(model)
    assert len(doubts) == 1


def test_restarts(real: Connected) -> None:
    """Behind records of every kind, a restart repeats and loses what it does on the model."""
    site = real(ONE_BY_ONE)
    log = site.run(RESTARTED)
    offsets = site.read_offsets()
    assert len(offsets) == len(log)
    for place in RESTARTS:
        behind = len(log) - 16 + place
        written = site.restart_at(*offsets[behind - 1])
        found = normalise_mariadb([*log[:behind], *written], site.database)
        model = ModelMariaDB(site.names.site)
        assert_equal(found, model.foretell(RESTARTED, place))
        rows, doubts = assemble([*log[:behind], *written], site.database, MODULE_TABLES)
        assert rows == list_rows(model)
        assert len(doubts) == (place in WITHIN)
