"""Operates connectors that are there: states, pause, resume, stop, delete with what they left.

Enters: Connect (and, for deleting a slot, the legacy database). Leaves: facts as JSON-like values.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from connectors import database
from connectors.apply import describe_states, refuse_failed
from connectors.errors import Configuration, Unreachable
from connectors.names import ModuleNames
from connectors.waiting import Starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.apply import Servers
    from connectors.client import ConnectClient
    from connectors.target import Target

STATES = {"pause": "PAUSED", "resume": "RUNNING", "stop": "STOPPED"}
WAIT_S = 60.0
_POLL_S = 0.3


def read_states(client: ConnectClient, target: Target) -> list[dict[str, Any]]:
    """Read the states of the declared connectors and of the site's others; MISSING when absent."""
    declared = {target.names(module).connector for module in target.declarations}
    there = {name for name in client.list_connectors() if name.startswith(f"{target.site}.")}
    facts = []
    for name in sorted(declared | there):
        status = client.read_status(name) if name in there else None
        connector = status["connector"] if status else {"state": "MISSING"}
        tasks = status["tasks"] if status else []
        facts.append(
            {
                "name": name,
                "declared": name in declared,
                "state": connector["state"],
                "trace": connector.get("trace"),
                "tasks": [
                    {"id": task["id"], "state": task["state"], "trace": task.get("trace")}
                    for task in tasks
                ],
            }
        )
    return facts


def is_running(fact: dict[str, Any]) -> bool:
    """Tell whether the connector and all of its tasks run."""
    states = [fact["state"], *(task["state"] for task in fact["tasks"])]
    return bool(fact["tasks"]) and set(states) == {"RUNNING"}


def change_state(
    client: ConnectClient, name: str, state: str, *, timeout_s: float = WAIT_S
) -> None:
    """Ask for `pause`, `resume` or `stop` and wait until connector and tasks are so."""
    client.change_state(name, state)
    wanted = STATES[state]
    starts = Starts(client, name)

    def reached() -> bool:
        status = client.read_status(name)
        if status is None:
            return False
        if state == "resume" and not starts.repeat_lost(status):
            refuse_failed(name, status)
        parts = [status["connector"], *status["tasks"]]
        return all(part["state"] == wanted for part in parts)

    _wait(
        reached,
        lambda: f"{name} to be {wanted} ({describe_states(client.read_status(name))})",
        timeout_s=timeout_s,
    )


def delete(client: ConnectClient, name: str) -> bool:
    """Delete a connector and wait until it is gone; Configuration when there is none."""
    if not client.delete(name):
        raise Configuration(f"there is no connector {name}: see `connectors status`")
    _wait(lambda: client.read_config(name) is None, lambda: f"{name} to disappear")
    return True


def delete_with_slot(
    servers: Servers, target: Target, name: str, *, report: Callable[[str], None]
) -> None:
    """Delete a connector, its offsets, and where there are such its slot and its publication.

    Afterwards it would begin with a snapshot: its declaration needs a higher epoch.
    """
    client = servers.connect
    names = ModuleNames(target.site, name.removeprefix(f"{target.site}."))
    if client.read_config(name) is not None:
        change_state(client, name, "stop")
        client.delete_offsets(name)
        delete(client, name)
        report(f"deleted {name} and its offsets")
    if servers.has_slots:
        drop_slot(servers, names.slot, report)
        database.drop_publication(servers.owner, names.publication)
        report(f"dropped publication {names.publication}")
    report(f"raise the epoch of {names.module} in its declaration before applying it again")


def drop_slot(
    servers: Servers,
    slot: str,
    report: Callable[[str], None],
    other: Callable[[str], bool] = lambda _slot: False,
) -> bool:
    """Drop a slot once nobody reads it; False when nobody here may: the SQL is told.

    `other` tries it where the owner lacks the right, and says whether it has.
    """

    def inactive() -> bool:
        found = database.read_slots(servers.owner, [slot]).get(slot)
        return found is None or found.active_pid is None

    _wait(inactive, lambda: f"replication slot {slot} to be inactive")
    if not database.read_slots(servers.owner, [slot]):
        return True
    if database.drop_slot(servers.owner, slot) or other(slot):
        report(f"dropped replication slot {slot}")
        return True
    report(
        f"the owner may not drop replication slot {slot}; an administrator, or the capture "
        f"role, must run: select pg_drop_replication_slot('{slot}');"
    )
    return False


def _wait(
    reached: Callable[[], bool],
    what: Callable[[], str],
    *,
    timeout_s: float = WAIT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until `reached`, `timeout_s` at most; Unreachable names what was waited for."""
    deadline = clock() + timeout_s
    while not reached():
        if clock() > deadline:
            raise Unreachable(f"waited {timeout_s:g} s for {what()}: see Connect's log")
        sleep(_POLL_S)
