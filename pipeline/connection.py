"""Opens the connections of long-lived processes to PostgreSQL: hub, outbox and stores.

Enters: a URL and who asks. Leaves: a connection on which neither side waits for ever: a paused
client can't keep its locks from a successor, and a server or a client that vanished is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, LiteralString, TypeVar

import psycopg
import structlog

from legacy_db.keepalive import KEEPALIVE

CONNECT_SECONDS_MAX = 10
IDLE_IN_TRANSACTION_MS_MAX = 60_000
"""How long a client that was stopped within a transaction keeps its locks."""

LOCK_MS_MAX = 15_000
"""How long a successor waits for the batch at hand of the process before it."""
END_MS_MAX = 5_000

_SERVER_KEEPALIVE = " ".join(
    f"-c {name}={value}"
    for name, value in (
        ("tcp_keepalives_idle", KEEPALIVE["keepalives_idle"]),
        ("tcp_keepalives_interval", KEEPALIVE["keepalives_interval"]),
        ("tcp_keepalives_count", KEEPALIVE["keepalives_count"]),
        ("tcp_user_timeout", KEEPALIVE["tcp_user_timeout"]),
    )
)
"""The server's side: by default it keeps the locks of a client whose machine is gone for hours."""

_Taken = TypeVar("_Taken")

log = structlog.get_logger()


def open_connection(url: str, name: str, options: str = "") -> psycopg.Connection[Any]:
    """Connect in autocommit mode; `options` are the server's, as `-c name=value`."""
    settings: dict[str, Any] = {
        "application_name": f"isthmus {name}",
        "connect_timeout": CONNECT_SECONDS_MAX,
        "options": f"{_SERVER_KEEPALIVE} -c idle_in_transaction_session_timeout="
        f"{IDLE_IN_TRANSACTION_MS_MAX} {options}",
        **KEEPALIVE,
    }
    return psycopg.connect(url, autocommit=True, **settings)


def take_rows(
    connection: psycopg.Connection[Any],
    take: Callable[[], _Taken],
    *,
    table: LiteralString,
    condition: LiteralString,
    parameters: Sequence[Any],
) -> _Taken:
    """Run `take` in a transaction, past a predecessor that keeps the locks of the rows it takes.

    Whoever was stopped in the middle of a COPY is not idle for the server, and would keep them for
    as long as it stands still: after LOCK_MS_MAX the sessions that hold them are ended. The rows
    are those of `table` for which `condition` holds; LockNotAvailable when that did not help.
    """
    try:
        return _take_in_time(connection, take)
    except psycopg.errors.LockNotAvailable:
        ended = connection.execute(
            "select holder.pid, pg_terminate_backend(holder.pid, %s)"
            f" from {table} taken join pg_locks holder on holder.locktype = 'transactionid'"
            " and holder.granted and holder.transactionid = taken.xmax"
            f" where holder.pid <> pg_backend_pid() and {condition}",
            (END_MS_MAX, *parameters),
        ).fetchall()
        log.warning("predecessor ended", table=table, pids=sorted({pid for pid, _ in ended}))
    return _take_in_time(connection, take)


def _take_in_time(connection: psycopg.Connection[Any], take: Callable[[], _Taken]) -> _Taken:
    with connection.transaction():
        connection.execute(f"set local lock_timeout = {LOCK_MS_MAX:d}".encode())
        return take()
