"""How far a snapshot is: the tables that it has read, and the rows so far of those it reads.

Enters: a change log that a snapshot is being written to. Leaves: progress by table. Records are
looked at only where one table ends and the next begins, so that a long log is not read for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connectors.health.facts import LogFacts
    from connectors.health.log_end import LogReader, LogRecord

INCREMENTAL = "Incremental Snapshot"
INITIAL = "Initial Snapshot"
_LOOK_RECORDS = 20
"""A row stands within so many records: between tables there are only notifications."""
_INITIAL_TAIL = 200
"""What an initial snapshot does at the moment stands within so many offsets of the log's end."""
_TAIL_RECORDS = 3_000
"""The last chunk's notification of an incremental snapshot stands within so many records."""


@dataclass(frozen=True, slots=True)
class TableProgress:
    """One table: rows that were sent so far, those that it is estimated to have (0: unknown)."""

    table: str
    rows: int = 0
    estimated: int = 0
    done: bool = False
    part: float | None = None
    """For an incremental snapshot: how far it is in the key, where that tells."""

    @property
    def fraction(self) -> float:
        """How much of it is done, 0 to 1; below 1 while it is not."""
        if self.done:
            return 1.0
        if self.part is not None:
            return min(self.part, 0.99)
        return min(self.rows / self.estimated, 0.99) if self.estimated else 0.0


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """A snapshot that is running: `initial` or `incremental`, and its tables in order."""

    kind: str
    tables: tuple[TableProgress, ...]

    @property
    def fraction(self) -> float:
        """How much of all is done: by rows where these are estimated, else by tables."""
        total = sum(max(one.rows, one.estimated) for one in self.tables)
        if not total or self.kind == "incremental":
            return sum(one.fraction for one in self.tables) / max(1, len(self.tables))
        return min(sum(one.rows for one in self.tables) / total, 0.99)

    def document(self) -> dict[str, Any]:
        """Give it as it stands in JSON."""
        return {
            "kind": self.kind,
            "tables_done": sum(one.done for one in self.tables),
            "tables": [
                {
                    "table": one.table,
                    "rows": one.rows,
                    "estimated_rows": one.estimated,
                    "done": one.done,
                }
                for one in self.tables
            ],
            "fraction": round(self.fraction, 3),
        }


def read_initial(
    reader: LogReader,
    topic: str,
    ends: LogFacts,
    tables: Iterable[str],
    estimates: Mapping[str, int],
) -> SnapshotProgress:
    """Read how far an initial snapshot is whose rows are the end of the log."""

    def look(offset: int) -> LogRecord | None:
        records = list(reader.read(topic, offset, ends.high, _LOOK_RECORDS))
        return next((one for one in records if one.table), records[0] if records else None)

    tail = reader.read(topic, max(ends.low, ends.high - _INITIAL_TAIL), ends.high)
    now = find_current(tail)
    rows = {} if now.run is None else count_rows(look, replace(ends, high=now.end), now.run)
    current = now.table or next(reversed(rows), None)
    return SnapshotProgress(
        "initial",
        tuple(
            TableProgress(
                table,
                rows.get(table, 0),
                estimates.get(table, 0),
                done=table in rows and table != current,
            )
            for table in sorted(tables, key=lambda one: (one not in rows, _place(rows, one)))
        ),
    )


@dataclass(frozen=True, slots=True)
class Current:
    """What an initial snapshot does: which start of the connector, up to which offset, which table.

    `run` and `end` are of its last row, `table` is what it told to read now; None: not known.
    """

    run: bytes | None = None
    end: int = 0
    table: str | None = None


def find_current(tail: Iterable[LogRecord]) -> Current:
    """Find what an initial snapshot does by the end of the log.

    Notifications stand between tables and tell no start; what is before STARTED is another's.
    """
    now = Current()
    for record in tail:
        told = record.notification
        if record.run is not None:
            now = replace(now, run=record.run, end=record.offset + 1)
        elif told is not None and told[0] == INITIAL:
            if told[1] == "STARTED":
                now = Current()
            elif told[1] == "IN_PROGRESS":
                table = told[2].get("current_collection_in_progress", "").rpartition(".")[2]
                now = replace(now, table=table or None)
    return now


def _place(rows: Mapping[str, int], table: str) -> int:
    return list(rows).index(table) if table in rows else 0


def count_rows(
    look: Callable[[int], LogRecord | None], ends: LogFacts, run: bytes
) -> dict[str, int]:
    """Count about how many rows of each table the start `run` of a connector has written, in order.

    `look` gives the first row at or behind an offset, or any other record where no row follows.
    """
    begin = _first(lambda offset: _is_of(look(offset), run), ends.low, ends.high)
    rows: dict[str, int] = {}
    while begin < ends.high:
        record = look(begin)
        table = None if record is None else record.table
        if record is None or table is None:
            break
        end = _first(lambda offset, one=table: _other(look(offset), one), begin, ends.high)  # type: ignore[misc]
        rows[table] = rows.get(table, 0) + end - max(begin, record.offset)
        begin = max(end, begin + 1)
    return rows


def _is_of(record: LogRecord | None, run: bytes) -> bool:
    return record is not None and record.run == run


def _other(record: LogRecord | None, table: str) -> bool:
    return record is not None and record.table is not None and record.table != table


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Find the first offset for which `holds`, where it does for all behind it; `high` if none."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def read_incremental(
    reader: LogReader, topic: str, ends: LogFacts, tables: Iterable[str]
) -> SnapshotProgress:
    """Read how far an incremental snapshot is, by the last chunk that it told of."""
    newest = None
    begin = max(ends.low, ends.high - _TAIL_RECORDS)
    for record in reader.read(topic, begin, ends.high):
        told = record.notification
        if told is not None and told[0] == INCREMENTAL and told[1] == "IN_PROGRESS":
            newest = told[2]
    return SnapshotProgress("incremental", make_chunk(newest or {}, tables))


def make_chunk(data: Mapping[str, str], tables: Iterable[str]) -> tuple[TableProgress, ...]:
    """Make the progress of the tables that are left, the first of which `data` tells a chunk of."""
    current = data.get("current_collection_in_progress", "").rpartition(".")[2]
    part = _key_part(data.get("last_processed_key", ""), data.get("maximum_key", ""))
    return tuple(TableProgress(table, part=part if table == current else 0.0) for table in tables)


def _key_part(last: str, greatest: str) -> float | None:
    """Say how far a key is by its first column, where that is a number."""
    try:
        reached, end = float(last.partition(",")[0]), float(greatest.partition(",")[0])
    except ValueError:
        return None
    return reached / end if end > 0 else None
