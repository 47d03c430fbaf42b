"""Writes a change log's records as Debezium 3.7 does: keys, values and headers as bytes.

Enters: entries of the model's write-ahead log and where they stand in it. Leaves: raw records.
Text is put together by hand where nothing needs escaping: a simulation writes millions.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from adapters.envelope import UNAVAILABLE
from legacy_db.definition import Table
from pipeline.simulate.legacy_wal import Key, Row, WalMessage

Headers = list[tuple[str, bytes]]
INITIAL_SNAPSHOT = "Initial Snapshot"
INCREMENTAL_SNAPSHOT = "Incremental Snapshot"
MESSAGE_COLLECTION = (
    "io.debezium.connector.postgresql.LogicalDecodingMessageMonitor$LogicalDecodingMessageId@"
)
VERSION = "3.7.0.Final"
_US_PER_MS = 1000
_SCALE = re.compile(r"numeric\(\d+,(\d+)\)")
_encode = msgspec.json.encode


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a change log, before it has an offset."""

    key: bytes | None
    value: bytes
    headers: Headers


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a change stands: its transaction, the position before that, its own position.

    `order` and `table_order` number it in the transaction and in its table, from 1.
    """

    txid: int | None
    link: int | None
    lsn: int
    time_us: int
    order: int = 0
    table_order: int = 0


class RecordWriter:
    """Writes the records of one connector; `run` numbers its starts."""

    def __init__(self, prefix: str, database: str, epoch: int, run: int) -> None:
        self._prefix = prefix
        self._database = database
        self._notified = 0
        self._run = run
        self.plain_headers: Headers = [("epoch", str(epoch).encode())]
        self._row_headers: Headers = [
            ("__debezium.context.connectorLogicalName", prefix.encode()),
            ("__debezium.context.taskId", b"0"),
            ("__debezium.context.connectorName", b"postgresql"),
            ("__debezium.context.runId", f"{run:08x}-0000-7000-8000-000000000000".encode()),
            *self.plain_headers,
        ]
        self._shapes: dict[str, _Shape] = {}

    def write_row(
        self,
        operation: str,
        table: Table,
        row: Row,
        key: Key,
        place: Place,
        *,
        unavailable: tuple[str, ...] = (),
        other_key: tuple[str, Key] | None = None,
    ) -> LogRecord:
        """Write a created, updated or deleted row; `other_key` is (header, key) of a moved one."""
        shape = self._shape(table)
        if operation == "d":
            before, after = shape.encode_before(key), b"null"
        else:
            before, after = b"null", shape.encode_row(row, unavailable)
        headers = self._row_headers
        if other_key is not None:
            headers = [(other_key[0], shape.encode_key(other_key[1])), *headers]
        value = self._join(before, after, operation, table, place)
        return LogRecord(shape.encode_key(key), value, headers)

    def write_truncate(self, table: Table, place: Place) -> LogRecord:
        """Write that a table was truncated."""
        return LogRecord(None, self._join(b"null", b"null", "t", table, place), self._row_headers)

    def write_read(self, table: Table, row: Row, key: Key, place: Place, marker: str) -> LogRecord:
        """Write a row that a snapshot read; `marker` tells the first and the last of a table."""
        shape = self._shape(table)
        value = b'{"before":null,"after":%b,"source":%b,"transaction":null,"op":"r","ts_ms":%d}' % (
            shape.encode_row(row, ()),
            self._source(table.schema, table.name, place, marker),
            place.time_us // _US_PER_MS,
        )
        return LogRecord(shape.encode_key(key), value, self._row_headers)

    def write_begin(self, txid: int, lsn: int, time_us: int) -> LogRecord:
        """Write a transaction's beginning."""
        value = (
            f'{{"status":"BEGIN","id":"{txid}:{lsn}","event_count":null,'
            f'"data_collections":null,"ts_ms":{time_us // _US_PER_MS}}}'
        )
        return LogRecord(f'{{"id":"{txid}:{lsn}"}}'.encode(), value.encode(), self.plain_headers)

    def write_end(self, txid: int, lsn: int, time_us: int, counts: Mapping[str, int]) -> LogRecord:
        """Write a transaction's end; `counts` are its changes by collection."""
        collections = ",".join(
            f'{{"data_collection":"{name}","event_count":{count}}}'
            for name, count in counts.items()
        )
        value = (
            f'{{"status":"END","id":"{txid}:{lsn}","event_count":{sum(counts.values())},'
            f'"data_collections":[{collections}],"ts_ms":{time_us // _US_PER_MS}}}'
        )
        return LogRecord(f'{{"id":"{txid}:{lsn}"}}'.encode(), value.encode(), self.plain_headers)

    def write_message(self, message: WalMessage, stale_us: int) -> LogRecord:
        """Write a message outside transactions; its source's time is that of the last commit."""
        place = Place(None, message.lsn, message.lsn, stale_us)
        return self._message(message.prefix, message.content, place, b"null", message.time_us)

    def write_transactional_message(self, row: Row, place: Place) -> LogRecord:
        """Write a message inside a transaction."""
        return self._message(
            row["prefix"], row["content"], place, _transaction(place), place.time_us
        )

    def write_heartbeat(self, time_us: int) -> LogRecord:
        """Write a plain heartbeat."""
        key = f'{{"serverName":"{self._prefix}"}}'.encode()
        return LogRecord(key, b'{"ts_ms":%d}' % (time_us // _US_PER_MS), self.plain_headers)

    def write_notification(
        self, aggregate: str, type_: str, time_us: int, data: Mapping[str, str]
    ) -> LogRecord:
        """Write a notification about a snapshot."""
        self._notified += 1
        name = f"{self._run:08x}-0000-4000-8000-{self._notified:012x}"
        value = {
            "id": name,
            "type": type_,
            "aggregate_type": aggregate,
            "additional_data": {**data, "connector_name": self._prefix},
            "timestamp": time_us // _US_PER_MS,
        }
        return LogRecord(f'{{"id":"{name}"}}'.encode(), _encode(value), self.plain_headers)

    def _shape(self, table: Table) -> _Shape:
        shape = self._shapes.get(table.name)
        if shape is None or shape.table is not table:
            shape = self._shapes[table.name] = _Shape(table)
        return shape

    def _join(
        self, before: bytes, after: bytes, operation: str, table: Table, place: Place
    ) -> bytes:
        return b'{"before":%b,"after":%b,"source":%b,"transaction":%b,"op":"%b","ts_ms":%d}' % (
            before,
            after,
            self._source(table.schema, table.name, place),
            _transaction(place),
            operation.encode(),
            place.time_us // _US_PER_MS,
        )

    def _message(
        self, prefix: str, content: bytes, place: Place, transaction: bytes, time_us: int
    ) -> LogRecord:
        name = _encode(prefix)
        value = (
            b'{"op":"m","ts_ms":%d,"source":%b,"transaction":%b,'
            b'"message":{"prefix":%b,"content":"%b"}}'
            % (
                time_us // _US_PER_MS,
                self._source("", "", place),
                transaction,
                name,
                base64.b64encode(content),
            )
        )
        return LogRecord(b'{"prefix":%b}' % name, value, self.plain_headers)

    def _source(self, schema: str, table: str, place: Place, marker: str = "false") -> bytes:
        link = "null" if place.link is None else f'\\"{place.link}\\"'
        txid = "null" if place.txid is None else place.txid
        lsn = "null" if marker == "incremental" else place.lsn
        return (
            f'{{"version":"{VERSION}","connector":"postgresql","name":"{self._prefix}",'
            f'"ts_ms":{place.time_us // _US_PER_MS},"snapshot":"{marker}",'
            f'"db":"{self._database}","sequence":"[{link},\\"{place.lsn}\\"]",'
            f'"ts_us":{place.time_us},"ts_ns":{place.time_us}000,"schema":"{schema}",'
            f'"table":"{table}","txId":{txid},"lsn":{lsn},"xmin":null,"origin":null,'
            f'"origin_lsn":null}}'
        ).encode()


def _transaction(place: Place) -> bytes:
    return b'{"id":"%d:%d","total_order":%d,"data_collection_order":%d}' % (
        place.txid or 0,
        place.lsn,
        place.order,
        place.table_order,
    )


class _Shape:
    """How the rows of one table are written."""

    __slots__ = ("_defaults", "_key", "_names", "_special", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        self._names = {column.name: column.type for column in table.columns}
        self._key = table.key
        self._special = tuple(
            (column.name, special)
            for column in table.columns
            if (special := _SPECIAL.get(_base(column.type))) is not None
        )
        self._defaults = {
            column.name: None if column.nullable else _default_of(column.type)
            for column in table.columns
        }

    def encode_row(self, row: Row, unavailable: tuple[str, ...]) -> bytes:
        if not self._special and not unavailable:
            return _encode(row)
        document = self._convert(row)
        for name in unavailable:
            is_binary = self._names[name] == "bytea"
            document[name] = UNAVAILABLE.encode() if is_binary else UNAVAILABLE
        return _encode(document)

    def encode_key(self, key: Key) -> bytes:
        return _encode(self._convert(dict(zip(self._key, key, strict=True))))

    def encode_before(self, key: Key) -> bytes:
        known = self._convert(dict(zip(self._key, key, strict=True)))
        return _encode({**self._defaults, **known})

    def _convert(self, row: Row) -> dict[str, Any]:
        document = dict(row)
        for name, special in self._special:
            value = document.get(name)
            if value is not None:
                document[name] = special(value)
        return document


def _base(type_: str) -> str:
    return type_.partition("(")[0] if not type_.startswith("time") else type_


def _default_of(type_: str) -> Any:
    if match := _SCALE.fullmatch(type_):
        return str(Decimal(0).scaleb(-int(match.group(1))))
    return _DEFAULTS.get(_base(type_), "")


def _write_date(value: date) -> str:
    return f"{value.isoformat()}Z"


def _write_time(value: time) -> str:
    return _shorten(value.isoformat())


def _write_timestamp(value: datetime) -> str:
    return _shorten(value.isoformat())


def _shorten(text: str) -> str:
    return f"{text.rstrip('0') if '.' in text else text}Z"


def _write_zoned_timestamp(value: datetime) -> str:
    utc = value.astimezone(UTC) if value.tzinfo is not None else value
    return f"{utc.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _write_numeric(value: Decimal) -> str:
    return f"{value:f}"


_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "date": _write_date,
    "numeric": _write_numeric,
    "time without time zone": _write_time,
    "timestamp without time zone": _write_timestamp,
    "timestamp with time zone": _write_zoned_timestamp,
}
_DEFAULTS: dict[str, Any] = {
    "smallint": 0,
    "integer": 0,
    "bigint": 0,
    "boolean": False,
    "real": 0.0,
    "double precision": 0.0,
    "numeric": "0",
    "date": "1970-01-01Z",
    "time without time zone": "00:00:00Z",
    "timestamp without time zone": "1970-01-01T00:00:00Z",
    "timestamp with time zone": "1970-01-01T00:00:00Z",
}
