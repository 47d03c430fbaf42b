"""What can happen to the legacy database's side of a capture: database, slot and publication.

Enters: facts of one module. Leaves: findings; what would lose changes stops the connector. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.health.facts import MISSING, format_bytes, format_lsn
from connectors.health.failures import ANEW
from connectors.health.finding import Finding, Kind, Remedy, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.health.facts import Checkpoint, ModuleFacts, SlotFacts, SourceFacts
    from connectors.health.finding import Limits
    from connectors.plan import Publication

_UNSAFE_PART = 0.5
"""A warning comes when the slot keeps this part of what max_slot_wal_keep_size lets it keep."""


def find_database(facts: ModuleFacts) -> Iterator[Finding]:
    """Find a database that is another one, was restored to an earlier point, or has failed over."""
    source, seen, module = facts.source, facts.seen, facts.module
    if source is None:
        return
    again = f"`{ANEW.format(module=module)}`"
    if seen is not None and source.system != seen.system:
        text = (
            f"the legacy database of {module} is another one (system {source.system}, before it "
            f"was {seen.system}): positions of the one say nothing in the other; if that is meant, "
            f"read everything anew: {again}"
        )
        yield Finding(module, Kind.DATABASE_CHANGED, Severity.ERROR, text, Remedy.STOP, doubt=True)
        return
    behind = _say_behind(facts)
    if behind is not None:
        text = (
            f"the legacy database of {module} {behind}: it was restored to an earlier point; what "
            "was captured behind that point never happened there, and new changes have old "
            f"positions: read everything anew: {again}"
        )
        yield Finding(
            module, Kind.DATABASE_WENT_BACK, Severity.ERROR, text, Remedy.STOP, doubt=True
        )
        return
    if seen is None or None in {seen.timeline, source.timeline}:
        return
    if source.timeline != seen.timeline and source.slot is not None:
        yield _on_new_timeline(facts, source.slot, again)


def _say_behind(facts: ModuleFacts) -> str | None:
    """Say by what a database shows that it went back; None where nothing tells.

    Its position passes the old one again sooner or later, and so does each of the others.
    """
    source, seen, reached = facts.source, facts.seen, find_reached(facts)
    if source is None or source.in_recovery:
        return None
    if reached is not None and source.lsn < reached:
        return f"is at {format_lsn(source.lsn)} and was at {format_lsn(reached)} before"
    if seen is not None and seen.went_back:
        return f"was behind {format_lsn(seen.lsn)}, where it had been before"
    return None if seen is None or _has_failed_over(facts) else _say_older(source, seen.checkpoint)


def _say_older(source: SourceFacts, checkpoint: Checkpoint) -> str | None:
    """Say how a database whose position tells nothing is older than a checkpoint of before."""
    if source.checkpoint.lsn < checkpoint.lsn:
        return (
            f"made its last checkpoint at {format_lsn(source.checkpoint.lsn)}, and a later one at "
            f"{format_lsn(checkpoint.lsn)} before"
        )
    if source.next_xid < checkpoint.next_xid:
        return f"has come to transaction {source.next_xid}, and was at {checkpoint.next_xid} before"
    return None


def find_reached(facts: ModuleFacts) -> int | None:
    """Give the highest position that anybody has seen of this database in this epoch.

    A new primary may lack log that the old one had written last: where its slot was kept in step,
    what counts is what was captured.
    """
    known = [] if facts.seen is None or _has_failed_over(facts) else [facts.seen.lsn]
    # its offsets are the old epoch's until it is applied under the new one
    if facts.connector.lsn is not None and facts.connector.epoch == facts.epoch:
        known.append(facts.connector.lsn)
    if facts.translator is not None and str(facts.translator.epoch) == facts.epoch:
        known.append(facts.translator.lsn)
    return max(known, default=None)


def _has_failed_over(facts: ModuleFacts) -> bool:
    source, seen = facts.source, facts.seen
    if source is None or seen is None or None in {seen.timeline, source.timeline}:
        return False
    # a slot that came with a restored copy may be a failover slot, too
    kept = source.slot is not None and source.slot.synced
    return kept and source.timeline != seen.timeline


def _on_new_timeline(facts: ModuleFacts, slot: SlotFacts, again: str) -> Finding:
    assert facts.source is not None and facts.seen is not None  # noqa: S101, PT018 - seen before
    change = f"timeline {facts.seen.timeline} became {facts.source.timeline}"
    if _has_failed_over(facts):
        text = (
            f"the legacy database of {facts.module} failed over ({change}): slot {slot.name} was "
            "kept in step on the new primary, the connector goes on"
        )
        if facts.seen.waited:
            return Finding(facts.module, Kind.DATABASE_FAILED_OVER, Severity.INFO, text)
        text += (
            "; but the old primary waited for no standby (synchronized_standby_slots): what was "
            "captured last may never have come to the new one: "
            f"`isthmus reconcile --module {facts.module}`"
        )
        return Finding(facts.module, Kind.DATABASE_FAILED_OVER, Severity.WARNING, text, doubt=True)
    text = (
        f"the legacy database of {facts.module} was restored or promoted from a copy ({change}), "
        f"and slot {slot.name} is none that is kept in step (`slot.failover`): changes may differ "
        f"behind the point where they part: read everything anew: {again}"
    )
    return Finding(
        facts.module, Kind.DATABASE_WENT_BACK, Severity.ERROR, text, Remedy.STOP, doubt=True
    )


def find_slot(facts: ModuleFacts, limits: Limits) -> Iterator[Finding]:
    """Find a slot that is gone, lost, or keeps too much of the legacy database's log."""
    source, connector, module = facts.source, facts.connector, facts.module
    if source is None or connector.state == MISSING:
        return
    slot, again = source.slot, f"`{ANEW.format(module=module)}`"
    if slot is None:
        if connector.offset:
            text = (
                f"the replication slot of {connector.name} is gone, dropped or left behind by a "
                "failover: what was committed since the connector's last position can't be read "
                f"any more, and a new slot would leave it out: read everything anew: {again}"
            )
            yield Finding(module, Kind.SLOT_MISSING, Severity.ERROR, text, Remedy.STOP, doubt=True)
    elif slot.is_lost:
        why = slot.invalidation or "the server removed the log that it needs"
        text = (
            f"replication slot {slot.name} is lost ({why}): raise max_slot_wal_keep_size if it can "
            f"happen again, and read everything anew: {again}"
        )
        yield Finding(module, Kind.SLOT_LOST, Severity.ERROR, text, Remedy.STOP, doubt=True)
    else:
        yield from _growing(facts, slot, limits)
        if slot.failover and source.standbys_gone and not source.in_recovery:
            text = (
                f"slot {slot.name} waits for {', '.join(source.standbys_gone)} "
                "(synchronized_standby_slots), by which no standby streams: nothing more is "
                "captured, though the connector is RUNNING: start that standby, or take it out: "
                "alter system set synchronized_standby_slots = ''; select pg_reload_conf();"
            )
            yield Finding(module, Kind.STANDBY_MISSING, Severity.ERROR, text)


