"""A cared-for site whose legacy database is a server of its own, which the tests put back or lose.

Enters: a site of the tests, and a server. Leaves: the site led to that server, and a load that
finds the server again by itself, as a legacy application does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cared_site import CaredSite
from legacy_server import LegacyServer

from legacy_db.errors import Unreachable
from legacy_db.retail.workload import run_workload
from pipeline.settings import STACK_STATE_FILE, STATE_FOLDER

RETRY_S = 0.2


def lead_to(
    folder: Path, variables: Mapping[str, str], server: LegacyServer, port: int = 0
) -> None:
    """Lead a site's legacy variables to another server, on which its databases are made."""
    suffix = variables["ISTHMUS_LEGACY_URL"].rpartition("/legacy")[2]
    server.make_databases(suffix)
    led = {**variables, **server.variables(suffix, port)}
    state = folder / STATE_FOLDER / STACK_STATE_FILE
    state.write_text(json.dumps({"variables": led}))


@contextmanager
def lasting_load(site: CaredSite, seed: int, rate: float = 40.0) -> Iterator[None]:
    """Let four clients work while the block runs; they come back when the server does."""
    over, runs = threading.Event(), [threading.Event()]
    url = site.settings.legacy.owner_url

    def work() -> None:
        while not over.is_set():
            runs.append(threading.Event())
            try:
                run_workload(
                    url, rate=rate, seconds=600, seed=seed + len(runs) * 1000, clients=4,
                    stop=runs[-1], batches=False,
                )  # fmt: skip
            except Unreachable:
                over.wait(RETRY_S)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        while thread.is_alive():
            over.set()
            runs[-1].set()
            thread.join(RETRY_S)
