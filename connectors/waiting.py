"""Waits until a connector and its task run, and says in few words how they are.

Enters: Connect, and the config that was written. Leaves: nothing, or why it does not run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from connectors.errors import Fatal, Unreachable
from connectors.health.failures import first_line, lost_race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from connectors.client import ConnectClient

RUNNING_TIMEOUT_S = 90.0
STEADY_S = 1.5
"""A task that fails at once shows RUNNING first: it must stay so for this long."""
RACES_MAX = 3
"""So many starts in a row may be lost to a race of Debezium's own."""
_POLL_S = 0.3


class Starts:
    """The starts of one connector: those that Debezium lost to a race of its own are repeated."""

    def __init__(self, client: ConnectClient, name: str) -> None:
        self._client = client
        self._name = name
        self._lost: set[str] = set()

    def repeat_lost(self, status: Mapping[str, Any]) -> bool:
        """Tell whether the status is that of a lost start; a new one is answered with a restart.

        False once RACES_MAX were lost: then it is a failure like any other.
        """
        lost = {_trace(state) for _, state in _parts(status) if lost_race(_trace(state))}
        if not lost or (lost - self._lost and len(self._lost) >= RACES_MAX):
            return False
        if lost - self._lost:
            self._lost |= lost
            self._client.restart(self._name, only_failed=True)
        return True


def wait_until_running(
    client: ConnectClient,
    name: str,
    config: Mapping[str, str],
    *,
    before: Mapping[str, Any] | None = None,
    timeout_s: float = RUNNING_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the connector and its task run with `config`; Fatal has the trace's first line.

    A failure that is the one of `before`, the status before anything was done, is not yet news;
    nor is it when a task that was started once more with the config before fails as it did then.
    """
    starts = Starts(client, name)
    deadline = clock() + timeout_s
    running_since: float | None = None
    while clock() < deadline:
        told = _has_config(client.read_task_configs(name), config)  # first: a status may be older
        status = client.read_status(name)
        if status is not None:
            told = told and bool(status["tasks"])
            told = told and not starts.repeat_lost(status)
            if (told or status["connector"]["state"] == "FAILED") and _is_news(status, before):
                refuse_failed(name, status)
            if told and _runs(status):
                running_since = clock() if running_since is None else running_since
                if clock() - running_since >= STEADY_S:
                    return
            else:
                running_since = None
        sleep(_POLL_S)
    status = client.read_status(name)
    if status is not None:
        refuse_failed(name, status)
    raise Unreachable(
        f"connector {name} did not run within {timeout_s:g} s; its state is "
        f"{describe_states(status)}: see Connect's log"
    )


def refuse_failed(name: str, status: Mapping[str, Any]) -> None:
    """Raise Fatal with the first line of the trace when the connector or a task has failed."""
    for part, state in _parts(status):
        if state["state"] == "FAILED":
            raise Fatal(f"connector {name}: {part} has failed: {first_line(_trace(state))}")


def describe_states(status: Mapping[str, Any] | None) -> str:
    """Describe the states of a connector and its tasks in few words."""
    if status is None:
        return "unknown"
    return ", ".join(f"{part} {state['state']}" for part, state in _parts(status))


def _parts(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "connector", status["connector"]
    for task in status["tasks"]:
        yield f"task {task['id']}", task


def has_failed(status: Mapping[str, Any]) -> bool:
    """Tell whether the connector or a task has failed."""
    return any(state["state"] == "FAILED" for _, state in _parts(status))


def _trace(state: Mapping[str, Any]) -> str:
    return str(state.get("trace") or "")


def _is_news(status: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Tell whether a part fails that did not fail before with the same trace."""
    known = {} if before is None else dict(_parts(before))
    return any(
        state["state"] == "FAILED" and _trace(state) != _trace(known.get(part, {}))
        for part, state in _parts(status)
    )


def _runs(status: Mapping[str, Any]) -> bool:
    return bool(status["tasks"]) and all(s["state"] == "RUNNING" for _, s in _parts(status))


def _has_config(tasks: list[dict[str, str]], config: Mapping[str, str]) -> bool:
    """Tell whether the tasks were given this config already, not the one before."""
    return bool(tasks) and all(
        task.get(key, value) == value for task in tasks for key, value in config.items()
    )
