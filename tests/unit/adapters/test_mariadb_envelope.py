"""Records of MariaDB's connector, as they were seen, decode to what the assembler takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.binlog_position import Gtid
from adapters.envelope import Heartbeat, Notification, RowChange
from adapters.errors import Poison
from adapters.mariadb_envelope import GtidBegin, GtidEnd, decode_mariadb_change
from adapters.mariadb_schema_change import ChangedTable, SchemaChange
from legacy_db.definition import Column, Table

SOURCE = {
    "version": "3.5.0.Final", "connector": "mariadb", "name": "shop.sales", "ts_ms": 1795675000000,
    "snapshot": "false", "db": "erp", "sequence": None, "ts_us": 1795675000000000,
    "ts_ns": 1795675000000000000, "table": "item", "server_id": 7, "gtid": "0-7-12",
    "file": "bin.000002", "pos": 1305, "row": 1, "thread": None, "query": None,
}  # fmt: skip
TRANSACTION = {"id": "0-7-12", "total_order": 2, "data_collection_order": 1}


def decode(**document: Any) -> Any:
    """Decode a record of these fields."""
    return decode_mariadb_change(json.dumps(document).encode(), b'{"id":1}', None)


def test_a_row_stands_in_the_binary_log() -> None:
    """File and offset make its position, the GTID's last number its transaction."""
    row = decode(
        before=None, after={"id": 1}, source=SOURCE, transaction=TRANSACTION, op="c", ts_ms=1
    )
    assert row == RowChange(
        "item", "c", b'{"id":1}', b'{"id": 1}', None, txid=12, order=2, link=None,
        lsn=(2 << 40) + 1305, time_us=1795675000000000, row=1,
    )  # fmt: skip


def test_a_row_that_a_snapshot_read_has_a_place_or_none() -> None:
    """That of the snapshot's beginning; an incremental one's says nothing."""
    source = {**SOURCE, "snapshot": "first", "gtid": None}
    row = decode(before=None, after={"id": 1}, source=source, transaction=None, op="r", ts_ms=1)
    assert (row.lsn, row.txid, row.incremental) == ((2 << 40) + 1305, None, False)
    source["snapshot"] = "incremental"
    row = decode(before=None, after={"id": 1}, source=source, transaction=None, op="r", ts_ms=1)
    assert (row.lsn, row.incremental) == (0, True)


def test_marks_of_a_transaction_have_its_gtid() -> None:
    """END has a count."""
    begin = {"status": "BEGIN", "id": "3-7-12", "event_count": None, "data_collections": None}
    assert decode(**begin, ts_ms=5) == GtidBegin(Gtid("3", 12))
    end = {"status": "END", "id": "3-7-12", "event_count": 2, "data_collections": []}
    assert decode(**end, ts_ms=5) == GtidEnd(Gtid("3", 12), 2)


def test_other_records() -> None:
    """Heartbeats and notifications are as every engine's."""
    assert decode(ts_ms=5) == Heartbeat()
    notice = {
        "aggregate_type": "Initial Snapshot",
        "type": "STARTED",
        "additional_data": {"a": "b"},
    }
    assert decode(id="x", **notice) == Notification("Initial Snapshot", "STARTED", {"a": "b"})


def make_column(name: str, type_name: str, position: int, **more: Any) -> dict[str, Any]:
    """Make a column of a schema change."""
    return {
        "name": name, "jdbcType": 4, "nativeType": None, "typeName": type_name,
        "typeExpression": type_name, "charsetName": None, "length": None, "scale": None,
        "position": position, "optional": True, "autoIncremented": False, "generated": False,
        "comment": None, "defaultValueExpression": None, "enumValues": None, **more,
    }  # fmt: skip


def test_a_schema_change_tells_definitions() -> None:
    """Types are written as the catalogue does, and have types in the mirror."""
    columns = [
        make_column("id", "BIGINT UNSIGNED", 1, length=20, optional=False),
        make_column("price", "DECIMAL", 2, length=9, scale=2, defaultValueExpression="0.00"),
        make_column("size", "ENUM", 3, length=1, enumValues=["'s'", "'m''s'"]),
        make_column("note", "LONGTEXT", 4, length=4294967295),
        make_column("flag", "TINYINT", 5, length=1),
    ]
    table = {"defaultCharsetName": "utf8mb4", "primaryKeyColumnNames": ["id"], "columns": columns}
    change = decode(
        source={**SOURCE, "table": "item"}, ts_ms=1, databaseName="erp", schemaName=None,
        ddl="ALTER TABLE item ADD x INT",
        tableChanges=[{"type": "ALTER", "id": '"erp"."item"', "table": table}],
    )  # fmt: skip
    assert change == SchemaChange(
        "ALTER TABLE item ADD x INT",
        (
            ChangedTable(
                "erp",
                "item",
                Table(
                    "erp",
                    "item",
                    (
                        Column("id", "numeric(20,0)", False, 1, "bigint(20) unsigned"),
                        Column("price", "numeric(9,2)", True, 2, "decimal(9,2)"),
                        Column("size", "text", True, 3, "enum('s','m''s')"),
                        Column("note", "text", True, 4, "longtext"),
                        Column("flag", "smallint", True, 5, "tinyint(1)"),
                    ),
                    ("id",),
                    numbered=False,
                ),
                {"id": None, "price": "0.00", "size": None, "note": None, "flag": None},
            ),
        ),
        read=False,
    )


def test_a_dropped_table_has_no_definition() -> None:
    """Its name alone is told."""
    change = decode(
        source={**SOURCE, "snapshot": "true"}, ts_ms=1, databaseName="erp", schemaName=None,
        ddl="DROP TABLE item",
        tableChanges=[{"type": "DROP", "id": '"erp"."item"', "table": None}],
    )  # fmt: skip
    assert change == SchemaChange("DROP TABLE item", (ChangedTable("erp", "item", None, {}),), True)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"op": "c"}, "without source.table"),
        ({"op": "c", "source": {"table": "t"}}, "without source.file"),
        ({"op": "m", "source": SOURCE}, "unknown operation 'm'"),
        ({"op": "c", "source": {**SOURCE, "file": "bin"}}, "not the name of a binary log file"),
        ({"status": "BEGIN", "id": "file=bin.1,pos=4"}, "is not a GTID"),
        ({"x": 1}, "neither a row"),
        ({"ddl": "x", "tableChanges": [{"type": "ALTER", "id": "t"}]}, "no table of a database"),
    ],
)
def test_rubbish_is_named(document: dict[str, Any], message: str) -> None:
    """Poison says what is missing, and a value without JSON is none."""
    with pytest.raises(Poison, match=message):
        decode(**document)
    for value in (None, b"no JSON", b"\xff"):
        with pytest.raises(Poison):
            decode_mariadb_change(value, None, None)
