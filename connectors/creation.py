"""Creates a connector, having looked first whether it begins anew or goes on.

Enters: a config. Leaves: a running connector; or a refusal when its offsets, its replication slot
and its change log do not fit together: rows would be lost, or old ones come after new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors import database
from connectors.errors import Fatal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.apply import Servers
    from connectors.names import ModuleNames


def create_connector(
    servers: Servers, names: ModuleNames, config: Mapping[str, str], epoch: int
) -> None:
    """Create the connector stopped, check where it would begin, then let it run.

    Fatal says what does not fit; the connector is not left behind then.
    """
    client, name = servers.connect, names.connector
    client.create_stopped(name, config)
    try:
        goes_on = any(entry["offset"] for entry in client.read_offsets(name))
        slot_there = bool(database.read_slots(servers.owner, [names.slot]))
        last_epoch = servers.topics.read_last_epoch(names.changes)
        check_beginning(names, epoch, goes_on=goes_on, slot_there=slot_there, last_epoch=last_epoch)
    except Fatal:
        client.delete(name)
        raise
    client.change_state(name, "resume")


def check_beginning(
    names: ModuleNames, epoch: int, *, goes_on: bool, slot_there: bool, last_epoch: int | None
) -> None:
    """Raise Fatal unless offsets, slot and change log fit together.

    `last_epoch` is that of the change log's last record, None for an empty log.
    """
    anew = f"isthmus connectors delete {names.module} --destroy-slot"
    if goes_on and not slot_there:
        raise Fatal(
            f"connector {names.connector} has offsets, but its replication slot {names.slot} is "
            f"gone: what was committed meanwhile is lost to it; begin anew: `{anew}`, raise the "
            "epoch in the declaration, and apply"
        )
    if not goes_on and slot_there:
        raise Fatal(
            f"connector {names.connector} has no offsets, but a replication slot {names.slot} is "
            "left over: its old changes would come after a newer snapshot; drop it first: "
            f"select pg_drop_replication_slot('{names.slot}');"
        )
    if last_epoch is not None and (epoch < last_epoch or (epoch == last_epoch and not goes_on)):
        raise Fatal(
            f"connector {names.connector} would begin anew in epoch {epoch}, but {names.changes} "
            f"holds records of epoch {last_epoch} already: set epoch: "
            f"{last_epoch + (0 if goes_on else 1)} in the declaration of {names.module}"
        )
