"""A TCP proxy that can be told to refuse, to reset in the middle, or to hold bytes back.

Enters: the port of a server. Leaves: a port of its own that leads there, on one thread; `set_mode`
returns once the mode is in force.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
import time
from enum import StrEnum
from random import Random

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
HELD_BYTES_MAX = 256 * 1024
RESET_BYTES_MAX = 4_096
"""A connection that is to be reset lets at most so many bytes pass before."""
COMMAND_SECONDS_MAX = 10.0
BIND_SECONDS_MAX = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_GONE = (ConnectionError, OSError)


class Mode(StrEnum):
    """What the proxy does to the connections that lead through it."""

    PASS = "pass"
    REFUSE = "refuse"
    RESET = "reset"
    STALL = "stall"


class _End:
    """One end of a connection and what waits to be sent to it."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.socket = end
        self.held = bytearray()
        self.closed = False  # it has sent its last byte


class _Pair:
    """A client's connection and ours to the server; `budget` bytes may pass before the reset."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = _End(client), _End(server)
        self.connecting = True
        self.budget: int | None = None

    def other(self, end: _End) -> _End:
        return self.server if end is self.client else self.client

    def close(self, *, reset: bool) -> None:
        for end in (self.client, self.server):
            if reset:
                end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.socket.close()


class StoppableProxy:
    """Leads from `port` (0: any free one) to `target_port` on loopback until `close`."""

    def __init__(self, target_port: int, *, port: int = 0, seed: int = 0) -> None:
        self.target_port = target_port
        self._random = Random(seed)  # noqa: S311 - where to cut, not a secret
        self._listener: socket.socket | None = _bind(port)
        self.port: int = self._listener.getsockname()[1]
        self._listener.listen(64)
        self._listening = True
        self._pairs: list[_Pair] = []
        self._mode = Mode.PASS
        self._wanted: Mode | None = None
        self._ending = False
        self._in_force = threading.Event()
        self._commands = threading.Lock()
        self._ear, self._voice = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Change the mode and wait until it is in force."""
        with self._commands:
            self._wanted = mode
            self._in_force.clear()
            self._voice.send(b"!")
            if not self._in_force.wait(COMMAND_SECONDS_MAX):
                raise TimeoutError(f"the proxy on port {self.port} does not take {mode}")

    def count_connections(self) -> int:
        """Return how many connections lead through now."""
        return len(self._pairs)

    def close(self) -> None:
        """Close everything."""
        self._ending = True
        self._voice.send(b"!")
        self._thread.join(COMMAND_SECONDS_MAX)
        self._ear.close()
        self._voice.close()

    def _run(self) -> None:
        try:
            while not self._ending:
                self._obey()
                self._turn()
        finally:
            self._cut_all()
            if self._listener is not None:
                self._listener.close()

    def _obey(self) -> None:
        """Bring the wanted mode into force."""
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            return
        if wanted is Mode.REFUSE:
            self._cut_all()
            self._stop_listening()
        elif self._mode is Mode.RESET:
            self._cut_marked()  # those that sent nothing since are cut now
        if wanted is not Mode.REFUSE and not self._listening:
            self._begin_listening()
        if wanted is Mode.RESET:
            for pair in self._pairs:
                self._mark(pair)
        self._mode = wanted
        self._in_force.set()

    def _mark(self, pair: _Pair) -> None:
        pair.budget = self._random.randrange(1, RESET_BYTES_MAX)

    def _stop_listening(self) -> None:
        """Keep the port, bound and without a listener: whoever connects is refused."""
        if self._listener is not None:
            self._listener.close()
        self._listener = _bind(self.port)
        self._listening = False

    def _begin_listening(self) -> None:
        if self._listener is None:
            self._listener = _bind(self.port)
        self._listener.listen(64)
        self._listening = True

    def _turn(self) -> None:
        """Wait for what may happen in this mode, and do it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._ear, selectors.EVENT_READ)
            if self._mode is not Mode.STALL:
                if self._listening and self._listener is not None:
                    selector.register(self._listener, selectors.EVENT_READ)
                for pair in self._pairs:
                    _register(selector, pair)
            ready = selector.select(1.0)
        for key, events in ready:
            if key.fileobj is self._ear:
                self._ear.recv(CHUNK_BYTES)
            elif key.fileobj is self._listener:
                self._accept()
            elif key.data[0] in self._pairs:
                self._serve(key.data[0], key.data[1], events)

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            client, _ = self._listener.accept()
        except _GONE:
            return  # it went away again before we took it
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = _Pair(client, server)
        failed = server.connect_ex((HOST, self.target_port))
        if failed not in (0, errno.EINPROGRESS):
            pair.close(reset=True)
            return
        if self._mode is Mode.RESET:
            self._mark(pair)
        self._pairs.append(pair)

    def _serve(self, pair: _Pair, end: _End, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._send(pair, end)
            if events & selectors.EVENT_READ and not pair.connecting:
                self._receive(pair, end)
        except _GONE:
            self._cut(pair)
            return
        if pair.budget is not None and pair.budget <= 0 and not _holds(pair):
            self._cut(pair)
        elif any(end.closed and not pair.other(end).held for end in (pair.client, pair.server)):
            self._pairs.remove(pair)
            pair.close(reset=False)

    def _send(self, pair: _Pair, end: _End) -> None:
        if pair.connecting and end is pair.server:
            failed = end.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise ConnectionRefusedError(failed, "the server is not there")
            pair.connecting = False
        if end.held:
            sent = end.socket.send(end.held)
            del end.held[:sent]

    def _receive(self, pair: _Pair, end: _End) -> None:
        other = pair.other(end)
        try:
            chunk = end.socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            end.closed = True
            return
        if pair.budget is not None:
            chunk = chunk[: pair.budget]
            pair.budget -= len(chunk)
        other.held += chunk

    def _cut(self, pair: _Pair) -> None:
        self._pairs.remove(pair)
        pair.close(reset=True)

    def _cut_marked(self) -> None:
        for pair in [one for one in self._pairs if one.budget is not None]:
            self._cut(pair)

    def _cut_all(self) -> None:
        for pair in list(self._pairs):
            self._cut(pair)


def _register(selector: selectors.BaseSelector, pair: _Pair) -> None:
    for end in (pair.client, pair.server):
        events = 0
        if pair.connecting:
            events = selectors.EVENT_WRITE if end is pair.server else 0
        else:
            spent = pair.budget is not None and pair.budget <= 0
            if not (end.closed or spent) and len(pair.other(end).held) < HELD_BYTES_MAX:
                events |= selectors.EVENT_READ
            if end.held:
                events |= selectors.EVENT_WRITE
        if events:
            selector.register(end.socket, events, (pair, end))


def _holds(pair: _Pair) -> bool:
    return bool(pair.client.held or pair.server.held)


def _bind(port: int) -> socket.socket:
    """Bind a port of loopback; the one that we had is free again in a moment."""
    deadline = time.monotonic() + BIND_SECONDS_MAX
    while True:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            listener.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return listener
