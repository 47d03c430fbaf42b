"""Typed rows: a msgspec Struct per legacy table, decoded from a change or loaded from the mirror.

Enters: a table's definition and raw images. Leaves: rows whose values compare equal however they
came: timestamps are aware UTC, dates `date`, numerics `Decimal`, character(n) keep their blanks.
"""

from __future__ import annotations

import keyword
import re
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from adapters.envelope import UNAVAILABLE
from pipeline.errors import Configuration, Poison

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.aggregate import Key, Row
    from legacy_db.definition import Column, Table


class LegacyDate(date):
    """A `date` column; Debezium writes it as `2026-02-02Z`, which is not ISO for a date alone."""


class LegacyTime(str):
    """A `time` column, as text without the zone mark that Debezium adds."""

    __slots__ = ()


_PLAIN: dict[str, type] = {
    "smallint": int,
    "integer": int,
    "bigint": int,
    "numeric": Decimal,
    "real": float,
    "double precision": float,
    "boolean": bool,
    "text": str,
    "character varying": str,
    "character": str,
    "date": LegacyDate,
    "timestamp without time zone": datetime,
    "timestamp with time zone": datetime,
    "time without time zone": LegacyTime,
    "bytea": bytes,
}
_AS_TEXT = frozenset({"uuid", "json", "jsonb", "inet", "cidr", "macaddr", "xml", "citext"})
_MODIFIER = re.compile(r"\(.*?\)")
_PLACEHOLDER_BYTES = UNAVAILABLE.encode()


def _decode_special(type_: type, value: Any) -> Any:
    if type_ is LegacyDate and isinstance(value, str):
        return LegacyDate.fromisoformat(value.removesuffix("Z"))
    if type_ is LegacyTime and isinstance(value, str):
        return LegacyTime(value.removesuffix("Z"))
    raise NotImplementedError(type_)


class Gaps(NamedTuple):
    """Attributes without a value in an image: not sent as unchanged, or of no column then."""

    unavailable: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()


