"""Clients of a MariaDB that work at the same time: their transactions interleave.

Enters: a site with the tables of mariadb_tables. Leaves: changes that go on until the block ends.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress

from mariadb_server import DeadlockError, MariaDBSession
from mariadb_site import MariaDBSite

SESSIONS = 3
PACE_SECONDS = 0.015


def act(draw: random.Random, session: MariaDBSession, number: int, offset: int) -> None:
    """Do one thing in rows of a session's own: others wait for nobody."""
    key, other = offset + draw.randrange(40), offset + draw.randrange(40)
    statements = {
        "insert": f"insert ignore into ord (id, cust, placed) values ({key}, {number}, now(6))",
        "lines": f"replace into line (ord_id, no, qty, price) values ({key}, 1, {number % 999},"
        f" 0.1), ({key}, 2, 1.5, null)",
        "update": f"update ord set total = total + 1.25, status = 'paid' where id = {key}",
        "move": f"update ignore ord set id = {key} where id = {other}",
        "delete": f"delete from line where ord_id = {key}",
        "unseen": f"insert into unseen values ({number})",
        "commit": "commit",
        "rollback": "rollback",
    }
    chosen = draw.choice(list(statements))
    session.execute(statements[chosen])
    if chosen in {"commit", "rollback"}:
        session.execute("begin")


@contextmanager
def load(site: MariaDBSite, seed: int) -> Iterator[None]:
    """Let several clients work while the block runs; what fails there fails the block.

    Each has a thread: where DDL waits for a transaction, the others wait behind it.
    """
    stop = threading.Event()
    site.owner.execute("create table if not exists unseen (id int)")
    with ThreadPoolExecutor(SESSIONS) as pool:
        working = [pool.submit(_work, site, stop, seed, place) for place in range(SESSIONS)]
        try:
            yield
        finally:
            stop.set()
        for one in working:
            one.result()


def _work(site: MariaDBSite, stop: threading.Event, seed: int, place: int) -> None:
    draw = random.Random(f"{seed} {place}")  # noqa: S311 - nothing secret
    number = 0
    while not stop.is_set():
        with closing(site.session()) as session:
            session.execute("begin")
            # an application that is rolled back connects again and goes on: gaps between the
            # rows of two sessions are locked by both
            with suppress(DeadlockError):
                while not stop.wait(PACE_SECONDS):
                    number += 1
                    act(draw, session, number, offset=1_000 * (place + 1))
                session.execute("commit")
