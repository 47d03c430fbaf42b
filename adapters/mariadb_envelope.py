"""Decodes one record of a MariaDB change log: rows, BEGIN and END, DDL, heartbeats, notifications.

Enters: the bytes of a record as Debezium's MariaDB connector writes them (JSON without embedded
schemas). Leaves: one of a closed set of values; a row's `lsn` is its place in the binary log.
"""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.binlog_position import Gtid, make_position, parse_gtid
from adapters.envelope import Headers, Heartbeat, Notification, RowChange
from adapters.errors import Poison
from adapters.mariadb_schema_change import SchemaChange, TableChange, make_schema_change

_INCREMENTAL = "incremental"
_NULL = msgspec.Raw(b"null")


class GtidBegin(msgspec.Struct, frozen=True, gc=False):
    """A transaction or DDL statement begins, of whatever table or database of the server."""

    gtid: Gtid


class GtidEnd(msgspec.Struct, frozen=True, gc=False):
    """A transaction ends, after `event_count` rows since the last BEGIN of it."""

    gtid: Gtid
    event_count: int


MariaDBRecord = RowChange | GtidBegin | GtidEnd | SchemaChange | Heartbeat | Notification


class _Source(msgspec.Struct, gc=False):
    table: str | None = None
    file: str | None = None
    pos: int = 0
    row: int = 0
    ts_us: int = 0
    snapshot: str | None = None


class _Transaction(msgspec.Struct, gc=False):
    id: str
    total_order: int


class _Envelope(msgspec.Struct, gc=False):
    op: str | None = None
    source: _Source | None = None
    before: msgspec.Raw = _NULL
    after: msgspec.Raw = _NULL
    transaction: _Transaction | None = None
    status: str | None = None
    id: str | None = None
    event_count: int | None = None
    ddl: str | None = None
    table_changes: list[TableChange] = msgspec.field(default_factory=list, name="tableChanges")
    aggregate_type: str | None = None
    type: str | None = None
    additional_data: dict[str, str] | None = None
    ts_ms: int | None = None


_decoder = msgspec.json.Decoder(_Envelope)
_ROW_OPERATIONS = frozenset("cudtr")


def decode_mariadb_change(
    value: bytes | None, key: bytes | None, _headers: Headers | None
) -> MariaDBRecord:
    """Decode one record; Poison says what is wrong with it."""
    if value is None:
        raise Poison("a record without a value: a change log holds none (tombstones are off)")
    try:
        envelope = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Poison(f"not a change event: {error}") from error
    if envelope.op is not None:
        return _make_row(envelope, envelope.op, key)
    return _make_other(envelope)


def _make_row(envelope: _Envelope, operation: str, key: bytes | None) -> RowChange:
    source, transaction = envelope.source, envelope.transaction
    if operation not in _ROW_OPERATIONS:
        raise Poison(f"a change event of unknown operation {operation!r}")
    if source is None or source.table is None:
        raise Poison(f"a change event (op {operation!r}) without source.table")
    incremental = operation == "r" and source.snapshot == _INCREMENTAL
    if source.file is None and not incremental:
        raise Poison(f"a change event (op {operation!r}) without source.file")
    sequence, order = None, 0
    if transaction is not None:
        sequence, order = parse_gtid(transaction.id).sequence, transaction.total_order
    return RowChange(
        table=source.table,
        operation=operation,
        key=key,
        after=_image(envelope.after),
        before=_image(envelope.before),
        txid=sequence,
        order=order,
        link=None,
        lsn=0 if incremental or source.file is None else make_position(source.file, source.pos),
        time_us=source.ts_us,
        incremental=incremental,
        row=source.row,
    )


def _make_other(envelope: _Envelope) -> MariaDBRecord:
    if envelope.status is not None and envelope.id is not None:
        gtid = parse_gtid(envelope.id)
        if envelope.status == "BEGIN":
            return GtidBegin(gtid)
        if envelope.status == "END" and envelope.event_count is not None:
            return GtidEnd(gtid, envelope.event_count)
    if envelope.ddl is not None:
        return make_schema_change(envelope.ddl, envelope.table_changes, _is_read(envelope.source))
    if envelope.aggregate_type is not None and envelope.type is not None:
        return Notification(envelope.aggregate_type, envelope.type, envelope.additional_data or {})
    if envelope.ts_ms is not None and envelope.status is None and envelope.id is None:
        return Heartbeat()
    raise Poison("neither a row, a transaction's mark, DDL, a heartbeat nor a notification")


def _is_read(source: _Source | None) -> bool:
    return source is not None and source.snapshot not in {None, "false"}


def _image(raw: msgspec.Raw) -> bytes | None:
    image: Any = bytes(raw)
    return None if image == b"null" else image
