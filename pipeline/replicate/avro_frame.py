"""Decodes a whole batch of Avro bodies of one schema at once, with polars.

Enters: bodies. Leaves: a frame equal to what fastavro reads one by one, or None when any body is
not as it should be. The bodies become one Avro container; a random number after each body, which
must be read again where it was put, proves that no body ran into its neighbour.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

_END = "isthmus_end"
_PRIMITIVES = frozenset({"boolean", "int", "long", "float", "double", "string", "bytes"})
_DAY_MS = 86_400_000
_DAYS = (-719_162, 2_932_896)
"""The days from 0001-01-01 to 9999-12-31, which is what Python and SQL know."""
_LOGICAL: dict[tuple[Any, Any], tuple[int, int]] = {
    ("int", "date"): _DAYS,
    ("int", "time-millis"): (0, _DAY_MS * 1_000_000 - 1),  # polars counts times in nanoseconds
    ("long", "time-micros"): (0, _DAY_MS * 1_000_000 - 1),
    ("long", "timestamp-millis"): (_DAYS[0] * _DAY_MS, (_DAYS[1] + 1) * _DAY_MS - 1),
    ("long", "timestamp-micros"): (_DAYS[0] * _DAY_MS * 1000, (_DAYS[1] + 1) * _DAY_MS * 1000 - 1),
}
_LOGICAL |= {
    ("long", f"local-{name}"): limits
    for (_, name), limits in _LOGICAL.items()
    if name.startswith("timestamp")
}
"""The logical types that polars reads, and the range of their physical values."""
_DECIMAL_DIGITS_MAX = 38
"""The digits that a polars decimal can hold."""


class _Unsupported(Exception):  # noqa: N818 - a signal inside this module
    """This schema is for the row-wise decoder."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A type as polars is told it, what makes the logical value of its, and what must be true."""

    kind: Any
    convert: pl.Expr | None = None
    check: pl.Expr | None = None


class FrameDecoder:
    """Decodes bodies of the schema `writer` into the fields of the schema `reader`."""

    def __init__(
        self, written: Mapping[str, _Column], select: Sequence[pl.Expr], checks: Sequence[pl.Expr]
    ) -> None:
        self._sentinel = 2**62 + secrets.randbits(60)
        self._mark = _encode_long(self._sentinel)
        self._sync = secrets.token_bytes(16)
        self._select = list(select)
        self._check = pl.all_horizontal(
            pl.col(_END) == self._sentinel, *(one.fill_null(value=True) for one in checks)
        )
        fields = [{"name": name, "type": column.kind} for name, column in written.items()]
        self._head = self._make_head([*fields, {"name": _END, "type": "long"}])

    @classmethod
    def make(cls, writer: Mapping[str, Any], reader: Mapping[str, Any]) -> FrameDecoder | None:
        """Make a decoder; None when the schemas need the row-wise one."""
        try:
            written = _make_columns(writer["fields"])
            wanted = _make_columns(reader["fields"])
            select = [_select_field(one, wanted[one["name"]], written) for one in reader["fields"]]
        except _Unsupported:
            return None
        checks = [one.check for one in written.values() if one.check is not None]
        return cls(written, select, checks)

    def decode(self, bodies: Sequence[bytes]) -> pl.DataFrame | None:
        """Decode bodies, one row each; None when any of them can't be decoded."""
        try:
            frame = pl.read_avro(io.BytesIO(self._make_container(bodies)))
            right = frame.select(self._check.all()).item()
            if frame.height != len(bodies) or not right:
                return None
            return frame.select(self._select)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return None  # the row-wise decoder says which body, and why

    def _make_head(self, fields: Sequence[Mapping[str, Any]]) -> bytes:
        schema = json.dumps({"type": "record", "name": "batch", "fields": list(fields)}).encode()
        meta = [(b"avro.schema", schema), (b"avro.codec", b"null")]
        pairs = b"".join(_encode_bytes(name) + _encode_bytes(value) for name, value in meta)
        return b"Obj\x01" + _encode_long(len(meta)) + pairs + _encode_long(0) + self._sync

    def _make_container(self, bodies: Sequence[bytes]) -> bytes:
        block = self._mark.join(bodies) + self._mark
        sizes = _encode_long(len(bodies)) + _encode_long(len(block))
        return b"".join((self._head, sizes, block, self._sync))


