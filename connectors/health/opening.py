"""Opens what facts are read from, and closes it again; a legacy database that is away is no end."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from connectors.client import ConnectClient
from connectors.database import connect_owner
from connectors.errors import Unreachable
from connectors.health.gather import Sources
from connectors.health.log_end import LogReader
from legacy_db.mariadb.connection import MariaDBConnection, is_mariadb_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from connectors.target import Target


@contextmanager
def open_sources(
    target: Target, tell: Callable[[str], None], logs: LogReader | None = None
) -> Iterator[Sources]:
    """Open Connect, Kafka and the legacy database; `tell` hears that the latter is not there.

    `logs` is used, and left open, where it is given.
    """
    with ExitStack() as stack:
        if logs is None:
            logs = LogReader(target.bootstrap_servers)
            stack.callback(logs.close)
        owner: psycopg.Connection | None = None
        binlog: MariaDBConnection | None = None
        try:
            if is_mariadb_url(target.owner_url):
                binlog = stack.enter_context(closing(MariaDBConnection(target.owner_url)))
            else:
                owner = stack.enter_context(connect_owner(target.owner_url))
        except Unreachable as error:
            tell(str(error))
        yield Sources(ConnectClient(target.connect_url), logs, owner, binlog)
