"""Removes a connector that is not declared any more, in steps that can each be repeated.

Enters: Connect and a name. Leaves: the connector is gone, with its offsets when they are to go.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from connectors.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.client import ConnectClient

WAIT_S = 60.0
_POLL_S = 0.3


def remove_connector(
    client: ConnectClient, name: str, step: Callable[[str], None], *, with_offsets: bool
) -> None:
    """Delete a connector; `with_offsets` forgets where it was, so that its slot is free to go."""
    if with_offsets:
        client.change_state(name, "stop")
        _wait_until(lambda: _is_stopped(client, name), f"{name} to stop")
        step("connectors.after_stop")
        client.delete_offsets(name)
        step("connectors.after_offsets")
    client.delete(name)
    _wait_until(lambda: client.read_config(name) is None, f"{name} to disappear")


def _is_stopped(client: ConnectClient, name: str) -> bool:
    status = client.read_status(name)
    if status is None:
        return False
    return status["connector"]["state"] == "STOPPED" and not status["tasks"]


def _wait_until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not reached():
        if time.monotonic() > deadline:
            raise Unreachable(f"waited {WAIT_S:g} s for {what}: see Connect's log")
        time.sleep(_POLL_S)
