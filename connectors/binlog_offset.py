"""What an offset in a binary log means: whether it can go on there, what is lost or sent again.

Enters: offsets, the binary log that is there, and the transactions that the change log holds.
Leaves: effects in plain words, told before anything is done. Pure.

GTIDs decide where they are known: a connector that has some asks the server for what follows them,
whatever file and place its offset names (seen with Debezium 3.5.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.gtids import count_missing, is_behind, read_sequences
from connectors.plan import Effect, Severity
from connectors.sources.source import Beginning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from connectors.health.facts import BinlogFacts
    from connectors.health.log_end import LogRecord
    from connectors.sources.source import Offsets


@dataclass(frozen=True, slots=True)
class Captured:
    """The last transaction of each GTID domain that the newest epoch of a change log holds."""

    module: str
    sequences: Mapping[str, int]


def compare_binlogs(binlog: BinlogFacts | None, offsets: Offsets) -> Beginning:
    """Compare a connector's offsets with the binary log that is there; None: it can't be seen.

    Files have other names after a failover: then the GTIDs decide.
    """
    known = [one["offset"] for one in offsets if one["offset"]]
    lost = [] if binlog is None else [_find_lost(binlog, offset) for offset in known]
    return Beginning(bool(known), None, next(filter(None, lost), ""))


def _find_lost(binlog: BinlogFacts, offset: Mapping[str, Any]) -> str:
    file, gtids = offset.get("file"), str(offset.get("gtids") or "")
    if binlog.gtids is not None and is_behind(binlog.gtids, gtids):
        return (
            f"this offset (GTID {gtids}) lies beyond all that the server has logged (GTID "
            f"{binlog.gtids or 'none'}): its binary log begins anew (RESET MASTER, a restored "
            "backup, another server)"
        )
    files = [name for name, _ in binlog.files]
    if file in files or (gtids and not is_behind(gtids, binlog.oldest_gtids)):
        return ""
    oldest = files[0] if files else "none"
    return f"this offset lies in {file}, behind the oldest binary log ({oldest})"


def read_captured(module: str, records: Iterable[LogRecord]) -> Captured:
    """Read which transactions the end of a change log holds whole, in its newest epoch."""
    epoch: bytes | None = None
    sequences: dict[str, int] = {}
    opened: str | None = None
    for record in records:
        if record.epoch is not None and record.epoch != epoch:
            epoch, sequences, opened = record.epoch, {}, None
        mark = record.transaction_mark
        if mark is None:
            continue
        status, gtid = mark
        # a statement of DDL has no END: what begins next ends it
        done = gtid if status == "END" else opened
        opened = gtid if status == "BEGIN" else None
        for domain, number in read_sequences(done or "").items():
            sequences[domain] = max(number, sequences.get(domain, 0))
    return Captured(module, sequences)


def describe_binlog_set(
    entries: Sequence[Mapping[str, Any]],
    binlog: BinlogFacts | None,
    present: Sequence[Mapping[str, Any]],
    captured: Captured,
) -> list[Effect]:
    """Say what other offsets in a binary log would do to what the change log holds."""
    if binlog is None:
        text = "which binary logs there are could not be read: nothing can be said of these offsets"
        return [Effect(Severity.WARNING, text)]
    lost = compare_binlogs(binlog, list(entries)).lost  # type: ignore[arg-type]
    if lost:
        return [Effect(Severity.REFUSED, lost)]
    wanted = _read_started(entries)
    if not wanted:
        text = (
            "the file is there, but without GTIDs nothing can be said of what would be lost or "
            "sent again from this place"
        )
        return [Effect(Severity.WARNING, text)]
    return [_against_log(wanted, _read_started(present), captured)]


def _against_log(
    wanted: Mapping[str, int], present: Mapping[str, int], captured: Captured
) -> Effect:
    held = {**present, **captured.sequences}
    lost = count_missing(held, wanted)
    if lost:
        return Effect(
            Severity.WARNING,
            f"{lost} transactions up to GTID {_name(wanted)} are LOST: the change log ends with "
            f"{_name(held)}, nobody sends what lies between, and the translator stops at that "
            f"hole; afterwards: `isthmus connectors snapshot --again {captured.module} --skip`",
        )
    again = count_missing(wanted, held)
    if again and not captured.sequences:
        return Effect(
            Severity.REFUSED,
            f"{again} transactions before the snapshot of this epoch would be sent after its rows, "
            f"which are newer: read everything anew: `isthmus connectors snapshot --again "
            f"{captured.module}`",
        )
    return Effect(
        Severity.INFO,
        f"{again} transactions would be sent again (they are recognised as duplicates), nothing "
        "is lost",
    )


def describe_binlog_reset(module: str) -> list[Effect]:
    """Say what forgetting the offsets does: everything is read again, as in a new epoch."""
    text = (
        "every row is read again when the connector starts: that needs a higher epoch in the "
        f"declaration of {module}, or its translator stops; `isthmus connectors snapshot --again "
        f"{module}` does all of this in order, and removes what is gone in the legacy database"
    )
    return [Effect(Severity.WARNING, text)]


def _read_started(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Read the last transaction of each domain of which an offset has anything behind it.

    `gtids` are those that are done; within the next one it goes on behind its events so far.
    """
    sequences: dict[str, int] = {}
    for offset in (entry.get("offset") or {} for entry in entries):
        sequences |= read_sequences(str(offset.get("gtids") or ""))
        begun = read_sequences(str(offset.get("transaction_id") or ""))
        for domain, number in begun.items() if offset.get("event") else ():
            if number == sequences.get(domain, 0) + 1:
                sequences[domain] = number
    return sequences


def _name(sequences: Mapping[str, int]) -> str:
    return ", ".join(f"{domain}-*-{number}" for domain, number in sorted(sequences.items()))
