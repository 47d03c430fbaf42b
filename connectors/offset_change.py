"""What another source offset would mean for a connector: what is lost, sent again, or read anew.

Enters: the slot, the end of the change log, the offset as it is and as it is to be. Leaves:
effects in plain words, told before anything is done. Pure.

PostgreSQL begins at the slot's confirmed_flush_lsn whenever an offset is older: what was confirmed
is not sent again, whatever the offset says. But Debezium names the offset as the position before
the first transaction that comes (seen with 3.7.0): the chain in the log breaks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.errors import Configuration
from connectors.health.facts import ConnectorFacts, format_lsn
from connectors.plan import Effect, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from connectors.health.facts import SlotFacts

Entry = dict[str, Any]
"""One of Connect's offsets: `{"partition": {...}, "offset": {...}}`."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an offset is compared with: the slot, and the ENDs that the log's tail still holds.

    `ends` are positions of transactions in the change log, ascending; `oldest` is the first one
    that was looked at, None when all of the log was.
    """

    module: str
    slot: SlotFacts | None
    ends: Sequence[int]
    oldest: int | None


def describe_set(entries: Sequence[Entry], around: Surroundings) -> list[Effect]:
    """Say what setting these offsets would do; the last transaction in the log is the measure."""
    wanted = read_lsn(entries)
    if wanted is None:
        return describe_reset(around)
    return list(_describe_position(wanted, around))


def _describe_position(wanted: int, around: Surroundings) -> Iterator[Effect]:
    slot = around.slot
    if slot is None or slot.is_lost or slot.confirmed_lsn is None:
        text = (
            "its replication slot is gone or lost: whatever the offset is, nothing can be read "
            f"from there: `isthmus connectors snapshot --again {around.module}`"
        )
        yield Effect(Severity.REFUSED, text)
        return
    confirmed = slot.confirmed_lsn
    unknown = around.oldest is not None and wanted < min(around.oldest, confirmed)
    if unknown or any(wanted < end <= confirmed for end in around.ends):
        text = (
            f"{format_lsn(wanted)} lies before transactions up to {format_lsn(confirmed)}, which "
            "the slot has confirmed: the server does not send them again, and the next one would "
            f"name {format_lsn(wanted)} as the position before it: the change log would seem to "
            "have a hole, and its translator would stop"
        )
        yield Effect(Severity.REFUSED, text)
        return
    yield _against_log(wanted, confirmed, around)


def _against_log(wanted: int, confirmed: int, around: Surroundings) -> Effect:
    """Compare where it would go on with the last position of the change log."""
    last = max(around.ends, default=None)
    if last is None:
        text = "the change log holds no transaction to compare it with"
        return Effect(Severity.INFO, text)
    if wanted > last:
        return Effect(
            Severity.WARNING,
            f"what was committed between {format_lsn(last)}, the last position in the change log, "
            f"and {format_lsn(wanted)} is LOST: it is never sent, and the translator stops at that "
            f"hole; afterwards: `isthmus connectors snapshot --again {around.module} --skip`",
        )
    again = sum(1 for end in around.ends if end > max(wanted, confirmed))
    return Effect(
        Severity.INFO,
        f"{again} transactions would be sent again (they are recognised as duplicates), nothing "
        "is lost",
    )


def describe_reset(around: Surroundings) -> list[Effect]:
    """Say what forgetting the offsets does: everything is read again, as in a new epoch."""
    effects = [
        Effect(
            Severity.WARNING,
            "every row is read again when the connector starts: that needs a higher epoch in the "
            f"declaration of {around.module}, or the change log goes back in its epoch",
        )
    ]
    if around.slot is not None:
        effects.append(
            Effect(
                Severity.WARNING,
                f"replication slot {around.slot.name} stays: its old changes would come after the "
                "newer snapshot, drop it first; `isthmus connectors snapshot --again "
                f"{around.module}` does all of this in order",
            )
        )
    return effects


def read_lsn(entries: Sequence[Entry]) -> int | None:
    """Give the position behind which these offsets go on."""
    offset = next((entry["offset"] for entry in entries if entry.get("offset")), None)
    return ConnectorFacts("", offset=offset).lsn


def dump_offsets(name: str, entries: Sequence[Entry]) -> str:
    """Write offsets as `set` reads them."""
    return json.dumps({"connector": name, "offsets": list(entries)}, indent=2) + "\n"


def load_offsets(path: Path, name: str) -> list[Entry]:
    """Read the offsets of a connector from a file that `export` wrote; Configuration if wrong."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Configuration(f"{path} can't be read as offsets: {error}") from error
    entries = document.get("offsets") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or not all(map(_is_entry, entries)):
        raise Configuration(
            f'{path} must hold {{"connector": ..., "offsets": [{{"partition": {{...}}, "offset": '
            "{...}}]}, as `isthmus connectors offsets export` writes it"
        )
    if document.get("connector") != name:
        raise Configuration(f"{path} holds offsets of {document.get('connector')!r}, not of {name}")
    return entries


def _is_entry(entry: Mapping[str, Any]) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("partition"), dict)
        and (entry.get("offset") is None or isinstance(entry["offset"], dict))
    )
