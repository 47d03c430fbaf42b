"""How far a connector is: what Connect keeps beside the log, and goes back to after a crash.

Enters: nothing. Leaves: values; the connector's model makes a new one for every record.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from pipeline.simulate.legacy_wal import Key


@dataclass(frozen=True, slots=True)
class IncrementalProgress:
    """How far an incremental snapshot is: the tables that are left, in the first the last key.

    `maximum` is the last key that will be read and `total` the rows when that was looked up.
    """

    tables: tuple[str, ...]
    after: Key | None = None
    maximum: Key | None = None
    total: int = 0


@dataclass(frozen=True, slots=True)
class WrittenEnd:
    """A transaction that is wholly in the log, with its changes counted by collection."""

    txid: int
    time_us: int
    counts: dict[str, int]


class Offset(msgspec.Struct, frozen=True, gc=False):
    """The connector's offset.

    `entry` is the next entry of the write-ahead log, `item` the next record within it (0 is the
    BEGIN), `plan` the order of its changes where a restart has altered that; `link` is the
    position before the entry. Without `is_streaming` a restart begins with a new snapshot.
    `signal_taken`: the change at `item` is a signal that was obeyed already. `end`: the END
    that was written last, if nothing followed it.
    """

    is_streaming: bool = False
    entry: int = 0
    item: int = 0
    link: int | None = None
    time_us: int = 0
    plan: tuple[int, ...] | None = None
    incremental: IncrementalProgress | None = None
    signal_taken: bool = False
    end: WrittenEnd | None = None