class TableCodec:
    """Decodes the rows of one table; see `pipeline.translate.rows` for what the values are."""

    def __init__(self, table: Table) -> None:
        if not table.key:
            raise Configuration(
                f"{table.schema}.{table.name} has no primary key: rows can't be told apart; leave "
                "it out of the declaration or give it a key"
            )
        self.table = table
        self.name = table.name
        self.columns = tuple(column.name for column in table.columns)
        self.attributes = dict(zip(self.columns, map(_attribute, self.columns), strict=True))
        self.types = [_python_type(table, column) for column in table.columns]
        fields = [
            (self.attributes[column], type_ | None)
            for column, type_ in zip(self.columns, self.types, strict=True)
        ]
        renames = {a: c for c, a in self.attributes.items() if a != c}
        self.row_type: Any = msgspec.defstruct(
            table.name.title().replace("_", "") or "Row",
            fields,
            frozen=True,
            forbid_unknown_fields=True,
            rename=renames or None,
            gc=False,
        )
        self.key_of = self.getter(table.key)
        self.key_positions = tuple(self.columns.index(name) for name in table.key)
        self._decoder = msgspec.json.Decoder(self.row_type, dec_hook=_decode_special)
        key_types = {name: self.types[self.columns.index(name)] for name in table.key}
        key_type = msgspec.defstruct(
            "Key",
            [(self.attributes[name], key_types[name]) for name in table.key],
            rename=renames or None,
        )
        self._key_decoder = msgspec.json.Decoder(key_type, dec_hook=_decode_special)
        self._json_key_type: Any = tuple[tuple(key_types[name] for name in table.key)]  # type: ignore[misc]

    def getter(self, columns: tuple[str, ...]) -> Callable[[Row], Key]:
        """Make a function from a row to the tuple of its values in `columns`."""
        if len(columns) == 1:
            single = attrgetter(self.attributes[columns[0]])
            return lambda row: (single(row),)
        return attrgetter(*(self.attributes[column] for column in columns))

    def decode(self, raw: bytes) -> Row:
        """Decode an image that has every column; Poison names the column that does not fit."""
        try:
            return self._decoder.decode(raw)
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            raise Poison(f"table {self.name}: a row that does not fit: {_short(error)}") from error

    def decode_partly(self, raw: bytes, *, lenient: bool) -> tuple[Row, Gaps]:
        """Decode an image in which columns have no value; say which.

        With `lenient` the image may be one of an earlier or later definition: columns that it
        does not have are absent, and those that the table does not have are passed over.
        """
        try:
            document = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise Poison(f"table {self.name}: a row that is not JSON: {error}") from error
        if not lenient and document.keys() != self.attributes.keys():
            raise Poison(f"table {self.name}: a row with other columns than the definition")
        values: dict[str, Any] = dict.fromkeys(self.columns)
        unavailable, absent = set(), set()
        for column, type_ in zip(self.columns, self.types, strict=True):
            value = document.get(column)
            if column not in document:
                absent.add(self.attributes[column])
            elif value == UNAVAILABLE or (type_ is bytes and _is_unavailable_bytes(value)):
                unavailable.add(self.attributes[column])
            else:
                values[column] = value
        try:
            row = msgspec.convert(values, self.row_type, dec_hook=_decode_special)
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            raise Poison(f"table {self.name}: a row that does not fit: {_short(error)}") from error
        return row, Gaps(frozenset(unavailable), frozenset(absent))

    def decode_key(self, raw: bytes) -> Key:
        """Decode a record's key; Poison when it lacks a column."""
        try:
            return msgspec.structs.astuple(self._key_decoder.decode(raw))
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            raise Poison(f"table {self.name}: a key that does not fit: {_short(error)}") from error

    def decode_json_key(self, raw: bytes) -> Key:
        """Decode a key that `encode_json_key` wrote (a JSON array)."""
        key: Key = msgspec.json.decode(raw, type=self._json_key_type, dec_hook=_decode_special)
        return key

    def make_row(self, values: tuple[Any, ...]) -> Row:
        """Make a row of values loaded with `select_list`."""
        return self.row_type(*values)

    def complete(self, row: Row, gaps: Gaps, old: Row | None) -> Row:
        """Fill what was not sent from the row before.

        Poison when there is none and a value was left out as unchanged; a column that the table did
        not have yet stays null.
        """
        if old is not None:
            filled = {name: getattr(old, name) for name in gaps.unavailable | gaps.absent}
            return msgspec.structs.replace(row, **filled)
        if gaps.unavailable:
            raise Poison(
                f"table {self.name}: the unchanged value of "
                f"{', '.join(sorted(gaps.unavailable))} is not in the mirror: take a snapshot of "
                "the table again"
            )
        return row

    def select_list(self, alias: str) -> str:
        """Return the SQL expressions that load a row for `make_row`."""
        return ", ".join(
            _load_expression(f'{alias}."{_quote(column.name)}"', column)
            for column in self.table.columns
        )


def encode_json_key(key: Key) -> bytes:
    """Encode a key as a JSON array; equal keys give equal bytes."""
    return msgspec.json.encode(key)


def base_type(type_: str) -> str:
    """Strip length, precision and scale: `numeric(12,2)` is `numeric`."""
    return _MODIFIER.sub("", type_)


def _python_type(table: Table, column: Column) -> Any:
    base = base_type(column.type)
    if base in _PLAIN:
        return _PLAIN[base]
    if base in _AS_TEXT:
        return str
    raise Configuration(
        f"{table.schema}.{table.name}.{column.name} is of type {column.type}, which this version "
        "can't mirror: leave the table out of the declaration"
    )


def _load_expression(quoted: str, column: Column) -> str:
    base = base_type(column.type)
    if base == "timestamp without time zone":
        return f"{quoted} at time zone 'UTC'"  # aware UTC, as the log has it
    if base in _AS_TEXT or base == "time without time zone":
        return f"{quoted}::text"
    return quoted


def _attribute(column: str) -> str:
    name = re.sub(r"\W", "_", column)
    if not name or name[0].isdigit() or keyword.iskeyword(name):
        name = f"{name}_" if name and not name[0].isdigit() else f"c_{name}"
    return name


def _quote(name: str) -> str:
    return name.replace('"', '""')


def _is_unavailable_bytes(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return msgspec.convert(value, bytes) == _PLACEHOLDER_BYTES
    except msgspec.MsgspecError:
        return False


def _short(error: Exception) -> str:
    """Keep the path and the reason of a decoding error; never a value."""
    return str(error).splitlines()[0][:200]
