"""A process that was stopped in the middle of a COPY does not keep its successor waiting."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus
from replicate_shop import ALL_PARTITIONS, PROJECTIONS, TABLES

from pipeline.connection import open_connection
from pipeline.errors import Fatal
from pipeline.hub.migrate import migrate_hub
from pipeline.hub.modules import lock_module, take_module
from pipeline.replicate.migrate import migrate_store
from pipeline.replicate.store import PostgresStore

Databases = Callable[[], dict[str, str]]


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.connection.LOCK_MS_MAX", 300)


def stand_still(connection: psycopg.Connection[Any], statement: bytes, copy: bytes) -> int:
    """Begin a transaction and a COPY, and leave it there; return the session's pid."""
    connection.execute("begin")
    connection.execute(statement)
    assert connection.pgconn.exec_(copy).status == ExecStatus.COPY_IN
    return connection.info.backend_pid


def is_gone(connection: psycopg.Connection[Any], pid: int) -> bool:
    """Say whether the session of that pid has ended."""
    found = connection.execute("select from pg_stat_activity where pid = %s", (pid,))
    return found.fetchone() is None


def test_a_replicator_takes_over_from_one_that_stands_still(databases: Databases) -> None:
    """The server ends the session that holds the partitions' rows; what it began is undone."""
    url = databases()["ISTHMUS_STORE_EU_URL"]
    migrate_store(url, None)
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
    paused, successor = PostgresStore(url, PROJECTIONS), PostgresStore(url, PROJECTIONS)
    before = paused.take_over(ALL_PARTITIONS)
    pid = stand_still(
        paused._connection,
        b"update replication.offset set next_offset = 7",
        b"copy replication.inbox from stdin",
    )
    after = successor.take_over(ALL_PARTITIONS)
    assert is_gone(successor._connection, pid)
    assert {place: owned.epoch for place, owned in after.items()} == {
        place: owned.epoch + 1 for place, owned in before.items()
    }
    assert {owned.next_offset for owned in after.values()} == {0}
    paused.close()
    successor.close()


def test_a_translator_takes_over_from_one_that_stands_still(databases: Databases) -> None:
    """The server ends the session that holds the module's row."""
    url = databases()["ISTHMUS_HUB_URL"]
    migrate_hub(url)
    with closing(open_connection(url, "first")) as paused, open_connection(url, "next") as other:
        first = take_module(paused, "sales")
        pid = stand_still(
            paused,
            b"select from hub.module where module = 'sales' for update",
            b"copy hub.spill (module, ordinal, table_name, change) from stdin",
        )
        assert take_module(other, "sales").owner == first.owner + 1
        assert is_gone(other, pid)


def test_a_batch_at_hand_is_waited_for(databases: Databases) -> None:
    """A lock that is let go in time costs nobody the session; who was owner is told so."""
    url = databases()["ISTHMUS_HUB_URL"]
    migrate_hub(url)
    with open_connection(url, "first") as working, open_connection(url, "second") as successor:
        owner = take_module(working, "sales").owner
        with working.transaction():
            lock_module(working, "sales", owner)
        take_module(successor, "sales")
        with pytest.raises(Fatal, match="another translator took over"), working.transaction():
            lock_module(working, "sales", owner)
        assert working.execute("select 1").fetchone() == (1,)