def _select_field(
    reader: Mapping[str, Any], wanted: _Column, written: Mapping[str, _Column]
) -> pl.Expr:
    name = reader["name"]
    known = written.get(name)
    if known is None:
        if "default" not in reader or reader["default"] is not None:
            raise _Unsupported
        return pl.lit(None).alias(name)
    if known.kind != wanted.kind:
        raise _Unsupported
    return pl.col(name) if known.convert is None else known.convert.alias(name)


def _make_columns(fields: Sequence[Mapping[str, Any]]) -> dict[str, _Column]:
    names: dict[str, Any] = {}
    return {
        one["name"]: _make_column(one["type"], pl.col(one["name"]), names, nested=False)
        for one in fields
    }


def _make_column(kind: Any, value: pl.Expr, names: dict[str, Any], *, nested: bool) -> _Column:
    if isinstance(kind, list):
        if len(kind) != 2 or kind[0] != "null":  # noqa: PLR2004 - null and one more
            raise _Unsupported
        inner = _make_column(kind[1], value, names, nested=nested)
        return _Column(["null", inner.kind], inner.convert, inner.check)
    if isinstance(kind, str) and kind not in _PRIMITIVES:
        if kind not in names:
            raise _Unsupported
        return _make_column(names[kind], value, names, nested=nested)
    if isinstance(kind, str):
        return _Column(kind, value.cast(pl.Float64) if kind == "float" else None)
    return _make_complex(kind, value, names, nested=nested)


def _make_complex(
    kind: Mapping[str, Any], value: pl.Expr, names: dict[str, Any], *, nested: bool
) -> _Column:
    name, logical = kind["type"], kind.get("logicalType")
    if "name" in kind:
        _remember(kind, names)
    if name == "enum":
        symbols = list(kind["symbols"])
        convert = value.replace_strict(range(len(symbols)), symbols, return_dtype=pl.String)
        return _Column({"type": "int", "symbols": symbols}, convert)  # symbols: to be compared
    if name == "array" and not nested:
        return _make_array(kind["items"], value, names)
    if name == "bytes" and logical == "decimal":
        return _make_decimal(kind, value)
    if (name, logical) in _LOGICAL:
        check = value.to_physical().is_between(*_LOGICAL[name, logical])
        return _Column({"type": name, "logicalType": logical}, check=check)
    if name in _PRIMITIVES and (logical is None or (name, logical) == ("string", "uuid")):
        return _make_column(name, value, names, nested=nested)
    raise _Unsupported


def _make_decimal(kind: Mapping[str, Any], value: pl.Expr) -> _Column:
    precision, scale = kind["precision"], kind.get("scale", 0)
    if precision > _DECIMAL_DIGITS_MAX:
        raise _Unsupported
    most = pl.lit(Decimal(f"{'9' * precision}e-{scale}"), dtype=pl.Decimal(precision, scale))
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    return _Column(decimal, check=value.is_between(-most, most))


def _make_array(items: Any, value: pl.Expr, names: dict[str, Any]) -> _Column:
    if isinstance(items, str):
        items = names.get(items)
    if not isinstance(items, Mapping) or items.get("type") != "record":
        raise _Unsupported
    _remember(items, names)
    columns = {
        one["name"]: _make_column(
            one["type"], pl.element().struct.field(one["name"]), names, nested=True
        )
        for one in items["fields"]
    }
    fields = [{"name": name, "type": column.kind} for name, column in columns.items()]
    record = {"type": "record", "name": items["name"], "fields": fields}
    converts = [
        column.convert.alias(name) for name, column in columns.items() if column.convert is not None
    ]
    checks = [
        column.check.fill_null(value=True)
        for column in columns.values()
        if column.check is not None
    ]
    return _Column(
        {"type": "array", "items": record},
        value.list.eval(pl.element().struct.with_fields(converts)) if converts else None,
        value.list.eval(pl.all_horizontal(checks)).list.all() if checks else None,
    )


def _remember(kind: Mapping[str, Any], names: dict[str, Any]) -> None:
    """Make a named type known by its name and full name (the container has it written out)."""
    names[kind["name"]] = kind
    if kind.get("namespace"):
        names[f"{kind['namespace']}.{kind['name']}"] = kind


def _encode_long(number: int) -> bytes:
    """Encode as Avro does: zigzag, seven bits a byte."""
    rest = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while rest & ~0x7F:
        encoded.append((rest & 0x7F) | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _encode_bytes(value: bytes) -> bytes:
    return _encode_long(len(value)) + value
