"""The stoppable proxy passes, refuses, resets in the middle and holds bytes back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from torture.proxy import HOST, RESET_BYTES_MAX, Mode, StoppableProxy

TIMEOUT_SECONDS = 5.0


class Echo:
    """A server that sends back what it receives."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIMEOUT_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while chunk := connection.recv(65_536):
                connection.sendall(chunk)
        except ConnectionError:
            return  # the proxy has reset it


@pytest.fixture
def proxy() -> Iterator[StoppableProxy]:
    """Give a proxy before an echo."""
    echo = Echo()
    made = StoppableProxy(echo.port, seed=1)
    yield made
    made.close()
    echo.close()


def connect(proxy: StoppableProxy) -> socket.socket:
    """Connect through the proxy."""
    return socket.create_connection((HOST, proxy.port), timeout=TIMEOUT_SECONDS)


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    found = b""
    while len(found) < size:
        chunk = connection.recv(size - len(found))
        assert chunk, "the connection ended"
        found += chunk
    return found


def exchange(connection: socket.socket, size: int) -> bytes:
    """Send so many bytes and read them back."""
    connection.sendall(b"x" * size)
    return read_exactly(connection, size)


def test_bytes_pass_in_both_directions(proxy: StoppableProxy) -> None:
    """A megabyte comes back as it was sent."""
    sent = bytes(range(256)) * 4_096
    with connect(proxy) as connection:
        writer = threading.Thread(target=connection.sendall, args=(sent,))
        writer.start()
        assert read_exactly(connection, len(sent)) == sent
        writer.join(TIMEOUT_SECONDS)


def test_refused_connections_are_refused_until_it_passes_again(proxy: StoppableProxy) -> None:
    """Refusing cuts what is open and refuses what is new; afterwards the same port leads on."""
    with connect(proxy) as connection:
        connection.sendall(b"before")
        assert read_exactly(connection, 6) == b"before"
        proxy.set_mode(Mode.REFUSE)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.set_mode(Mode.PASS)
    with connect(proxy) as connection:
        connection.sendall(b"after")
        assert read_exactly(connection, 5) == b"after"


def test_held_bytes_come_later_and_whole(proxy: StoppableProxy) -> None:
    """While stalled nothing comes and nothing breaks; afterwards everything comes."""
    with connect(proxy) as connection:
        connection.sendall(b"before")
        assert read_exactly(connection, 6) == b"before"
        proxy.set_mode(Mode.STALL)
        connection.sendall(b"held")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(TIMEOUT_SECONDS)
        proxy.set_mode(Mode.PASS)
        assert read_exactly(connection, 4) == b"held"


def test_a_reset_cuts_in_the_middle(proxy: StoppableProxy) -> None:
    """A message that is longer than the bound is cut before its end, and the next ones too."""
    proxy.set_mode(Mode.RESET)
    for _ in range(3):
        with connect(proxy) as connection, pytest.raises(ConnectionError):
            exchange(connection, RESET_BYTES_MAX * 2)
    proxy.set_mode(Mode.PASS)
    with connect(proxy) as connection:
        connection.sendall(b"after")
        assert read_exactly(connection, 5) == b"after"


def test_idle_connections_are_cut_at_the_end_of_a_reset(proxy: StoppableProxy) -> None:
    """A connection that sent nothing during the reset does not outlive it."""
    with connect(proxy) as connection:
        connection.sendall(b"before")
        assert read_exactly(connection, 6) == b"before"
        proxy.set_mode(Mode.RESET)
        proxy.set_mode(Mode.PASS)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        assert proxy.count_connections() == 0
