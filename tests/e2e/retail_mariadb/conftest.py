"""The retail site on a real MariaDB, running for all tests of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from live_site import MODULES
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB
from mariadb_server import MariaDBServer
from retail_mariadb_site import CAPTURE_PASSWORD, RetailMariaDBSite

from pipeline.local_stack.stack import LocalStack


@pytest.fixture(scope="module")
def running(
    stack: LocalStack,
    mariadb_server: MariaDBServer,
    module_databases: Callable[[], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RetailMariaDBSite]:
    """Give a site with 300 orders whose snapshot has come to both regions."""
    variables = module_databases()
    name = f"r{variables['ISTHMUS_HUB_URL'].rpartition('_t')[2]}"
    folder = tmp_path_factory.mktemp("mariadb_connect")
    own = {CAPTURE_PASSWORD: mariadb_server.password}
    try:
        connect = MariaDBConnect(stack.variables(), folder, own_secrets=own)
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    with closing(connect):
        site = RetailMariaDBSite(
            tmp_path_factory.mktemp("site"), variables, mariadb_server, connect,
            name=name, orders=300,
        )  # fmt: skip
        complete = "select count(*) from hub.module where snapshot = 'complete'"
        try:
            site.set_up()
            site.start_all()
            site.wait(lambda: site.hub(complete)[0][0] == len(MODULES), "the snapshots")
            site.wait_for_quiet()
            yield site
        finally:
            site.end()
