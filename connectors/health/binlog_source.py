"""Reads the binary log's side of a capture from MariaDB or MySQL; nothing is changed.

Enters: a connection whose role may see the log's files (BINLOG MONITOR, or REPLICATION CLIENT).
Leaves: facts.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from connectors.errors import Retriable
from connectors.health.facts import NO_EVENT, BinlogFacts

if TYPE_CHECKING:
    from connectors.health.facts import SeenBinlog
    from legacy_db.mariadb.connection import MariaDBConnection

_GTID = re.compile(r".*\bGTID (\d+-\d+-\d+)")
_NOT_THERE = ("Wrong offset", "Invalid pos", "Invalid input pos")
"""MariaDB's words for a place at which no event begins."""


def read_binlog(connection: MariaDBConnection) -> BinlogFacts | None:
    """Read how far the binary log reaches; None for a role that may not see its files."""
    before = _ask(connection, "select @@gtid_binlog_pos")
    try:
        rows = connection.fetch("show binary logs")
    except Retriable:
        return None
    after = _ask(connection, "select @@gtid_binlog_pos")  # files and GTIDs of one moment, or not
    files = tuple((str(row[0]), int(row[1])) for row in rows)
    oldest = _ask(connection, "select binlog_gtid_pos(%s, 4)", files[0][0]) if files else None
    server_id = _ask(connection, "select @@server_id")
    return BinlogFacts(
        files,
        str(oldest or ""),
        None if after is None else str(after),
        is_exact=after is not None and before == after,
        server_id=None if server_id is None else int(server_id),
    )


def read_at(connection: MariaDBConnection, seen: SeenBinlog) -> str | None:
    """Read the GTID of what begins at a place, or NO_EVENT; None where nothing can be said.

    The server goes straight to the place, however long the file is.
    """
    try:
        rows = connection.fetch(
            "show binlog events in %s from %s limit 1", (seen.place.file, seen.place.offset)
        )
    except Retriable as error:
        return NO_EVENT if any(words in str(error) for words in _NOT_THERE) else None
    match = _GTID.match(str(rows[0][5])) if rows else None
    return None if match is None else match.group(1)


def _ask(connection: MariaDBConnection, query: str, *parameters: str) -> Any:
    """Ask for one value; None where the server knows no such thing."""
    with suppress(Retriable):
        return connection.fetch(query, parameters)[0][0]
    return None
