"""Our sessions on a MariaDB: what they leave behind, and when they give a server up."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from mariadb_server import MariaDBServer

from connectors.declaration import Declaration
from connectors.errors import Retriable
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
