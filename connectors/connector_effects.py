"""What a change brings about at a connector and its slot: where it begins, goes on, or may not.

Enters: configs and the circumstances. Leaves: effects, pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.effects import Effects, info, refused, say_time, warning
from connectors.seal import open_config
from connectors.sizes import say_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.circumstances import Circumstances
    from connectors.plan import Effect
    from connectors.sources.source import SlotState

_ANEW = "begin anew: `isthmus connectors snapshot --again {}`"
_PLACE = {"database.hostname", "database.port", "database.dbname"}
_EPOCH = "transforms.epoch.value.literal"


def explain_creation(wanted: Mapping[str, str], around: Circumstances) -> Effects:
    """Say where a connector that is not there would begin, or that it may not."""
    slot = around.slots.get(wanted.get("slot.name", ""))
    tables = wanted["table.include.list"].replace("\\", "")
    if slot is not None:
        return (
            warning(
                f"its slot {slot.name} is there and keeps {say_bytes(slot.retained_bytes)} of log: "
                "it was deleted behind our back, or an apply was interrupted; it goes on where it "
                "was when Connect still has its offsets, and else is refused"
            ),
            *_explain_lost_slot(slot, wanted["name"]),
        )
    last_epoch = around.last_epochs.get(wanted["name"])
    if last_epoch is not None and "slot.name" in wanted and int(wanted[_EPOCH]) <= last_epoch:
        module = wanted["name"].rpartition(".")[2]
        return (
            refused(
                f"it would begin anew, for its slot is gone, in epoch {wanted[_EPOCH]}, but its "
                f"change log holds records of epoch {last_epoch} already: set epoch: "
                f"{last_epoch + 1} in the declaration of {module}"
            ),
        )
    if last_epoch is not None and "slot.name" not in wanted:
        return (
            warning(
                "its change log is there: it goes on where it was when Connect still has its "
                f"offsets, and else begins anew, which needs an epoch above {last_epoch}"
            ),
        )
    if wanted.get("snapshot.mode") == "no_data":
        return (info(f"follows {tables} from now on, and reads no row that is there already"),)
    known = [around.sizes[name] for name in tables.split(",") if name in around.sizes]
    rows = sum(size.rows or 0 for size in known)
    size = say_bytes(sum(one.bytes for one in known))
    about = f"; about {rows:,} rows, {size}, {say_time(rows)}" if known else ""
    return (info(f"reads every row of {tables} once (a snapshot), then follows{about}"),)


def explain_config(
    name: str, there: Mapping[str, str], wanted: Mapping[str, str], around: Circumstances
) -> Effects:
    """Say what another config does to a connector that is there."""
    mine = open_config(there)
    changed = {key for key in {*mine, *wanted} if mine.get(key) != wanted.get(key)}
    return (
        *_explain_hand(name, changed, around),
        *_explain_tables(name, there, wanted, around),
        *_explain_names(name, there, wanted, changed, around),
    )


def _explain_hand(name: str, changed: set[str], around: Circumstances) -> Iterator[Effect]:
    if name in around.edited:
        yield warning(
            "somebody changed this config over REST since it was applied: it is set back to what "
            f"is declared ({', '.join(sorted(changed))})"
        )
    yield info("the task restarts and goes on where it was")


def _explain_tables(
    name: str, there: Mapping[str, str], wanted: Mapping[str, str], around: Circumstances
) -> Iterator[Effect]:
    before = set(there.get("table.include.list", "").replace("\\", "").split(","))
    after = set(wanted["table.include.list"].replace("\\", "").split(","))
    added, dropped = sorted(after - before), sorted(before - after - {""})
    if dropped:
        yield warning(
            f"{', '.join(dropped)}: not captured any more; the mirror keeps the rows as they are"
        )
    if not added:
        return
    tables = ", ".join(added)
    if name in around.signals:
        yield info(f"{tables}: tables added: will be snapshotted incrementally")
    else:
        yield warning(
            f"{tables}: rows that are there already are not read: declare a signal table "
            "(config.signal.data.collection) before adding tables, or raise the epoch to read the "
            "whole module anew"
        )
    yield warning("a translator reads the declaration at its start: restart `isthmus run`")


def _explain_names(
    name: str,
    there: Mapping[str, str],
    wanted: Mapping[str, str],
    changed: set[str],
    around: Circumstances,
) -> Iterator[Effect]:
    if "slot.name" in changed and "slot.name" in there:
        yield from _explain_slot_name(there["slot.name"], wanted.get("slot.name", ""), around)
    if "topic.prefix" in changed:
        yield warning(
            f"topic prefix changed from {there.get('topic.prefix')}: Connect keeps offsets by it, "
            "so that everything is snapshotted again where it has none of the declared one; raise "
            "the epoch, too"
        )
    if _EPOCH in changed:
        yield warning("a new epoch begins: positions are compared within it only")
    if changed & _PLACE:
        yield warning(
            "another database has other positions: "
            + _ANEW.format(name.rpartition(".")[2])
            + ", unless it is the same one under another address"
        )
    if "slot.failover" in changed and there.get("slot.name") in around.slots:
        yield warning(
            f"slot.failover counts only when a slot is made: {there['slot.name']} stays as it is; "
            "`isthmus connectors preflight` says how it is changed"
        )
    if "snapshot.mode" in changed:
        yield info("the snapshot mode counts only when the connector begins anew")


def _explain_slot_name(before: str, after: str, around: Circumstances) -> Iterator[Effect]:
    old = around.slots.get(before)
    if old is not None:
        yield warning(
            f"slot name changed: the old slot {before} is orphaned and retains WAL "
            f"({say_bytes(old.retained_bytes)} now); drop it when nothing reads it: "
            f"select pg_drop_replication_slot('{before}');"
        )
    if after not in around.slots:
        yield warning(
            f"the slot {after} is not there: a new one begins now, and what was committed before "
            "and not read yet would be lost"
        )


def explain_standing(name: str, there: Mapping[str, str], around: Circumstances) -> Effects:
    """Say what is wrong with where a connector stands, whether its config differs or not."""
    if name in around.unbegun:
        text = "was created and never started (an apply was interrupted): it begins now"
        return (info(text),)
    beginning = around.beginnings.get(name)
    if beginning is None or not beginning.goes_on:
        return ()
    if beginning.lost:
        module = name.rpartition(".")[2]
        return (refused(f"{beginning.lost}: changes would be lost; {_ANEW.format(module)}"),)
    if beginning.anchored is False:
        module = name.rpartition(".")[2]
        text = "its replication slot is gone: what was committed since is lost to it; "
        return (refused(text + _ANEW.format(module)),)
    slot = around.slots.get(there.get("slot.name", ""))
    return _explain_lost_slot(slot, name) if slot is not None else ()


def _explain_lost_slot(slot: SlotState, name: str) -> Effects:
    if not slot.lost:
        return ()
    module = name.rpartition(".")[2]
    return (
        refused(
            f"the slot {slot.name} is lost: the server has removed log that it still needed; "
            + _ANEW.format(module)
        ),
    )


def explain_removal(there: Mapping[str, str], around: Circumstances) -> Effects:
    """Say what happens to a connector that is not declared any more, and to its slot."""
    effects = [
        warning(
            "is not declared any more; it is deleted only by `delete`, `apply --remove` or "
            "`apply --destroy`"
        )
    ]
    slot = around.slots.get(there.get("slot.name", ""))
    if slot is not None:
        effects.append(
            warning(
                f"its slot {slot.name} stays and keeps log from then on "
                f"({say_bytes(slot.retained_bytes)} now) until `apply --destroy` drops it"
            )
        )
    return tuple(effects)


def explain_leftover_slot(slot: SlotState | None) -> Effects:
    """Say what a slot does that nobody needs any more."""
    kept = say_bytes(slot.retained_bytes) if slot is not None else "log"
    return (
        warning(
            f"belongs to no declared module and keeps {kept} in the legacy database, more each "
            "minute; it is dropped only by `apply --destroy`"
        ),
    )


def explain_leftover_topic() -> Effects:
    """Say what is lost with a topic."""
    return (warning("its records are deleted for good; nobody can read them again"),)
