"""Free ports on loopback."""

from __future__ import annotations

import socket

import pytest

from pipeline.errors import Unreachable
from pipeline.local_stack import ports


def test_a_free_port_can_be_listened_on() -> None:
    """The port is in the range, free, and not one of those taken."""
    port = ports.find_free_port(set())
    assert port in ports.PORTS
    with socket.create_server((ports.HOST, port)):
        assert not ports.is_free(port)
        assert ports.accepts_connections(port)
    assert ports.is_free(port)
    assert not ports.accepts_connections(port)


def test_a_full_range_is_told() -> None:
    """When everything is taken the search ends, with what to do."""
    with pytest.raises(Unreachable, match="no free port"):
        ports.find_free_port(ports.PORTS)
