"""What a change brings about, in plain words: the part of a plan that a person reads first.

Enters: what is there, what is declared, and the circumstances. Leaves: effects, pure. REFUSED is
what apply never does: it would lose changes or break their order. Those of connectors and slots
are in connector_effects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.plan import Effect, Severity
from connectors.sizes import SNAPSHOT_ROWS_PER_S, say_bytes, say_seconds

if TYPE_CHECKING:
    from connectors.circumstances import Circumstances, Unread
    from connectors.plan import Publication, Topic

Effects = tuple[Effect, ...]


def explain_new_table(name: str) -> Effects:
    """Say what a signal or barrier table is for."""
    return (
        info(f"{name} is made in the legacy database: the one table there that is Isthmus's own"),
    )


def explain_other_table() -> Effects:
    """Refuse a table of the same name that is something else."""
    return (
        refused(
            "a table of this name is there with other columns: it is somebody else's; declare "
            "another name"
        ),
    )


def explain_identity(name: str) -> Effects:
    """Say what REPLICA IDENTITY FULL costs."""
    return (
        warning(
            f"every UPDATE and DELETE of {name} writes the whole old row into the log; the change "
            "itself waits for the table's running transactions, 5 s at most"
        ),
    )


def explain_publication(there: Publication, wanted: Publication, lost: tuple[str, ...]) -> Effects:
    """Say which tables come and go."""
    if there.all_tables:
        text = "a publication FOR ALL TABLES cannot be narrowed: drop it, then apply again"
        return (refused(text),)
    added = sorted(set(wanted.tables) - set(there.tables) - set(lost))
    dropped = sorted(set(there.tables) - set(wanted.tables))
    effects = []
    if added:
        effects.append(info(f"{', '.join(added)}: changes are captured from now on"))
    if dropped:
        effects.append(warning(f"{', '.join(dropped)}: changes are not captured any more"))
    if there.filtered:
        text = "what the filter or column list left out is missing: it needs a snapshot"
        effects.append(warning(f"{', '.join(there.filtered)}: {text}"))
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
    return (warning(text + remedy),)


def explain_topic(there: Topic, wanted: Topic, unread: Unread | None) -> Effects:
    """Say what other partitions, a shorter retention or a smaller record size do."""
    effects = []
    if there.partitions != wanted.partitions:
        effects.append(
            refused(
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
            warning(
                f"a record of more than {say_bytes(after)} is refused by the broker from now on: "
                "the connector's task or the publisher that brings one fails"
            )
        )
    if there.settings.get("cleanup.policy") != wanted.settings.get("cleanup.policy"):
        effects.append(
            warning("what compaction has removed is gone: the log may have holes, reconcile")
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
        return refused(
            f"{', '.join(unread.groups)} has not read {unread.records:,} records, the oldest of "
            f"them {say_seconds(unread.age_ms / 1000)} old: with a retention of {kept} they would "
            "be deleted unread; let it catch up, then apply"
        )
    return warning(f"records older than {kept} are deleted: nobody can read them again")


def explain_snapshot(table: str, around: Circumstances) -> Effects:
    """Say what an incremental snapshot reads."""
    size = around.sizes.get(table)
    if size is None or size.rows is None:
        about = "an unknown number of rows" if size is None else say_bytes(size.bytes)
    else:
        about = f"about {size.rows:,} rows, {say_bytes(size.bytes)}, {say_time(size.rows)}"
    return (
        info(f"will be snapshotted incrementally ({about}), in chunks, while all else goes on"),
    )


def say_time(rows: int) -> str:
    """Say how long Debezium reads so many rows."""
    return f"about {say_seconds(rows / SNAPSHOT_ROWS_PER_S)}"


def _number(topic: Topic, key: str) -> int | None:
    value = topic.settings.get(key)
    return None if value is None else int(value)


def info(text: str) -> Effect:
    """Make an effect that is good to know."""
    return Effect(Severity.INFO, text)


def warning(text: str) -> Effect:
    """Make an effect that should be read."""
    return Effect(Severity.WARNING, text)


def refused(text: str) -> Effect:
    """Make an effect because of which apply refuses the change."""
    return Effect(Severity.REFUSED, text)
