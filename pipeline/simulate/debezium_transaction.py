"""Unfolds a committed transaction into the records of a module's log.

Enters: an entry of the write-ahead log and the module's tables. Leaves: one unit a record (for a
changed key there are two), and the records themselves: BEGIN, the units in an order, END.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from pipeline.simulate.debezium_records import MESSAGE_COLLECTION, LogRecord, Place, RecordWriter
from pipeline.simulate.legacy_wal import WalChange, WalTransaction


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One record's part of a change; `operation` is the record's."""

    change: WalChange
    operation: str


def list_units(entry: WalTransaction, tables: Collection[str]) -> list[Unit]:
    """List what of a transaction a module's log shows: its tables' changes and every message."""
    units = []
    for change in entry.changes:
        if change.table is not None and change.table.name not in tables:
            continue
        if change.old_key is None:
            units.append(Unit(change, change.operation))
        else:
            units += [Unit(change, "d"), Unit(change, "c")]
    return units


def write_transaction(
    writer: RecordWriter, entry: WalTransaction, units: Sequence[Unit], link: int | None
) -> list[LogRecord]:
    """Write BEGIN, the units as they stand, and END with their counts."""
    lsn = units[0].change.lsn if units else entry.begin_lsn
    items = [writer.write_begin(entry.txid, lsn, entry.time_us)]
    counts: dict[str, int] = {}
    for unit in units:
        change = unit.change
        name = _name_collection(unit)
        counts[name] = count = counts.get(name, 0) + 1
        place = Place(entry.txid, link, change.lsn, entry.time_us, len(items), count)
        items.append(_write_unit(writer, unit, place))
    items.append(writer.write_end(entry.txid, entry.lsn, entry.time_us, counts))
    return items


def count_units(units: Sequence[Unit]) -> dict[str, int]:
    """Count units by collection, as an END does."""
    return Counter(map(_name_collection, units))


def _name_collection(unit: Unit) -> str:
    table = unit.change.table
    if table is not None:
        return f"{table.schema}.{table.name}"
    return f"{MESSAGE_COLLECTION}{unit.change.lsn:x}"  # every message is one of its own


def _write_unit(writer: RecordWriter, unit: Unit, place: Place) -> LogRecord:
    change, operation = unit.change, unit.operation
    table, unavailable = change.table, change.unavailable
    row, key, old_key = change.row or {}, change.key or (), change.old_key
    if table is None:
        return writer.write_transactional_message(row, place)
    if operation == "t":
        return writer.write_truncate(table, place)
    if old_key is None:
        return writer.write_row(operation, table, row, key, place, unavailable=unavailable)
    if operation == "d":
        moved = ("__debezium.newkey", key)
        return writer.write_row("d", table, row, old_key, place, other_key=moved)
    moved = ("__debezium.oldkey", old_key)
    return writer.write_row("c", table, row, key, place, unavailable=unavailable, other_key=moved)
