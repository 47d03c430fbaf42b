"""Decodes one record of a change log: rows, BEGIN and END, messages, heartbeats, notifications.

Enters: the bytes of a record as Debezium 3.7 writes them (JSON without embedded schemas). Leaves:
one of a closed set of values; rows keep their images as raw JSON, decoded where they are needed.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from adapters.errors import Poison
from adapters.position import parse_transaction_id

UNAVAILABLE = "__isthmus_unavailable_value__"
"""Stands for an unchanged out-of-line value; declared as unavailable.value.placeholder."""

_MARK = UNAVAILABLE.encode()
# as a bytea column has it, without padding
_MARK_OF_BYTES = base64.b64encode(_MARK)[:36]
# as an array of whole numbers has it, and one of UUIDs
_MARK_OF_NUMBERS = ",".join(map(str, _MARK)).encode()
_MARK_OF_UUIDS = str(
    UUID(bytes=hashlib.md5(_MARK, usedforsecurity=False).digest(), version=3)
).encode()
_INCREMENTAL = "incremental"
_OLD_KEY_HEADER = "__debezium.oldkey"
Headers = Any
"""A record's headers as confluent_kafka gives them: a list of (name, bytes)."""

_NULL = msgspec.Raw(b"null")


class RowChange(msgspec.Struct, frozen=True, gc=False):
    """A row was created (c), updated (u), deleted (d), truncated (t) or read by a snapshot (r).

    `key`, `old_key` and `after` are raw JSON; `key` is None for a table without a key and for t;
    `link` is the position before this row's transaction; `unavailable` says that `after` holds
    the placeholder of an unchanged value; `txid` and `order` are None for r. An `incremental` r
    tells no position (`lsn` is 0): it is as of its place in the log. `row` is its number within
    what stands at `lsn`, where that tells one.
    """

    table: str
    operation: str
    key: bytes | None
    after: bytes | None
    before: bytes | None
    txid: int | None
    order: int
    link: int | None
    lsn: int
    time_us: int
    unavailable: bool = False
    old_key: bytes | None = None
    incremental: bool = False
    row: int = 0


def digest_row(row: RowChange) -> bytes:
    """Digest what a row says, and its position: sent again, it gives the same 16 bytes.

    Not its order nor its link: a connector that started again may number and link it anew.
    """
    digest = blake2b(f"{row.operation} {row.table} {row.lsn}".encode(), digest_size=16)
    for image in (row.key, row.before, row.after):
        digest.update(b"-" if image is None else b"%d:%b" % (len(image), image))
    return digest.digest()


class Begin(msgspec.Struct, frozen=True, gc=False):
    """A transaction begins."""

    txid: int


class End(msgspec.Struct, frozen=True, gc=False):
    """A transaction ends at position `lsn`, after `event_count` rows and messages."""

    txid: int
    lsn: int
    event_count: int


class LogicalMessage(msgspec.Struct, frozen=True, gc=False):
    """A message of pg_logical_emit_message; `txid` None when it is outside transactions."""

    prefix: str
    content: bytes
    txid: int | None
    order: int
    link: int | None
    lsn: int
    time_us: int


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """The connector is alive; says nothing of positions."""


class Notification(msgspec.Struct, frozen=True, gc=False):
    """Debezium tells of a snapshot: `type` is STARTED, TABLE_SCAN_COMPLETED, COMPLETED, ..."""

    aggregate_type: str
    type: str
    data: dict[str, str]


ChangeRecord = RowChange | Begin | End | LogicalMessage | Heartbeat | Notification


class _Source(msgspec.Struct, gc=False):
    table: str = ""
    lsn: int | None = None
    sequence: str | None = None
    ts_us: int = 0
    snapshot: str | None = None


class _Transaction(msgspec.Struct, gc=False):
    id: str
    total_order: int


class _Message(msgspec.Struct, gc=False):
    prefix: str
    content: str = ""


class _Envelope(msgspec.Struct, gc=False):
    op: str | None = None
    source: _Source | None = None
    before: msgspec.Raw = _NULL
    after: msgspec.Raw = _NULL
    transaction: _Transaction | None = None
    message: _Message | None = None
    status: str | None = None
    id: str | None = None
    event_count: int | None = None
    aggregate_type: str | None = None
    type: str | None = None
    additional_data: dict[str, str] | None = None
    ts_ms: int | None = None


_decoder = msgspec.json.Decoder(_Envelope)
_ROW_OPERATIONS = frozenset("cudtr")


