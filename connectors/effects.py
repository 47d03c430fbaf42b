"""What a change brings about, in plain words: the part of a plan that a person reads first.

Enters: what is there, what is declared, and the circumstances. Leaves: effects, pure. REFUSED is
what apply never does: it would lose changes or break their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.plan import Effect, Severity
from connectors.seal import open_config
from connectors.sizes import SNAPSHOT_ROWS_PER_S, say_bytes, say_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.circumstances import Circumstances, Unread
    from connectors.plan import Publication, Topic
    from connectors.sources.source import SlotState

Effects = tuple[Effect, ...]


_ANEW = "begin anew: `isthmus connectors snapshot --again {}`"
_PLACE = {"database.hostname", "database.port", "database.dbname"}
_EPOCH = "transforms.epoch.value.literal"


def explain_new_table(name: str) -> Effects:
    """Say what a signal or barrier table is for."""
    return (
        _info(f"{name} is made in the legacy database: the one table there that is Isthmus's own"),
    )


def explain_other_table() -> Effects:
    """Refuse a table of the same name that is something else."""
    return (
        _refused(
            "a table of this name is there with other columns: it is somebody else's; declare "
            "another name"
        ),
    )


def explain_identity(name: str) -> Effects:
    """Say what REPLICA IDENTITY FULL costs."""
    return (
        _warning(
            f"every UPDATE and DELETE of {name} writes the whole old row into the log; the change "
            "itself waits for the table's running transactions, 5 s at most"
        ),
    )


def explain_publication(there: Publication, wanted: Publication, lost: tuple[str, ...]) -> Effects:
    """Say which tables come and go."""
    if there.all_tables:
        text = "a publication FOR ALL TABLES cannot be narrowed: drop it, then apply again"
        return (_refused(text),)
    added = sorted(set(wanted.tables) - set(there.tables) - set(lost))
    dropped = sorted(set(there.tables) - set(wanted.tables))
    effects = []
    if added:
        effects.append(_info(f"{', '.join(added)}: changes are captured from now on"))
    if dropped:
        effects.append(_warning(f"{', '.join(dropped)}: changes are not captured any more"))
    if there.filtered:
        text = "what the filter or column list left out is missing: it needs a snapshot"
        effects.append(_warning(f"{', '.join(there.filtered)}: {text}"))
    return tuple(effects)


def explain_lost(lost: tuple[str, ...], connector: str, around: Circumstances) -> Effects:
    """Say what it means that a publication does not have tables which its connector captures."""
    if not lost:
        return ()
    text = (
        f"{', '.join(lost)}: not published, though captured: what was changed meanwhile is lost, "
        "and PostgreSQL says nothing"
    )
    if connector in around.signals:
        remedy = "; the rows are read again, but only a new epoch finds what was deleted meanwhile"
    else:
        remedy = (
            "; raise the epoch to read everything anew, or declare a signal table "
            "(config.signal.data.collection) to read these tables again"
        )
    return (_warning(text + remedy),)


def explain_topic(there: Topic, wanted: Topic, unread: Unread | None) -> Effects:
    """Say what other partitions, a shorter retention or a smaller record size do."""
    effects = []
    if there.partitions != wanted.partitions:
        effects.append(
            _refused(
                f"{there.partitions} partitions cannot become {wanted.partitions}: records would "
                "move between partitions and lose their order; make a new topic"
            )
        )
    before, after = _number(there, "retention.ms"), _number(wanted, "retention.ms")
    if is_shorter(after, before):
        effects.append(_explain_retention(after or 0, unread))
    before, after = _number(there, "max.message.bytes"), _number(wanted, "max.message.bytes")
    if before is not None and after is not None and after < before:
        effects.append(
            _warning(
                f"a record of more than {say_bytes(after)} is refused by the broker from now on: "
                "the connector's task or the publisher that brings one fails"
            )
        )
    if there.settings.get("cleanup.policy") != wanted.settings.get("cleanup.policy"):
        effects.append(
            _warning("what compaction has removed is gone: the log may have holes, reconcile")
        )
    return tuple(effects)


def is_shorter(after_ms: int | None, before_ms: int | None) -> bool:
    """Tell whether a retention is shorter than the one before; a negative one is for ever."""
    if after_ms is None or before_ms is None or after_ms < 0:
        return False
    return before_ms < 0 or after_ms < before_ms


def _explain_retention(after_ms: int, unread: Unread | None) -> Effect:
    kept = say_seconds(after_ms / 1000)
    if unread is not None and unread.records and unread.age_ms >= after_ms:
        return _refused(
            f"{', '.join(unread.groups)} has not read {unread.records:,} records, the oldest of "
            f"them {say_seconds(unread.age_ms / 1000)} old: with a retention of {kept} they would "
            "be deleted unread; let it catch up, then apply"
        )
    return _warning(f"records older than {kept} are deleted: nobody can read them again")


def explain_creation(wanted: Mapping[str, str], around: Circumstances) -> Effects:
    """Say where a connector that is not there would begin."""
    slot = around.slots.get(wanted.get("slot.name", ""))
    tables = wanted["table.include.list"].replace("\\", "")
    if slot is not None:
        return (
            _warning(
                f"its slot {slot.name} is there and keeps {say_bytes(slot.retained_bytes)} of log: "
                "it was deleted behind our back, or an apply was interrupted; it goes on where it "
                "was when Connect still has its offsets, and else is refused"
            ),
            *_explain_lost_slot(slot, wanted["name"]),
        )
    if wanted.get("snapshot.mode") == "no_data":
        return (_info(f"follows {tables} from now on, and reads no row that is there already"),)
    known = [around.sizes[name] for name in tables.split(",") if name in around.sizes]
    rows = sum(size.rows or 0 for size in known)
    size = say_bytes(sum(one.bytes for one in known))
    about = f"; about {rows:,} rows, {size}, {_say_time(rows)}" if known else ""
    return (_info(f"reads every row of {tables} once (a snapshot), then follows{about}"),)


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
        yield _warning(
            "somebody changed this config over REST since it was applied: it is set back to what "
            f"is declared ({', '.join(sorted(changed))})"
        )
    yield _info("the task restarts and goes on where it was")


def _explain_tables(
    name: str, there: Mapping[str, str], wanted: Mapping[str, str], around: Circumstances
) -> Iterator[Effect]:
    before = set(there.get("table.include.list", "").replace("\\", "").split(","))
    after = set(wanted["table.include.list"].replace("\\", "").split(","))
    added, dropped = sorted(after - before), sorted(before - after - {""})
    if dropped:
        yield _warning(
            f"{', '.join(dropped)}: not captured any more; the mirror keeps the rows as they are"
        )
    if not added:
        return
    tables = ", ".join(added)
    if name in around.signals:
        yield _info(f"{tables}: tables added: will be snapshotted incrementally")
    else:
        yield _warning(
            f"{tables}: rows that are there already are not read: declare a signal table "
            "(config.signal.data.collection) before adding tables, or raise the epoch to read the "
            "whole module anew"
        )
    yield _warning("a translator reads the declaration at its start: restart `isthmus run`")


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
        yield _warning(
            f"topic prefix changed from {there.get('topic.prefix')}: Connect keeps offsets by it, "
            "so that everything is snapshotted again where it has none of the declared one; raise "
            "the epoch, too"
        )
    if _EPOCH in changed:
        yield _warning("a new epoch begins: positions are compared within it only")
    if changed & _PLACE:
        yield _warning(
            "another database has other positions: "
            + _ANEW.format(name.rpartition(".")[2])
            + ", unless it is the same one under another address"
        )
    if "snapshot.mode" in changed:
        yield _info("the snapshot mode counts only when the connector begins anew")


def _explain_slot_name(before: str, after: str, around: Circumstances) -> Iterator[Effect]:
    old = around.slots.get(before)
    if old is not None:
        yield _warning(
            f"slot name changed: the old slot {before} is orphaned and retains WAL "
            f"({say_bytes(old.retained_bytes)} now); drop it when nothing reads it: "
            f"select pg_drop_replication_slot('{before}');"
        )
    if after not in around.slots:
        yield _warning(
            f"the slot {after} is not there: a new one begins now, and what was committed before "
            "and not read yet would be lost"
        )


def explain_standing(name: str, there: Mapping[str, str], around: Circumstances) -> Effects:
    """Say what is wrong with where a connector stands, whether its config differs or not."""
    if name in around.unbegun:
        text = "was created and never started (an apply was interrupted): it begins now"
        return (_info(text),)
    beginning = around.beginnings.get(name)
    if beginning is None or not beginning.goes_on:
        return ()
    if beginning.lost:
        module = name.rpartition(".")[2]
        return (_refused(f"{beginning.lost}: changes would be lost; {_ANEW.format(module)}"),)
    slot = around.slots.get(there.get("slot.name", ""))
    return _explain_lost_slot(slot, name) if slot is not None else ()


def _explain_lost_slot(slot: SlotState, name: str) -> Effects:
    if not slot.lost:
        return ()
    module = name.rpartition(".")[2]
    return (
        _refused(
            f"the slot {slot.name} is lost: the server has removed log that it still needed; "
            + _ANEW.format(module)
        ),
    )


def explain_removal(there: Mapping[str, str], around: Circumstances) -> Effects:
    """Say what happens to a connector that is not declared any more, and to its slot."""
    effects = [
        _warning(
            "is not declared any more; it is deleted only by `delete`, `apply --remove` or "
            "`apply --destroy`"
        )
    ]
    slot = around.slots.get(there.get("slot.name", ""))
    if slot is not None:
        effects.append(
            _warning(
                f"its slot {slot.name} stays and keeps log from then on "
                f"({say_bytes(slot.retained_bytes)} now) until `apply --destroy` drops it"
            )
        )
    return tuple(effects)


def explain_leftover_slot(slot: SlotState | None) -> Effects:
    """Say what a slot does that nobody needs any more."""
    kept = say_bytes(slot.retained_bytes) if slot is not None else "log"
    return (
        _warning(
            f"belongs to no declared module and keeps {kept} in the legacy database, more each "
            "minute; it is dropped only by `apply --destroy`"
        ),
    )


def explain_leftover_topic() -> Effects:
    """Say what is lost with a topic."""
    return (_warning("its records are deleted for good; nobody can read them again"),)


def explain_snapshot(table: str, around: Circumstances) -> Effects:
    """Say what an incremental snapshot reads."""
    size = around.sizes.get(table)
    if size is None or size.rows is None:
        about = "an unknown number of rows" if size is None else say_bytes(size.bytes)
    else:
        about = f"about {size.rows:,} rows, {say_bytes(size.bytes)}, {_say_time(size.rows)}"
    return (
        _info(f"will be snapshotted incrementally ({about}), in chunks, while all else goes on"),
    )


def _say_time(rows: int) -> str:
    return f"about {say_seconds(rows / SNAPSHOT_ROWS_PER_S)}"


def _number(topic: Topic, key: str) -> int | None:
    value = topic.settings.get(key)
    return None if value is None else int(value)


def _info(text: str) -> Effect:
    return Effect(Severity.INFO, text)


def _warning(text: str) -> Effect:
    return Effect(Severity.WARNING, text)


def _refused(text: str) -> Effect:
    return Effect(Severity.REFUSED, text)
