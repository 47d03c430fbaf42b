"""Reads the binary log's side of a capture from MariaDB or MySQL; nothing is changed.

Enters: a connection whose role may see the log's files (BINLOG MONITOR, or REPLICATION CLIENT).
Leaves: facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.errors import Retriable
from connectors.health.facts import BinlogFacts

if TYPE_CHECKING:
    from legacy_db.mariadb.connection import MariaDBConnection

_TABLES = """
select table_name from information_schema.tables
where table_schema = database() and table_type = 'BASE TABLE' order by 1
"""


def read_binlog(connection: MariaDBConnection) -> BinlogFacts | None:
    """Read the files of the binary log; None for a role that may not see them."""
    try:
        rows = connection.fetch("show binary logs")
    except Retriable:
        return None
    return BinlogFacts(tuple((str(row[0]), int(row[1])) for row in rows))


def list_database_tables(connection: MariaDBConnection) -> list[str]:
    """List the tables of the connection's database."""
    return [str(name) for (name,) in connection.fetch(_TABLES)]
