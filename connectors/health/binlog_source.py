"""Reads the binary log's side of a capture from MariaDB or MySQL; nothing is changed.

Enters: a connection whose role may see the log's files (BINLOG MONITOR, or REPLICATION CLIENT).
Leaves: facts.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from connectors.errors import Retriable
from connectors.health.facts import BinlogFacts

if TYPE_CHECKING:
    from legacy_db.mariadb.connection import MariaDBConnection


def read_binlog(connection: MariaDBConnection) -> BinlogFacts | None:
    """Read the files of the binary log; None for a role that may not see them."""
    try:
        rows = connection.fetch("show binary logs")
    except Retriable:
        return None
    files = tuple((str(row[0]), int(row[1])) for row in rows)
    gtids = ""
    if files:
        with suppress(Retriable):  # MySQL has no such function
            (found,) = connection.fetch("select binlog_gtid_pos(%s, 4)", (files[0][0],))
            gtids = str(found[0] or "")
    return BinlogFacts(files, gtids)
