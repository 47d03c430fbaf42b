"""What can happen to the binary log of MariaDB or MySQL: it was purged, or it begins anew.

Enters: facts of one module. Leaves: at most one finding, which stops the connector. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.binlog_offset import compare_binlogs
from connectors.config import EPOCH_HEADER
from connectors.gtids import is_behind, read_sequences
from connectors.health.facts import NO_EVENT
from connectors.health.failures import ANEW
from connectors.health.finding import Finding, Kind, Remedy, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.health.facts import BinlogFacts, BinlogPlace, ModuleFacts


def find_binlog(facts: ModuleFacts) -> Iterator[Finding]:
    """Find a log that begins anew, or that was purged before the connector had read it."""
    binlog, module = facts.binlog, facts.module
    if binlog is None or not binlog.files:
        return
    why = _find_back(facts, binlog)
    if why:
        text = (
            f"the binary log of {module} went back ({why}): RESET MASTER, a restored backup or "
            "another server; what was captured may never have happened there, and new changes have "
            f"old positions: read everything anew: `{ANEW.format(module=module)}`"
        )
        yield Finding(
            module, Kind.DATABASE_WENT_BACK, Severity.ERROR, text, Remedy.STOP, doubt=True
        )
        return
    offsets = [{"partition": {}, "offset": dict(facts.connector.offset or {})}]
    lost = compare_binlogs(binlog, offsets).lost
    if facts.connector.binlog_place is not None and lost:
        text = (
            f"connector {facts.connector.name} can't go on: {lost}: what was committed between is "
            "lost to it: keep the log for longer (binlog_expire_logs_seconds), and read everything "
            f"anew: `{ANEW.format(module=module)}`"
        )
        yield Finding(module, Kind.BINLOG_PURGED, Severity.ERROR, text, Remedy.STOP, doubt=True)


def _find_back(facts: ModuleFacts, binlog: BinlogFacts) -> str:
    """Say by what it is seen that the log is another one, or its end lies before a former one.

    Another server may take over with the same GTIDs and other files: then only the GTIDs count.
    """
    seen, offset = facts.seen_binlog, facts.connector.offset or {}
    reached = [str(offset.get("gtids") or ""), "" if seen is None else seen.gtids]
    for gtids in reached:
        if binlog.gtids is not None and is_behind(binlog.gtids, gtids):
            return f"it ends with GTID {binlog.gtids or 'none'}, and had {gtids}"
    if seen is not None and seen.server_id != binlog.server_id:
        return ""
    return _find_place_back(facts, binlog) or _find_other(facts)


def _find_place_back(facts: ModuleFacts, binlog: BinlogFacts) -> str:
    end = binlog.end
    assert end is not None  # noqa: S101 - the caller has looked
    known: list[BinlogPlace] = [] if facts.seen_binlog is None else [facts.seen_binlog.place]
    if facts.connector.binlog_place is not None:
        known.append(facts.connector.binlog_place)
    reached = max(known, key=lambda one: one.number, default=None)
    if reached is not None and end.number < reached.number:
        return f"it ends at {end}, and was read up to {reached}"
    epoch = (facts.wanted or {}).get(f"transforms.{EPOCH_HEADER}.value.literal")
    translator = facts.translator
    is_same = translator is not None and str(translator.epoch) == epoch
    if translator is not None and is_same and end.number < translator.lsn:
        return f"it ends at {end}, before what was translated"
    return ""


def _find_other(facts: ModuleFacts) -> str:
    """Compare what stands where the log ended once with what must follow there.

    A log that has grown past its former end since it began anew shows only by this.
    """
    seen, there = facts.seen_binlog, facts.at_seen
    if seen is None or there is None:
        return ""
    if there == NO_EVENT:
        return f"no event begins at {seen.place}, where it ended once"
    known = read_sequences(seen.gtids)
    ((domain, sequence),) = read_sequences(there).items()
    if sequence == known.get(domain, sequence - 1) + 1:
        return ""
    return f"{there} stands at {seen.place}, where {seen.gtids} was the last"
