"""When a connection to a database counts as lost: settings of libpq.

Enters: nothing. Leaves: arguments of `psycopg.connect`, by which a server whose machine is gone is
noticed within half a minute, also in the middle of a statement; one that only computes is not.
"""

from __future__ import annotations

from typing import TypedDict


class Keepalive(TypedDict):
    """libpq's connection parameters; see its documentation."""

    keepalives_idle: int
    keepalives_interval: int
    keepalives_count: int
    tcp_user_timeout: int


KEEPALIVE: Keepalive = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
