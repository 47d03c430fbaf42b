"""Creates a connector, having looked first whether it begins anew or goes on.

Enters: a config. Leaves: a running connector; or a refusal when its offsets, its replication slot
and its change log do not fit together: rows would be lost, or old ones come after new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.errors import Fatal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.declaration import Declaration
    from connectors.names import ModuleNames
    from connectors.servers import Servers


def create_connector(
    servers: Servers,
    names: ModuleNames,
    config: Mapping[str, str],
    declaration: Declaration,
    step: Callable[[str], None] = lambda _name: None,
) -> None:
    """Create the connector stopped, check where it would begin, then let it run.

    Fatal says what does not fit; the connector is not left behind then.
    """
    servers.connect.create_stopped(names.connector, config)
    step("connectors.after_creation")
    try:
        begin_connector(servers, names, declaration)
    except Fatal:
        servers.connect.delete(names.connector)
        raise


def begin_connector(servers: Servers, names: ModuleNames, declaration: Declaration) -> None:
    """Let a stopped connector run; Fatal, and it stays as it is, if it may not begin there."""
    judge = servers.source.watch_beginning(declaration, names)
    beginning = judge(servers.connect.read_offsets(names.connector))
    check_beginning(
        names,
        declaration.epoch,
        goes_on=beginning.goes_on,
        slot_there=beginning.anchored,
        last_epoch=servers.topics.read_last_epoch(names.changes),
        lost=beginning.lost,
    )
    servers.connect.change_state(names.connector, "resume")


def check_beginning(
    names: ModuleNames,
    epoch: int,
    *,
    goes_on: bool,
    slot_there: bool | None,
    last_epoch: int | None,
    lost: str = "",
) -> None:
    """Raise Fatal unless offsets, slot and change log fit together.

    `last_epoch` is that of the change log's last record, None for an empty log. `slot_there` is
    None where the engine has no slots; `lost` says what is gone of the log that it would go on in.
    """
    anew = f"isthmus connectors delete {names.module} --destroy-slot"
    if lost:
        raise Fatal(
            f"connector {names.connector} would go on, but {lost}: changes would be lost; begin "
            f"anew: `{anew}`, raise the epoch in the declaration, and apply"
        )
    if goes_on and slot_there is False:
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
