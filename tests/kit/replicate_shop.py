"""A small shop for the replicator's tests: contracts, projections, tables and events of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from adapters.contract import Contract, make_contract
from adapters.event import EventKind, IntegrationEvent, make_event_id, make_headers
from adapters.position import Sequence
from adapters.projection import ChildTable, Projection
from adapters.serde import Encoder, frame
from pipeline.errors import Poison
from pipeline.replicate.memory import MemoryStore
from pipeline.replicate.record import BARRIER_TYPE, Record

TOPIC = "test.shop.events"
PARTITIONS = 4
TIME = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

_STATUS = {"type": "enum", "name": "Status", "symbols": ["open", "shipped", "cancelled"]}
_AMOUNT = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}


def _optional(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


_LINE = {
    "type": "record",
    "name": "Line",
    "fields": [
        {"name": "line_number", "type": "int"},
        _optional("item_code", "string"),
        _optional("amount", _AMOUNT),
        _optional("line_status", "Status"),
    ],
}
ORDER = make_contract(
    "shop.Order.v1",
    {
        "type": "record",
        "name": "Order",
        "namespace": "test.shop.v1",
        "fields": [
            {"name": "order_id", "type": "long"},
            {"name": "deleted", "type": "boolean"},
            _optional("customer", "string"),
            _optional("status", _STATUS),
            _optional("total", _AMOUNT),
            _optional("ordered_on", {"type": "int", "logicalType": "date"}),
            _optional("changed_at", {"type": "long", "logicalType": "timestamp-micros"}),
            _optional("picture", "bytes"),
            _optional("lines", {"type": "array", "items": _LINE}),
        ],
    },
)
ITEM = make_contract(
    "shop.Item.v1",
    {
        "type": "record",
        "name": "Item",
        "namespace": "test.shop.v1",
        "fields": [
            {"name": "item_code", "type": "string"},
            {"name": "deleted", "type": "boolean"},
            *(_optional(f"text_{number}", "string") for number in range(1, 6)),
            _optional("price", _AMOUNT),
            _optional("stock", "int"),
            _optional("weight", "double"),
            _optional("since", {"type": "int", "logicalType": "date"}),
            _optional("changed_at", {"type": "long", "logicalType": "timestamp-micros"}),
        ],
    },
)
PLACED = make_contract(
    "shop.OrderPlaced.v1",
    {
        "type": "record",
        "name": "OrderPlaced",
        "namespace": "test.shop.v1",
        "fields": [
            {"name": "order_id", "type": "long"},
            {"name": "total", "type": _AMOUNT},
            _optional("at", {"type": "long", "logicalType": "timestamp-micros"}),
        ],
    },
)
CONTRACTS = {one.type: one for one in (ORDER, ITEM, PLACED)}
SCHEMA_IDS = {ORDER.type: 1, ITEM.type: 2, PLACED.type: 3}

ORDERS = Projection(
    type=ORDER.type,
    aggregate="shop.Order",
    table="orders",
    key=("order_id",),
    columns=("order_id", "customer", "status", "total", "ordered_on", "changed_at", "picture"),
    children=(
        ChildTable(
            table="order_lines",
            field="lines",
            key=("order_id", "line_number"),
            columns=("line_number", "item_code", "amount", "line_status"),
        ),
    ),
)
ITEMS = Projection(
    type=ITEM.type,
    aggregate="shop.Item",
    table="items",
    key=("item_code",),
    columns=tuple(one["name"] for one in ITEM.schema["fields"] if one["name"] != "deleted"),
)
PROJECTIONS = (ORDERS, ITEMS)
TABLES = """
create table orders (
    order_id bigint primary key, customer text check (customer <> 'refused'), status text,
    total numeric(12, 2), ordered_on date, changed_at timestamptz, picture bytea);
create table order_lines (
    order_id bigint references orders, line_number int, item_code text, amount numeric(12, 2),
    line_status text, primary key (order_id, line_number));
create table items (
    item_code text primary key, text_1 text, text_2 text, text_3 text, text_4 text, text_5 text,
    price numeric(18, 2), stock int, weight float, since date, changed_at timestamptz);
