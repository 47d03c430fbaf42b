"""Our sessions on a MariaDB: what they leave behind, and when they give a server up."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace

import pytest
from mariadb_server import MariaDBServer

from connectors.declaration import Declaration
from connectors.errors import Retriable
from connectors.gtids import read_sequences
from connectors.health.binlog_source import read_at, read_binlog
from connectors.health.facts import NO_EVENT, BinlogPlace, SeenBinlog
from connectors.sources.mariadb import MariaDBSource
from legacy_db.errors import Unreachable
from legacy_db.mariadb import connection
from legacy_db.mariadb.connection import MariaDBConnection
from pipeline.local_stack.ports import HOST

TABLE = "shop_signal"


def test_a_signal_that_waits_for_a_lock_in_vain_leaves_nothing(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    """The promise stays, no signal is written, and the same session asks again with success."""
    database = mariadb_url.rpartition("/")[2]
    declaration = Declaration(
        "shop", "mariadb", HOST, 1, database, "u", "p", database, ("ord",),
        config=(("signal.data.collection", f"{database}.{TABLE}"),),
    )  # fmt: skip
    table = f"{database}.ord"
    with (
        closing(MariaDBSource(MariaDBConnection(mariadb_url))) as source,
        closing(mariadb_server.open_session(database)) as other,
    ):
        other.execute(
            f"create table {TABLE} (id varchar(42) primary key, type varchar(32) not null,"
            " data text)"
        )
        source.connection.fetch("set session innodb_lock_wait_timeout = 1")
        source.promise_snapshots(declaration, [table])
        other.execute("begin")
        other.execute(f"select * from {TABLE} for update")
        with pytest.raises(Retriable, match="just now"):
            source.ask_snapshot(declaration, table)
        other.execute("commit")
        assert other.execute(f"select type from {TABLE}") == ["isthmus-promised"]
        source.ask_snapshot(declaration, table)
        assert other.execute(f"select type from {TABLE}") == ["execute-snapshot"]


def test_the_end_of_a_binary_log_is_found_again_with_the_right_to_monitor_it_alone(
    mariadb_server: MariaDBServer, mariadb_url: str
) -> None:
    """Behind it stands the next transaction; within that, or where nothing is, no event begins."""
    database = mariadb_url.rpartition("/")[2]
    with closing(mariadb_server.open_session(database)) as admin:
        admin.execute(f"create user watch@'{HOST}' identified by 'w'")
        admin.execute(f"grant binlog monitor on *.* to watch@'{HOST}'")
        admin.execute(f"grant select on {database}.* to watch@'{HOST}'")
        url = f"mysql://watch:w@{HOST}:{mariadb_server.port}/{database}"
        with closing(MariaDBConnection(url)) as session:
            ended = read_binlog(session)
            assert ended is not None
            assert ended.is_exact
            assert ended.gtids is not None
            assert ended.end is not None
            seen = SeenBinlog(ended.server_id, ended.end, ended.gtids)
            assert read_at(session, seen) is None, "nothing stands there yet"
            admin.execute("create table more (n int)")
            number = read_sequences(ended.gtids)["0"] + 1
            assert read_sequences(read_at(session, seen) or "")["0"] == number
            within = BinlogPlace(ended.end.file, ended.end.offset + 1)
            beyond = BinlogPlace(ended.end.file, ended.end.offset + 10_000_000)
            for place in (within, beyond):
                assert read_at(session, replace(seen, place=place)) == NO_EVENT
            gone = BinlogPlace("bin.999999", 4)
            assert read_at(session, replace(seen, place=gone)) is None
        admin.execute(f"drop user watch@'{HOST}'")


def test_a_server_that_greets_nobody_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs still takes connections: they are not waited for as long as statements are."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS_MAX", 1)
    with socket.create_server((HOST, 0)) as hanging:
        url = f"mysql://u:p@{HOST}:{hanging.getsockname()[1]}/erp"
        with pytest.raises(Unreachable, match="is it running"):
            MariaDBConnection(url)


def test_a_statement_may_take_longer_than_a_greeting(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time within which a server must greet is none for what it computes afterwards."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS_MAX", 1)
    with closing(MariaDBConnection(mariadb_url)) as session:
        assert session.fetch("select sleep(1.5)") == [(0,)]
