"""Reads what is there of everything that is declared, and what a plan must know beyond it.

Enters: a Target and open Servers. Leaves: a Plan; nothing is changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connectors.circumstances import Circumstances, Leftover
from connectors.comparison import make_plan
from connectors.effects import is_shorter
from connectors.names import ModuleNames
from connectors.plan import State
from connectors.seal import is_edited
from connectors.target import desired_state
from connectors.topic_lag import read_unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connectors.circumstances import Unread
    from connectors.plan import Plan, Topic
    from connectors.servers import Servers
    from connectors.sources.source import Beginning
    from connectors.target import Target

_TOPIC_ENDINGS = ("changes", "events", "history")


def compare_site(target: Target, servers: Servers, *, destroy: bool = False) -> Plan:
    """Compare the declarations with the servers."""
    desired = desired_state(target)
    observed = observe(target, servers, desired)
    around = read_circumstances(target, servers, desired, observed)
    return make_plan(desired, observed, around, destroy=destroy)


def observe(target: Target, servers: Servers, desired: State) -> State:
    """Read what is there of everything that is desired, and the site's other connectors."""
    prefix = f"{target.site}."
    ours = [name for name in servers.connect.list_connectors() if name.startswith(prefix)]
    configs = {name: servers.connect.read_config(name) for name in ours}
    side = servers.source.observe(target.declarations.values(), desired)
    return State(
        {name: config for name, config in configs.items() if config is not None},
        side.publications,
        side.grants,
        servers.topics.read(desired.topics),
        side.tables,
        side.identities,
    )


def read_circumstances(
    target: Target, servers: Servers, desired: State, observed: State
) -> Circumstances:
    """Read sizes, slots, offsets and lags."""
    leftovers = _find_leftovers(target, servers, observed)
    slots = servers.source.read_slots(_name_slots(desired, observed, leftovers))
    beginnings = _read_beginnings(target, servers, observed)
    declared = {target.names(module).connector: one for module, one in target.declarations.items()}
    pending = {name: servers.source.read_pending(one) for name, one in declared.items()}
    return Circumstances(
        signals={
            name: f"{one.schema}.{one.signal_table}"
            for name, one in declared.items()
            if one.signal_table
        },
        sizes=servers.source.measure(target.declarations.values()),
        slots=slots,
        beginnings=beginnings,
        last_epochs=_read_last_epochs(target, servers, observed),
        unbegun=_find_unbegun(servers, beginnings),
        pending={name: tables for name, tables in pending.items() if tables},
        edited=frozenset(name for name, one in observed.connectors.items() if is_edited(one)),
        unread=_read_unread(target, desired.topics, observed.topics),
        leftovers=_keep_what_is_there(leftovers, target, servers, slots),
    )


def _name_slots(desired: State, observed: State, leftovers: Iterable[Leftover]) -> set[str]:
    configs = (*desired.connectors.values(), *observed.connectors.values())
    named = {config["slot.name"] for config in configs if "slot.name" in config}
    return named | {left.slot for left in leftovers if left.slot}


def _read_beginnings(target: Target, servers: Servers, observed: State) -> dict[str, Beginning]:
    """Read where each declared connector that is there would go on."""
    beginnings = {}
    for module, declaration in target.declarations.items():
        names = target.names(module)
        if names.connector in observed.connectors:
            judge = servers.source.watch_beginning(declaration, names)
            beginnings[names.connector] = judge(servers.connect.read_offsets(names.connector))
    return beginnings


def _read_last_epochs(target: Target, servers: Servers, observed: State) -> dict[str, int]:
    """Read how far the change logs are of connectors that are declared and not there."""
    epochs = {}
    for names in map(target.names, target.declarations):
        if names.connector not in observed.connectors and names.changes in observed.topics:
            epoch = servers.topics.read_last_epoch(names.changes)
            if epoch is not None:
                epochs[names.connector] = epoch
    return epochs


def _find_unbegun(servers: Servers, beginnings: Mapping[str, Beginning]) -> frozenset[str]:
    """Find connectors that were created stopped, checked, and never let run."""
    unbegun = set()
    for name, beginning in beginnings.items():
        if not beginning.goes_on and not beginning.anchored:
            status = servers.connect.read_status(name)
            if status is not None and status["connector"]["state"] == "STOPPED":
                unbegun.add(name)
    return frozenset(unbegun)


def _find_leftovers(target: Target, servers: Servers, observed: State) -> tuple[Leftover, ...]:
    """Find modules that are not declared any more, by their connectors and topics.

    Never by a slot's name alone: another site's may look alike (`a_b` and `c`, `a` and `b_c`).
    """
    prefix = f"{target.site}."
    topics: dict[str, list[str]] = {}
    for topic in servers.topics.list_names(prefix):
        module, _, ending = topic.removeprefix(prefix).rpartition(".")
        if ending in _TOPIC_ENDINGS:
            topics.setdefault(module, []).append(topic)
    connected = {name.removeprefix(prefix) for name in observed.connectors}
    modules = sorted({*topics, *connected} - set(target.declarations))
    return tuple(
        Leftover(
            module,
            ModuleNames(target.site, module).slot,
            ModuleNames(target.site, module).publication,
            tuple(sorted(topics.get(module, ()))),
            connected=module in connected,
        )
        for module in modules
        if "." not in module
    )


def _keep_what_is_there(
    leftovers: tuple[Leftover, ...], target: Target, servers: Servers, slots: Iterable[str]
) -> tuple[Leftover, ...]:
    """Leave out slots and publications that are gone, or that another connector uses."""
    if not leftovers:
        return ()
    there = set(slots) | servers.source.find_publications(
        [left.publication for left in leftovers if left.publication]
    )
    left_behind = {f"{target.site}.{left.module}" for left in leftovers}
    used = {
        (servers.connect.read_config(name) or {}).get("slot.name")
        for name in servers.connect.list_connectors()
        if name not in left_behind
    }
    return tuple(
        replace(
            left,
            slot=left.slot if left.slot in set(slots) - used else None,
            publication=left.publication if left.publication in there - used else None,
        )
        for left in leftovers
    )


def _read_unread(
    target: Target, desired: Mapping[str, Topic], observed: Mapping[str, Topic]
) -> dict[str, Unread]:
    """Read the lag of the readers of those topics whose retention becomes shorter."""
    unread = {}
    for name, wanted in desired.items():
        there = observed.get(name)
        if there is None or not is_shorter(
            int(wanted.settings["retention.ms"]), int(there.settings.get("retention.ms", -1))
        ):
            continue
        found = read_unread(target.bootstrap_servers, name, there.partitions, target.site)
        if found is not None:
            unread[name] = found
    return unread
