"""One running site on a real MariaDB for all tests of a file; each leaves it whole and running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from cared_mariadb import CaredMariaDB
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB, find_mariadb
from mariadb_server import MariaDBServer
from mariadb_site import PASSWORD, MariaDBSite
from mariadb_tables import DDL, SEED

from pipeline.local_stack.stack import LocalStack

CUT = {"max.batch.size": "20", "max.queue.size": "40"}
"""A transaction in Kafka for every 20 records, so that a kill of Connect comes within one."""


@pytest.fixture(scope="module")
def programs(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[MariaDBServer, MariaDBConnect]]:
    """Give a server and a Connect worker of the file's own; skip where MariaDB can't be had."""
    try:
        found = find_mariadb()
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    with closing(MariaDBServer(found, tmp_path_factory.mktemp("mariadb"))) as server:
        try:
            own = {PASSWORD: server.password}
            folder = tmp_path_factory.mktemp("mariadb_connect")
            connect = MariaDBConnect(stack.variables(), folder, own_secrets=own)
        except MissingMariaDB as problem:
            pytest.skip(str(problem))
        with closing(connect):
            yield server, connect


@pytest.fixture(scope="module")
def started(
    programs: tuple[MariaDBServer, MariaDBConnect],
    module_databases: Callable[[], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MariaDBSite]:
    """Give a site whose snapshot has come to both regions."""
    variables = module_databases()
    live = MariaDBSite(
        tmp_path_factory.mktemp("mariadb_site"), variables, *programs,
        name=name_after(variables), ddl=DDL, config=CUT,
    )  # fmt: skip
    with closing(live):
        for statement in SEED:
            live.owner.execute(statement)
        live.set_up()
        live.start_all()
        complete = "select count(*) from hub.module where snapshot = 'complete'"
        live.wait(lambda: live.hub(complete)[0][0] == 1, "the snapshot")
        live.wait_for_quiet()
        yield live


@pytest.fixture
def running(started: MariaDBSite) -> MariaDBSite:
    """Give the site with all its processes running."""
    started.start_all()
    return started


@pytest.fixture(scope="module")
def began(
    programs: tuple[MariaDBServer, MariaDBConnect],
    module_databases: Callable[[], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CaredMariaDB]:
    """Give a cared-for site whose snapshot has come to both regions."""
    variables = module_databases()
    live = CaredMariaDB(
        tmp_path_factory.mktemp("mariadb_site"), variables, *programs, name=name_after(variables)
    )
    with closing(live):
        live.begin()
        yield live


@pytest.fixture
def cared(began: CaredMariaDB) -> CaredMariaDB:
    """Give the cared-for site with all its processes running."""
    began.start_all()
    return began


def name_after(variables: dict[str, str]) -> str:
    """Name a site and its legacy database after its hub."""
    return f"m{variables['ISTHMUS_HUB_URL'].rpartition('_t')[2]}"