def decode_change(value: bytes | None, key: bytes | None, headers: Headers | None) -> ChangeRecord:
    """Decode one record; Poison says what is wrong with it.

    Only a row with an unavailable value needs `headers` (for the key that it had before).
    """
    if value is None:
        raise Poison("a record without a value: a change log holds none (tombstones are off)")
    try:
        envelope = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Poison(f"not a change event: {error}") from error
    operation = envelope.op
    if operation is not None:
        source = envelope.source
        if operation == "r" and source is not None and source.snapshot == _INCREMENTAL:
            return _make_row(envelope, source, 0, key, headers, incremental=True)
        if source is None or source.lsn is None:
            raise Poison(f"a change event (op {operation!r}) without source.lsn")
        if operation in _ROW_OPERATIONS:
            return _make_row(envelope, source, source.lsn, key, headers)
        if operation == "m" and envelope.message is not None:
            return _make_message(envelope, source, source.lsn, envelope.message)
        raise Poison(f"a change event of unknown operation {operation!r}")
    return _make_other(envelope)


def read_epoch(headers: Headers | None) -> int | None:
    """Read the epoch that the connector's declaration puts into every record's headers."""
    for name, value in headers or ():
        if name == "epoch":
            try:
                return int(value)
            except ValueError:
                return None
    return None


def _make_row(
    envelope: _Envelope,
    source: _Source,
    lsn: int,
    key: bytes | None,
    headers: Headers | None,
    *,
    incremental: bool = False,
) -> RowChange:
    transaction = envelope.transaction
    after = _image(envelope.after)
    unavailable = after is not None and (
        _MARK in after
        or _MARK_OF_BYTES in after
        or (b"[" in after and (_MARK_OF_NUMBERS in after or _MARK_OF_UUIDS in after))
    )
    old_key = None
    if unavailable:
        old_key = next((v for name, v in headers or () if name == _OLD_KEY_HEADER), None)
    return RowChange(
        table=source.table,
        operation=envelope.op or "",
        key=key,
        after=after,
        before=_image(envelope.before),
        txid=parse_transaction_id(transaction.id)[0] if transaction is not None else None,
        order=transaction.total_order if transaction is not None else 0,
        link=_parse_link(source.sequence),
        lsn=lsn,
        time_us=source.ts_us,
        unavailable=unavailable,
        old_key=old_key,
        incremental=incremental,
    )


def _make_message(
    envelope: _Envelope, source: _Source, lsn: int, message: _Message
) -> LogicalMessage:
    transaction = envelope.transaction
    try:
        content = base64.b64decode(message.content)
    except ValueError as error:
        raise Poison(f"a logical message whose content is not base64: {error}") from error
    return LogicalMessage(
        prefix=message.prefix,
        content=content,
        txid=parse_transaction_id(transaction.id)[0] if transaction is not None else None,
        order=transaction.total_order if transaction is not None else 0,
        link=_parse_link(source.sequence),
        lsn=lsn,
        # outside transactions source.ts_us is that of the last commit: ts_ms is the message's own
        time_us=source.ts_us if transaction is not None else (envelope.ts_ms or 0) * 1000,
    )


def _make_other(envelope: _Envelope) -> ChangeRecord:
    if envelope.status is not None and envelope.id is not None:
        txid, lsn = parse_transaction_id(envelope.id)
        if envelope.status == "BEGIN":
            return Begin(txid)
        if envelope.status == "END" and envelope.event_count is not None:
            return End(txid, lsn, envelope.event_count)
    if envelope.aggregate_type is not None and envelope.type is not None:
        return Notification(envelope.aggregate_type, envelope.type, envelope.additional_data or {})
    if envelope.ts_ms is not None and envelope.status is None and envelope.id is None:
        return Heartbeat()
    raise Poison("neither a row, a transaction's mark, a message, a heartbeat nor a notification")


def _image(raw: msgspec.Raw) -> bytes | None:
    image = bytes(raw)
    return None if image == b"null" else image


def _parse_link(sequence: str | None) -> int | None:
    if sequence is None or sequence.startswith("[null"):
        return None
    try:
        # ["28724176","28724424"]: a full JSON decode costs more than the rest of the envelope
        return int(sequence.split('"', 2)[1])
    except (IndexError, ValueError) as error:
        raise Poison(f"source.sequence {sequence[:80]!r} is not a pair of positions") from error


def make_time(time_us: int) -> datetime:
    """Make a UTC time of microseconds since the epoch."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)
