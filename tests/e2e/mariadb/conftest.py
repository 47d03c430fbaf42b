"""One running site on a real MariaDB for all tests of a file; each leaves it whole and running."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB, find_mariadb
from mariadb_server import MariaDBServer
from mariadb_site import PASSWORD, MariaDBSite
from mariadb_tables import DDL, SEED

from pipeline.local_stack.stack import LocalStack

CUT = {"max.batch.size": "20", "max.queue.size": "40"}
"""A transaction in Kafka for every 20 records, so that a kill of Connect comes within one."""


@pytest.fixture(scope="module")
def started(
    stack: LocalStack,
    module_databases: Callable[[], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MariaDBSite]:
    """Give a site whose snapshot has come to both regions; skip where MariaDB can't be had."""
    try:
        programs = find_mariadb()
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    server = MariaDBServer(programs, tmp_path_factory.mktemp("mariadb"))
    try:
        try:
            own = {PASSWORD: server.password}
            folder = tmp_path_factory.mktemp("mariadb_connect")
            connect = MariaDBConnect(stack.variables(), folder, own_secrets=own)
        except MissingMariaDB as problem:
            pytest.skip(str(problem))
        try:
            yield from _run(server, connect, module_databases(), tmp_path_factory)
        finally:
            connect.close()
    finally:
        server.close()


def _run(
    server: MariaDBServer,
    connect: MariaDBConnect,
    variables: dict[str, str],
    folders: pytest.TempPathFactory,
) -> Iterator[MariaDBSite]:
    live = MariaDBSite(
        folders.mktemp("mariadb_site"), variables, server, connect,
        name=f"m{variables['ISTHMUS_HUB_URL'].rpartition('_t')[2]}", ddl=DDL, config=CUT,
    )  # fmt: skip
    try:
        for statement in SEED:
            live.owner.execute(statement)
        live.set_up()
        live.start_all()
        complete = "select count(*) from hub.module where snapshot = 'complete'"
        live.wait(lambda: live.hub(complete)[0][0] == 1, "the snapshot")
        live.wait_for_quiet()
        yield live
    finally:
        live.close()


@pytest.fixture
def running(started: MariaDBSite) -> MariaDBSite:
    """Give the site with all its processes running."""
    started.start_all()
    return started
