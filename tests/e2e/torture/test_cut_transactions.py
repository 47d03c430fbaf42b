"""A connector that is cut within a transaction goes on in the middle, and nothing is torn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from live_site import MODULES, LiveSite
from torture.slow_clerk import SlowClerk
from torture.verdict import judge

pytestmark = pytest.mark.long

CUTS = 4
APART_SECONDS = 13.0
"""Debezium waits for 10 s before it connects again."""


@pytest.fixture
def running(site: Callable[[], Any]) -> Iterator[tuple[LiveSite, dict[str, str]]]:
    """Give a running site of 2,000 orders and its variables."""
    made = site()
    live = LiveSite(made.folder, orders=2_000)
    complete = "select count(*) from hub.module where snapshot = 'complete'"
    try:
        live.set_up()
        live.start_all()
        live.wait(lambda: live.hub(complete)[0][0] == len(MODULES), "the snapshots")
        yield live, made.variables
    finally:
        live.end()


def test_a_connector_cut_within_interleaved_transactions_loses_none_of_their_rows(
    running: tuple[LiveSite, dict[str, str]],
) -> None:
    """Its sessions are ended while long transactions interleave; then all regions are equal."""
    live, variables = running
    with ExitStack() as clerks:
        for seed in range(2):
            url = live.settings.legacy.owner_url
            clerk = SlowClerk(url, orders=2_000, rows=100, pause_s=0.3, seed=seed)
            clerk.start()
            clerks.callback(clerk.stop)
        for _ in range(CUTS):
            time.sleep(APART_SECONDS)
            _end_sessions(variables)
    live.wait_for_quiet()
    verdict = judge(live, variables["ISTHMUS_KAFKA"])
    assert verdict.findings == [], verdict.figures


def _end_sessions(variables: dict[str, str]) -> None:
    """End the sessions of Connect in the site's legacy database."""
    database = variables["ISTHMUS_LEGACY_URL"].rpartition("/")[2]
    with psycopg.connect(variables["ISTHMUS_POSTGRES_ADMIN_URL"]) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = %s and usename = 'isthmus_capture'",
            (database,),
        )
