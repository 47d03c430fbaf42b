"""A transaction of a million rows: longer than CI should take, so it is run with the torture."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_site import MODULES, LiveSite

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_ORDER = 800_000_001
LINES_PER_ORDER = 10
SMALL, LARGE = 100_000, 1_000_000
"""Rows of one UPDATE."""
GROWTH_MAX = 1.3
SECONDS_MAX = 3_600


@pytest.fixture
def running(site: Callable[[], Any]) -> Iterator[LiveSite]:
    """Give a site with all its processes running."""
    live = LiveSite(site().folder, orders=300, wait_seconds_max=SECONDS_MAX)
    complete = "select count(*) from hub.module where snapshot = 'complete'"
    try:
        live.set_up()
        live.start_all()
        live.wait(lambda: live.hub(complete)[0][0] == len(MODULES), "the snapshots")
        yield live
    finally:
        live.end()


@pytest.mark.soak
@pytest.mark.timeout(2 * SECONDS_MAX)
def test_an_update_of_a_million_rows_is_one_commit_in_bounded_memory(running: LiveSite) -> None:
    """One whole event per order with its ten lines; ten times the rows take no more memory."""
    _insert_orders(running)
    small = _update_and_measure(running, SMALL)
    large = _update_and_measure(running, LARGE)
    running.check_whole()
    assert large <= GROWTH_MAX * small, f"{large} kB for {LARGE} rows, {small} kB for {SMALL}"


def _insert_orders(running: LiveSite) -> None:
    orders = LARGE // LINES_PER_ORDER
    numbers = f"from generate_series({FIRST_ORDER}, {FIRST_ORDER + orders - 1}) n"
    running.legacy(
        "insert into erp.ord_hdr select n, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, "
        f"null, localtimestamp {numbers}",
        f"insert into erp.ord_lin select n, l, 'A', 1, 1.5, 150, 'O' {numbers}, "
        f"generate_series(1, {LINES_PER_ORDER}) l",
    )
    running.wait_for_quiet()


@contextlib.contextmanager
def _other_clients(running: LiveSite) -> Iterator[None]:
    """Let four clients work meanwhile, so that their transactions interleave with ours."""
    command = [sys.executable, "-m", "pipeline.cli", "workload", "--site", str(running.folder)]
    options = ["--rate", "20", "--seconds", "30", "--clients", "4", "--no-batches"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    clients = subprocess.Popen([*command, *options], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
        assert clients.wait(SECONDS_MAX) == 0
    finally:
        clients.kill()
        clients.wait(30)


def _update_and_measure(running: LiveSite, rows: int) -> int:
    """Update `rows` order lines in one transaction; return the translator's peak memory in kB."""
    running.stop("translate-sales")
    running.start("translate-sales")
    orders = rows // LINES_PER_ORDER
    chosen = f"between {FIRST_ORDER} and {FIRST_ORDER + orders - 1}"
    ((before,),) = running.hub("select max(number) from hub.event where module = 'sales'")
    with _other_clients(running):
        running.legacy(f"update erp.ord_lin set qty = qty + 1 where ord_no {chosen}")
    running.wait_for_quiet()
    ((events, subjects, positions),) = running.hub(
        "select count(*), count(distinct subject), count(distinct left(sequence, 34)) "
        f"from hub.event where module = 'sales' and kind = 0 and number > {before} "
        f"and subject::bigint {chosen}"
    )
    assert (events, subjects, positions) == (orders, orders, 1)
    status = Path(f"/proc/{running.pid('translate-sales')}/status").read_text()
    return int(status.split("VmHWM:", 1)[1].split()[0])
