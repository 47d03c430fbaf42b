"""Writes an initial snapshot as Debezium does, table after table.

Enters: a state of the legacy model. Leaves: read rows between notifications of how far it is; one
row is always held back, so that a table's last row follows the notification of its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from legacy_db.definition import Table
from pipeline.simulate.debezium_records import (
    INITIAL_SNAPSHOT,
    LogRecord,
    Place,
    RecordWriter,
)
from pipeline.simulate.legacy_wal import Key, Row


@dataclass(frozen=True, slots=True)
class SnapshotMoment:
    """What a snapshot reads, and when: everything up to `lsn`."""

    lsn: int
    txid: int
    time_us: int
    tables: Mapping[str, Mapping[Key, Row]]
    definitions: Mapping[str, Table]


def write_snapshot(
    writer: RecordWriter, moment: SnapshotMoment, tables: Sequence[str], known: str
) -> Iterator[tuple[LogRecord, bool]]:
    """Write an initial snapshot of tables; True marks records whose offset says it is complete.

    `known` lists the tables that the connector knows, its signal table among them.

    The last row's says so before COMPLETED is written: a crash between them leaves a log without.
    """
    names = ",".join(f"{moment.definitions[table].schema}.{table}" for table in tables)

    def notify(type_: str, **data: str) -> tuple[LogRecord, bool]:
        record = writer.write_notification(INITIAL_SNAPSHOT, type_, moment.time_us, data)
        return record, type_ == "COMPLETED"

    def read(table: Table, key: Key, row: Row, marker: str) -> LogRecord:
        return writer.write_read(table, row, key, place, marker)

    place = Place(moment.txid, None, moment.lsn, moment.time_us)
    held: tuple[Table, Key, Row, str] | None = None
    for number, name in enumerate(tables):
        table, rows = moment.definitions[name], moment.tables[name]
        full_name = f"{table.schema}.{name}"
        yield notify(
            "IN_PROGRESS", current_collection_in_progress=full_name, data_collections=names
        )
        for count, (key, row) in enumerate(rows.items(), 1):
            if held is not None:
                yield read(*held), False
            held = (table, key, row, _mark(number, count, len(rows)))
        yield notify("TABLE_SCAN_COMPLETED", scanned_collection=full_name,
                     total_rows_scanned=str(len(rows)), status="SUCCEEDED",
                     data_collections=known)  # fmt: skip
    if held is not None:
        yield read(*held[:3], "last"), True
    yield writer.write_heartbeat(moment.time_us), True
    yield notify("COMPLETED")


def _mark(number: int, place: int, count: int) -> str:
    if number == 0 and place == 1:
        return "first"
    if place == count:
        return "last_in_data_collection"
    return "first_in_data_collection" if place == 1 else "true"
