"""A clerk whose transactions last: others commit between his rows, and his own commit comes late.

Enters: the legacy database. Leaves: transactions of some rows each, whose positions in the log lie
before commits of others; a connector that is cut within one has to go on in the middle.
"""

from __future__ import annotations

import threading
from random import Random

import psycopg

CONNECT_SECONDS_MAX = 5
AGAIN_SECONDS = 1.0
TURNS = 5
TURN_SECONDS = 0.06

_STAMP = "update erp.ord_hdr set chg_ts = localtimestamp where ord_no between %s and %s"


class SlowClerk:
    """Stamps `rows` orders in each transaction, in turns, with `pause_s` between transactions.

    A database that goes away is waited for.
    """

    def __init__(self, url: str, *, orders: int, rows: int, pause_s: float, seed: int) -> None:
        self._url = url
        self._orders = orders
        self._turn_rows = max(rows // TURNS, 1)
        self._pause_s = pause_s
        self._random = Random(seed)  # noqa: S311 - which orders, not a secret
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slow clerk", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End the work after the transaction at hand."""
        self._ended.set()
        self._thread.join(CONNECT_SECONDS_MAX * 4)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_SECONDS_MAX
                ) as connection:
                    while not self._ended.wait(self._pause_s):
                        self._work(connection)
            except psycopg.OperationalError:  # the server is down, or two met on one order
                self._ended.wait(AGAIN_SECONDS)

    def _work(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        span = self._turn_rows * TURNS
        first = self._random.randrange(1, max(self._orders - span, 2))
        with connection.transaction():
            for turn in range(TURNS):
                begin = first + turn * self._turn_rows
                connection.execute(_STAMP, (begin, begin + self._turn_rows - 1))
                self._ended.wait(TURN_SECONDS)