def _growing(facts: ModuleFacts, slot: SlotFacts, limits: Limits) -> Iterator[Finding]:
    assert facts.source is not None  # noqa: S101 - the slot is of it
    kept = facts.source.retained_bytes or 0
    safe = slot.safe_wal_bytes
    too_large = kept > limits.slot_bytes_max or slot.wal_status == "unreserved"
    unsafe = safe is not None and kept > limits.slot_bytes_warning * 0.1 and (
        kept > _UNSAFE_PART * (kept + max(0, safe))
    )  # fmt: skip
    if not (too_large or unsafe or kept > limits.slot_bytes_warning):
        return
    left = "" if safe is None else f", {format_bytes(max(0, safe))} before the server drops it"
    user = "is read" if slot.active_pid is not None else "nobody reads it"
    text = (
        f"slot {slot.name} keeps {format_bytes(kept)} of the legacy database's log{left} ({user}; "
        f"wal_status {slot.wal_status}): let the connector run, or end the transactions that it "
        "waits for; if it is not needed: "
        f"`isthmus connectors delete {facts.module} --destroy-slot`"
    )
    severity = Severity.ERROR if too_large else Severity.WARNING
    yield Finding(facts.module, Kind.SLOT_GROWS, severity, text)


def find_publication(facts: ModuleFacts) -> Iterator[Finding]:
    """Find a publication that is gone or publishes less than the connector is to capture."""
    source, wanted = facts.source, facts.wanted_publication
    if source is None or wanted is None or facts.connector.config is None:
        return
    module, there = facts.module, source.publication
    mend = (
        f"`isthmus connectors apply`, `isthmus connectors resume {module}`, then "
        f"`isthmus reconcile --module {module}`; what it finds comes back by "
        f"`isthmus connectors snapshot TABLE`, rows that were deleted meanwhile by "
        f"`isthmus connectors snapshot --again {module}`"
    )
    if there is None:
        text = (
            f"the publication of {facts.connector.name} was dropped: the legacy database leaves "
            f"out every change of {module} since then: {mend}"
        )
        yield Finding(
            module, Kind.PUBLICATION_MISSING, Severity.ERROR, text, Remedy.STOP, doubt=True
        )
        return
    lost = _lost(facts, there, wanted)
    if lost:
        text = (
            f"the publication of {facts.connector.name} {'; '.join(lost)}: the legacy database "
            f"leaves out these changes since then: {mend}"
        )
        yield Finding(
            module, Kind.PUBLICATION_CHANGED, Severity.ERROR, text, Remedy.STOP, doubt=True
        )


def _lost(facts: ModuleFacts, there: Publication, wanted: Publication) -> list[str]:
    """Say what a publication leaves out of what is declared and captured now."""
    lost = []
    config = facts.connector.config or {}
    captured = set(config.get("table.include.list", "").split(","))
    captured.add(re.escape(config.get("signal.data.collection", "")))
    # what is only declared, or only captured, `apply` is just adding or removing
    both = {table for table in wanted.tables if re.escape(table) in captured}
    missing = [] if there.all_tables else sorted(both - set(there.tables))
    if missing:
        lost.append(f"lost {', '.join(missing)}")
    if wanted.via_root and not there.via_root:
        lost.append("publishes partitions under their own names (publish_via_partition_root)")
    operations = [one for one in wanted.operations.split(", ") if one not in there.operations]
    if operations:
        lost.append(f"leaves out {', '.join(operations)}")
    filtered = sorted(both & set(there.filtered))
    if filtered:
        lost.append(f"filters rows or columns of {', '.join(filtered)}")
    return lost
