"""Free TCP ports on loopback, below the range that systems give to outgoing connections."""

from __future__ import annotations

import random
import socket
from collections.abc import Container

from pipeline.errors import Unreachable

HOST = "127.0.0.1"
PORTS = range(20000, 32000)
"""Linux hands out 32768 and up, macOS 49152 and up: a stopped server's port stays free here."""
ATTEMPTS_MAX = 200


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int) -> bool:
    """Say whether somebody listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def find_free_port(taken: Container[int]) -> int:
    """Return a free port that is not in `taken`; Unreachable when the range is full."""
    for _ in range(ATTEMPTS_MAX):
        port = random.SystemRandom().choice(PORTS)
        if port not in taken and is_free(port):
            return port
    raise Unreachable(
        f"no free port found between {PORTS.start} and {PORTS.stop} on {HOST}: end other servers"
    )