"""

_ENCODERS = {one.type: Encoder(one) for one in CONTRACTS.values()}


@dataclass
class KnownSchemas:
    """The registry as a dict."""

    texts: dict[int, str] = field(
        default_factory=lambda: {SCHEMA_IDS[one.type]: one.text for one in CONTRACTS.values()}
    )

    def schema(self, schema_id: int) -> str:
        """Return the text of an id."""
        if schema_id not in self.texts:
            raise Poison(f"there is no schema {schema_id}")
        return self.texts[schema_id]


def order(
    number: int, version: int = 1, *, deleted: bool = False, lines: int = 2
) -> dict[str, Any]:
    """Make the state of an order; every field tells the version."""
    if deleted:
        fields = [one["name"] for one in ORDER.schema["fields"]]
        return {**dict.fromkeys(fields), "order_id": number, "deleted": True}
    return {
        "order_id": number,
        "deleted": False,
        "customer": f'Zoë "{version}", & Söhne\n',
        "status": ["open", "shipped", "cancelled"][version % 3],
        "total": Decimal(version) + Decimal("0.25"),
        "ordered_on": date(2026, 1, 1 + version % 28),
        "changed_at": TIME.replace(microsecond=version),
        "picture": bytes([0, 255, version % 256]),
        "lines": [
            {
                "line_number": one,
                "item_code": f"I{version}-{one}" if one % 2 else "",
                "amount": Decimal(version * 100 + one) / 4,
                "line_status": "open" if one % 2 else None,
            }
            for one in range(lines)
        ],
    }


def item(code: str, version: int = 1) -> dict[str, Any]:
    """Make the state of an item."""
    return {
        "item_code": code,
        "deleted": False,
        **{f"text_{number}": f"text {number} of {code}" for number in range(1, 6)},
        "price": Decimal(version * 100 + 99) / 100,
        "stock": version,
        "weight": 0.5 * version,
        "since": date(2026, 1, 1),
        "changed_at": TIME,
    }


def placed(number: int) -> dict[str, Any]:
    """Make a domain event."""
    return {"order_id": number, "total": Decimal("12.50"), "at": TIME}


def headers(
    contract: Contract, subject: str, position: int, *, ordinal: int = 0, time: datetime = TIME
) -> list[tuple[str, bytes | None]]:
    """Make an event's headers as a publisher does."""
    sequence = str(Sequence(1, position, 0, ordinal))
    event = IntegrationEvent(
        id=make_event_id(contract.type, subject, sequence),
        kind=EventKind.STATE,
        type=contract.type,
        aggregate="",
        subject=subject,
        sequence=sequence,
        time=time,
        source="/test/shop",
        transaction="7",
        fingerprint=contract.fingerprint,
    )
    return [*make_headers(event)]


def value(contract: Contract, data: dict[str, Any]) -> bytes:
    """Make an event's framed value."""
    return frame(SCHEMA_IDS[contract.type], _ENCODERS[contract.type].encode(data))


class Log:
    """Makes records as if of one topic; a subject is always in the same partition."""

    def __init__(self) -> None:
        self.next_offsets = dict.fromkeys(range(PARTITIONS), 0)

    def record(
        self, partition: int, value_: bytes | None, headers_: list[tuple[str, bytes | None]]
    ) -> Record:
        """Append any record."""
        offset = self.next_offsets[partition]
        self.next_offsets[partition] += 1
        return Record(TOPIC, partition, offset, value_, headers_)

    def event(
        self, contract: Contract, subject: str, position: int, data: dict[str, Any] | None
    ) -> Record:
        """Append an event; without data a tombstone."""
        body = None if data is None else value(contract, data)
        return self.record(partition_of(subject), body, headers(contract, subject, position))

    def order(self, number: int, position: int, **options: Any) -> Record:
        """Append the state of an order at a position, which is its version too."""
        return self.event(ORDER, str(number), position, order(number, position, **options))

    def barrier(self, barrier: str, partition: int, quarantined: list[str] | None = None) -> Record:
        """Append a barrier to one partition."""
        return self.record(partition, *barrier_record(barrier, quarantined))


def barrier_record(
    barrier: str, quarantined: list[str] | None = None
) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """Make value and headers of a barrier."""
    body = {
        "barrier": barrier,
        "module": "shop",
        "position": str(Sequence(1, 99)),
        "partitions": PARTITIONS,
        "quarantined": quarantined or [],
    }
    identity = barrier.encode()
    return json.dumps(body).encode(), [
        ("ce_type", BARRIER_TYPE.encode()),
        ("ce_id", identity),
        ("ce_subject", identity),
    ]


def partition_of(subject: str) -> int:
    """Return the partition of a subject."""
    return sum(subject.encode()) % PARTITIONS


ALL_PARTITIONS = [(TOPIC, number) for number in range(PARTITIONS)]


def contents(store: MemoryStore) -> dict[str, Any]:
    """Return what a memory store holds, in a form that can be compared."""
    return {
        "tables": {name: rows for name, rows in sorted(store.tables.items()) if rows},
        "guard": {key: row[2:5] for key, row in store.guard.items()},
        "domain_events": set(store.domain_events),
        "barriers": store.barriers,
    }


def read_tables(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Return what a real store holds, in the form of `contents`."""
    tables: dict[str, Any] = {}
    for projection in PROJECTIONS:
        keys = {projection.table: projection.key}
        keys |= {child.table: child.key for child in projection.children}
        for table, key in keys.items():
            with connection.cursor(row_factory=dict_row) as cursor:
                rows = cursor.execute(sql.SQL("select * from {}").format(sql.Identifier(table)))
                tables[table] = {tuple(row[name] for name in key): row for row in rows}
    guard = connection.execute(
        "select aggregate, subject, sequence, deleted, event_id from replication.aggregate"
    ).fetchall()
    domain = connection.execute("select event_id from replication.domain_event").fetchall()
    barriers = connection.execute("select barrier, topic, partition from replication.barrier")
    return {
        "tables": {name: rows for name, rows in sorted(tables.items()) if rows},
        "guard": {(one[0], one[1]): one[2:] for one in guard},
        "domain_events": {event_id for (event_id,) in domain},
        "barriers": set(barriers.fetchall()),
    }
