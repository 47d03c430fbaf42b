"""A small module on the models: its tables, its connector, and names for what that writes."""

from __future__ import annotations

from typing import Any

import msgspec

from legacy_db.definition import Column, Table
from pipeline.simulate.debezium import DebeziumConnector, LogRecord
from pipeline.simulate.legacy import LegacyDatabase

NAMES = ("item", "line", "other")


def make_table(name: str) -> Table:
    """Make a table of an id, a numeric and a text."""
    columns = (
        Column("id", "integer", nullable=False, attnum=1),
        Column("price", "numeric(8,2)", nullable=True, attnum=2),
        Column("note", "text", nullable=True, attnum=3),
    )
    return Table("erp", name, columns, ("id",))


def make_database() -> LegacyDatabase:
    """Make a database whose items are two, whose lines are none."""
    made = LegacyDatabase([make_table(name) for name in NAMES], out_of_line=[("item", "note")])
    setup = made.begin()
    setup.copy("item", [{"id": number, "note": "long"} for number in (1, 2)])
    setup.commit()
    return made


def connect(database: LegacyDatabase, **options: Any) -> DebeziumConnector:
    """Make the connector of item and line."""
    return DebeziumConnector(database, "shop", ("item", "line"), "site.shop", **options)


def drain(connector: DebeziumConnector, records_max: int = 1000) -> list[LogRecord]:
    """Poll and commit until nothing comes."""
    found: list[LogRecord] = []
    while chunk := connector.poll(records_max):
        found += chunk
        connector.commit_offsets()
    return found


def name_kind(record: LogRecord) -> str:
    """Name what a record is."""
    value = msgspec.json.decode(record.value)
    if "status" in value:
        return str(value["status"])
    if "op" in value:
        table = value["source"]["table"] or value["message"]["prefix"]
        return f"{value['op']} {table}"
    return str(value.get("type", "heartbeat"))


def kinds(records: list[LogRecord]) -> list[str]:
    """Name the kinds of records."""
    return [name_kind(record) for record in records]
