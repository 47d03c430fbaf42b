"""A database server whose machine is gone: who asks it does not wait for ever."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from connectors.database import connect_owner
from legacy_db.errors import Unreachable
from legacy_db.keepalive import KEEPALIVE
from legacy_db.mariadb import connection as mariadb
from legacy_db.postgresql_database import PostgreSQLDatabase
from legacy_db.retail import erp_mariadb
from pipeline.connection import open_connection

WELCOME = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x19client_encoding\0UTF8\0Z\0\0\0\x05I"
GREETING = (
    b"\x0a10.11.0-MariaDB\0\x01\0\0\0saltsalt\0\xff\xf7\x2d\x02\0\xff\x81\x15"
    + bytes(10)
    + b"saltsaltsalt\0mysql_native_password\0"
)
OK = b"\0\0\0\x02\0\0\0"
SECONDS = 0.2

Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give a function that lets a server welcome one client and then neither read nor answer."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(welcome: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def run() -> None:
            client, _ = listener.accept()
            opened.append(client)
            welcome(client)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for thread in threads:
        thread.join()
    for one in opened:
        one.close()


def welcome_postgresql(client: socket.socket) -> None:
    """Let a client of PostgreSQL in."""
    client.recv(4096)
    client.sendall(WELCOME)


def welcome_mariadb(client: socket.socket) -> None:
    """Let a client of MariaDB in, and say yes to each statement up to `select last`."""
    client.sendall(len(GREETING).to_bytes(3, "little") + b"\0" + GREETING)
    packet = b""
    while b"select last" not in packet:
        packet = client.recv(65536)
        client.sendall(len(OK).to_bytes(3, "little") + bytes([packet[3] + 1]) + OK)


@pytest.mark.parametrize(
    "connect",
    [
        connect_owner,
        lambda url: PostgreSQLDatabase.open(url)._connection,
        lambda url: open_connection(url, "test"),
    ],
)
def test_a_lost_postgresql_is_noticed(
    serve: Serve, connect: Callable[[str], psycopg.Connection[Any]]
) -> None:
    """The kernel asks an idle server whether it is there, and takes no answer for a no."""
    port = serve(welcome_postgresql)
    url = f"postgresql://one@127.0.0.1:{port}/shop?sslmode=disable&gssencmode=disable"
    with (
        closing(connect(url)) as connection,
        closing(socket.socket(fileno=os.dup(connection.fileno()))) as tcp,
    ):
        kept = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        lost = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert (kept, lost) == (KEEPALIVE["keepalives_idle"], KEEPALIVE["tcp_user_timeout"])


def test_a_mariadb_that_reads_no_statement_is_noticed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that can't be sent ends as Unreachable."""
    monkeypatch.setattr(mariadb, "WRITE_SECONDS_MAX", SECONDS)
    url = f"mysql://one:two@127.0.0.1:{serve(welcome_mariadb)}/shop"
    with closing(mariadb.MariaDBConnection(url)) as connection:
        connection.fetch("select last")
        with pytest.raises(Unreachable):
            connection.fetch("x" * 12_000_000)


def test_a_mariadb_that_does_not_answer_the_workload_is_noticed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that does not come ends as Unreachable."""
    monkeypatch.setattr(erp_mariadb, "READ_SECONDS_MAX", SECONDS)
    url = f"mysql://one:two@127.0.0.1:{serve(welcome_mariadb)}/shop"
    with closing(erp_mariadb.MariaDBErp(url, "shop")) as connection:
        connection.execute("select last")
        with pytest.raises(Unreachable):
            connection.execute("select 1")
