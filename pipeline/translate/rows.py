"""Typed rows: a msgspec Struct per legacy table, decoded from a change or loaded from the mirror.

Enters: a table's definition and raw images. Leaves: rows whose values compare equal however they
came: timestamps are aware UTC, dates `date`, numerics `Decimal`, character(n) keep their blanks.
"""

from __future__ import annotations

import keyword
import re
from datetime import datetime
from hashlib import md5
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, get_origin
from uuid import UUID

import msgspec

from adapters.envelope import UNAVAILABLE
from pipeline.errors import Configuration, Poison
from pipeline.translate.row_types import (
    ZERO_MOMENT,
    element_type,
    load_expression,
    python_types,
    zero_moments,
)
from pipeline.translate.row_values import (
    LegacyDate,
    LegacyHstore,
    LegacyOpaque,
    canonical_text,
    decode_outlier,
    decode_special,
    encode_special,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.aggregate import Key, Row
    from legacy_db.definition import Table


_PLACEHOLDER_BYTES = UNAVAILABLE.encode()
_PLACEHOLDER_LISTS = (
    [UNAVAILABLE],
    list(_PLACEHOLDER_BYTES),
    [str(UUID(bytes=md5(_PLACEHOLDER_BYTES, usedforsecurity=False).digest(), version=3))],
)
"""How Debezium marks an unchanged array: of texts, of whole numbers or dates, of UUIDs."""
_STRANGE = re.compile(r'["\\%\x00-\x1f]')
_OWN_COLUMNS = frozenset({"_epoch", "_lsn", "_snapshot", "_deleted"})
COLUMNS_MAX = 1600 - len(_OWN_COLUMNS)
"""PostgreSQL's limit for the mirror's staging table."""


class Gaps(NamedTuple):
    """Attributes without a value in an image: not sent as unchanged, or of no column then."""

    unavailable: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()


class TableCodec:
    """Decodes the rows of one table; see `pipeline.translate.rows` for what the values are.

    `missing` are the values, by column, of rows that are older than the column; `former` the names,
    by column, that it had before.
    """

    def __init__(
        self,
        table: Table,
        missing: Mapping[str, Any] | None = None,
        former: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        _refuse_table(table)
        self.table = table
        self.name = table.name
        self.missing = dict(missing or {})
        self.former = dict(former or {})
        self.columns = tuple(column.name for column in table.columns)
        self.attributes = _attributes(self.columns)
        self.types = python_types(table)
        self.has_moment_arrays = any(
            get_origin(type_) is list and element_type(type_) in (datetime, LegacyDate)
            for type_ in self.types
        )
        fields = [
            (self.attributes[column], type_ | None)
            for column, type_ in zip(self.columns, self.types, strict=True)
        ]
        renames = {a: c for c, a in self.attributes.items() if a != c}
        self.row_type: Any = msgspec.defstruct(
            re.sub(r"\W", "", table.name.title().replace("_", "")) or "Row",
            fields,
            frozen=True,
            forbid_unknown_fields=True,
            rename=renames or None,
            gc=False,
        )
        self.key_of = self.getter(table.key)
        self.key_positions = tuple(self.columns.index(name) for name in table.key)
        self._zero_moments = zero_moments(table, self.attributes)
        self._decoder = msgspec.json.Decoder(self.row_type, dec_hook=decode_special)
        self._key_types = [self.types[position] for position in self.key_positions]
        key_type = msgspec.defstruct(
            "Key",
            list(zip(map(self.attributes.__getitem__, table.key), self._key_types, strict=True)),
            rename=renames or None,
        )
        self._key_decoder = msgspec.json.Decoder(key_type, dec_hook=decode_special)
        self._json_key_type: Any = tuple[tuple(self._key_types)]  # type: ignore[misc]

    def getter(self, columns: tuple[str, ...]) -> Callable[[Row], Key]:
        """Make a function from a row to the tuple of its values in `columns`."""
        if len(columns) == 1:
            single = attrgetter(self.attributes[columns[0]])
            return lambda row: (single(row),)
        return attrgetter(*(self.attributes[column] for column in columns))

    def decode(self, raw: bytes) -> Row:
        """Decode an image that has every column; Poison names the column that does not fit."""
        try:
            row = self._decoder.decode(raw)
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            document = self._parse(raw)
            if not self._is_whole(document):
                message = f"table {self.name}: a row that does not fit: {_short(error)}"
                raise Poison(message) from error
            row = self.row_type(*self._convert(document))
        return self._null_zeros(row) if self._zero_moments else row

    def _null_zeros(self, row: Row) -> Row:
        """Take MariaDB's zero timestamps for null, as its snapshots do."""
        zeros = {name: None for name in self._zero_moments if getattr(row, name) == ZERO_MOMENT}
        return msgspec.structs.replace(row, **zeros) if zeros else row

    def decode_partly(self, raw: bytes, *, lenient: bool) -> tuple[Row, Gaps]:
        """Decode an image in which columns have no value; say which.

        With `lenient` the image may be one of an earlier or later definition: columns that it
        does not have are absent, and those that the table does not have are passed over.
        """
        document = self._parse(raw)
        if not lenient and not self._is_whole(document):
            raise Poison(f"table {self.name}: a row with other columns than the definition")
        if lenient:
            self._take_former_names(document)
        unavailable, absent = set(), set()
        for column, type_ in zip(self.columns, self.types, strict=True):
            if column not in document:
                absent.add(self.attributes[column])
            elif _is_unavailable(document[column], type_):
                unavailable.add(self.attributes[column])
                document[column] = None
        row = self._null_zeros(self.row_type(*self._convert(document, lenient=lenient)))
        return row, Gaps(frozenset(unavailable), frozenset(absent))

    def _take_former_names(self, document: dict[str, Any]) -> None:
        """Give the values of an earlier definition's image to the columns of other names now."""
        for column, names in self.former.items():
            if column not in document:
                old = next((name for name in names if name in document), None)
                if old is not None:
                    document[column] = document[old]

    def _parse(self, raw: bytes) -> dict[str, Any]:
        try:
            return msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise Poison(f"table {self.name}: a row that is not JSON: {error}") from error

    def _is_whole(self, document: Mapping[str, Any]) -> bool:
        """Say whether an image has the definition's columns; generated ones may stand in it."""
        other = document.keys() ^ self.attributes.keys()
        return other <= {*self.table.generated}

    def _convert(self, document: Mapping[str, Any], *, lenient: bool = False) -> list[Any]:
        """Convert an image column by column, with the values that only some rows hold."""
        values = []
        for column, type_ in zip(self.columns, self.types, strict=True):
            value = document.get(column)
            try:
                if value is not None:
                    value = _convert_value(type_, value, lenient=lenient)
                values.append(value)
            except (
                msgspec.MsgspecError,
                ValueError,
                ArithmeticError,
                TypeError,
                KeyError,
            ) as error:
                raise Poison(
                    f"table {self.name}: a row that does not fit: column {column}: not a value of "
                    f"type {self.table.column(column).type}"
                ) from error
        return values

    def decode_key(self, raw: bytes) -> Key:
        """Decode a record's key; Poison when it lacks a column."""
        try:
            return msgspec.structs.astuple(self._key_decoder.decode(raw))
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            try:
                document = self._parse(raw)
                return self._convert_key([document[name] for name in self.table.key])
            except (msgspec.MsgspecError, ValueError, ArithmeticError, LookupError, TypeError):
                message = f"table {self.name}: a key that does not fit: {_short(error)}"
                raise Poison(message) from error

    def decode_json_key(self, raw: bytes) -> Key:
        """Decode a key that `encode_json_key` wrote (a JSON array)."""
        try:
            key: Key = msgspec.json.decode(raw, type=self._json_key_type, dec_hook=decode_special)
        except (msgspec.MsgspecError, ValueError, ArithmeticError):
            return self._convert_key(msgspec.json.decode(raw, type=list[Any]))
        return key

    def _convert_key(self, values: list[Any]) -> Key:
        return tuple(map(_convert_value, self._key_types, values))

    def make_row(self, values: tuple[Any, ...]) -> Row:
        """Make a row of values loaded with `select_list`."""
        return self.row_type(*values)

    def complete(self, row: Row, gaps: Gaps, old: Row | None) -> Row:
        """Fill what was not sent from the row before.

        Poison when there is none and a value was left out as unchanged; a column that the table did
        not have yet is what the legacy database gives its older rows.
        """
        if old is not None:
            filled = {name: getattr(old, name) for name in gaps.unavailable | gaps.absent}
            return msgspec.structs.replace(row, **filled)
        if gaps.absent and self.missing:
            held = {self.attributes[name]: value for name, value in self.missing.items()}
            row = msgspec.structs.replace(row, **{n: held.get(n) for n in gaps.absent})
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
            load_expression(f'{alias}."{_quote(column.name)}"', column)
            for column in self.table.columns
        )


def encode_json_key(key: Key) -> bytes:
    """Encode a key as a JSON array; equal keys give equal bytes."""
    return msgspec.json.encode(key, enc_hook=encode_special)


def _refuse_table(table: Table) -> None:
    if not table.key:
        raise Configuration(
            f"{table.schema}.{table.name} has no primary key: rows can't be told apart; name the "
            "columns that tell them apart under keys: in the declaration, give it a primary key, "
            "or leave it out"
        )
    names = {column.name for column in table.columns}
    if taken := sorted(names & _OWN_COLUMNS):
        raise Configuration(
            f"{table.schema}.{table.name} has columns named {', '.join(taken)}, as the mirror's "
            "own: leave them out of the capture (column.exclude.list), or rename them"
        )
    strange = sorted(name for name in (table.name, *names) if _STRANGE.search(name))
    if strange:
        raise Configuration(
            f"{table.schema}.{table.name}: the name {strange[0]!r} holds a quotation mark, a "
            "backslash, a control character or a % sign, and can't be mirrored: leave it out of "
            "the capture (column.exclude.list), or rename it"
        )
    if len(names) > COLUMNS_MAX:
        raise Configuration(
            f"{table.schema}.{table.name} has {len(names)} columns, {COLUMNS_MAX} at most can be "
            "mirrored: leave some out of the capture (column.exclude.list)"
        )


def _convert_value(type_: Any, value: Any, *, lenient: bool = False) -> Any:
    """Convert one value of parsed JSON, also one that the type itself can't hold.

    With `lenient` it may be of the type that the column had before.
    """
    try:
        return msgspec.convert(value, type_, strict=not lenient, dec_hook=decode_special)
    except (msgspec.MsgspecError, ValueError, ArithmeticError):
        if get_origin(type_) is list and isinstance(value, list):
            element = element_type(type_)
            return [
                None if one is None else _convert_value(element, one, lenient=lenient)
                for one in value
            ]
        if lenient and type_ is str and isinstance(value, int | float):
            return canonical_text(value)
        return decode_outlier(type_, value)


def _is_unavailable(value: Any, type_: Any) -> bool:
    if value == UNAVAILABLE or value in _PLACEHOLDER_LISTS:
        return True
    if not isinstance(value, str):
        return False
    if type_ is LegacyHstore:
        return UNAVAILABLE in value
    if type_ is not bytes and type_ is not LegacyOpaque:
        return False
    try:
        return msgspec.convert(value, bytes) == _PLACEHOLDER_BYTES
    except msgspec.MsgspecError:
        return False


def _attributes(columns: tuple[str, ...]) -> dict[str, str]:
    """Give every column an attribute of its own: a name of Python that is like the column's."""
    attributes: dict[str, str] = {}
    for column in columns:
        name = _attribute(column)
        while name in attributes.values() or (name != column and name in columns):
            name += "_"
        attributes[column] = name
    return attributes


def _attribute(column: str) -> str:
    name = re.sub(r"\W", "_", column)
    if not name or name[0].isdigit() or keyword.iskeyword(name) or not name.isidentifier():
        name = f"{name}_" if name and not name[0].isdigit() else f"c_{name}"
    return name


def _quote(name: str) -> str:
    return name.replace('"', '""')


def _short(error: Exception) -> str:
    """Keep the path and the reason of a decoding error; never a value."""
    return str(error).splitlines()[0][:200]
