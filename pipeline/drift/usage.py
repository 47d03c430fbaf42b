"""Which legacy columns an adapter uses, and which fields of its contract they show in.

Enters: an adapter, the codecs of its tables, aggregates of real rows where there are some. Leaves:
what it declares (keys, members' and lookups' columns) and what it was seen to read: it is run on
rows that note every access, then again with one column changed, to see which fields change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_origin

import msgspec

from adapters.aggregate import Adapter, AggregateRows, Key, Row
from pipeline.errors import Poison
from pipeline.translate.row_values import LegacyBits, LegacyDate
from pipeline.translate.rows import TableCodec

_TRIPS = (Poison, AttributeError, TypeError, ValueError, ArithmeticError, LookupError)
"""What an adapter may raise on rows that are not real."""


@dataclass(slots=True)
class Usage:
    """What one adapter uses: by table, by column, the fields of the state that it shows in.

    `declared` are the columns without which the adapter can't find its rows. Not `complete` when no
    run of the adapter came to its end: it may use more than was seen.
    """

    adapter: Adapter
    read: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    declared: dict[str, set[str]] = field(default_factory=dict)
    complete: bool = False

    def uses(self, table: str, column: str) -> bool:
        """Say whether the adapter reads a column or finds its rows by it."""
        return column in self.read.get(table, {}) or column in self.declared.get(table, set())

    def fields(self, table: str, column: str) -> tuple[str, ...]:
        """Return the fields that were seen to change with a column."""
        return tuple(sorted(self.read.get(table, {}).get(column, ())))


def find_usage(
    adapter: Adapter, codecs: Mapping[str, TableCodec], samples: Iterable[AggregateRows] = ()
) -> Usage:
    """Run an adapter on made-up rows and on `samples`, and return what it uses."""
    usage = Usage(adapter, declared=_declared(adapter, codecs))
    for made in _made_up(adapter, codecs):
        _watch(usage, codecs, _please(usage, codecs, made))
    for rows in samples:
        _watch(usage, codecs, rows)
    return usage


def _please(usage: Usage, codecs: Mapping[str, TableCodec], rows: AggregateRows) -> AggregateRows:
    """Change what an adapter tripped over, the column that it read last, until it comes through."""
    tried: set[tuple[str, str, Any]] = set()
    while True:
        recorder = _Recorder(codecs)
        state = _run(usage.adapter, recorder.wrap(usage.adapter, rows))
        _note(usage, recorder)
        if state is not None or not recorder.seen:
            return rows
        table, column = next(reversed(recorder.seen))
        for value, changed in _vary(rows, usage.adapter, codecs[table], table, column):
            if (table, column, value) not in tried:
                tried.add((table, column, value))
                rows = changed
                break
        else:
            return rows


def _watch(usage: Usage, codecs: Mapping[str, TableCodec], rows: AggregateRows) -> None:
    """Run the adapter on rows, and again with each column changed that it read."""
    recorder = _Recorder(codecs)
    state = _run(usage.adapter, recorder.wrap(usage.adapter, rows))
    _note(usage, recorder)
    if state is None:
        return
    usage.complete = True
    for table, column in recorder.seen:
        shown = usage.read[table][column]
        for _, changed in _vary(rows, usage.adapter, codecs[table], table, column):
            other = _run(usage.adapter, changed)
            if other is not None:
                shown |= {name for name in state if state[name] != other.get(name)}


def _note(usage: Usage, recorder: _Recorder) -> None:
    for table, column in recorder.seen:
        usage.read.setdefault(table, {}).setdefault(column, set())


def _declared(adapter: Adapter, codecs: Mapping[str, TableCodec]) -> dict[str, set[str]]:
    declared: dict[str, set[str]] = {adapter.root: set(codecs[adapter.root].table.key)}
    for member in adapter.members:
        declared.setdefault(member.table, set()).update(member.columns)
    for lookup in adapter.lookups:
        declared.setdefault(lookup.member, set()).update(lookup.columns)
        key = codecs[lookup.table].table.key
        declared.setdefault(lookup.table, set()).update((*lookup.watched, *key))
    return declared


def _run(adapter: Adapter, rows: AggregateRows) -> dict[str, Any] | None:
    try:
        return adapter.state(rows)
    except _TRIPS:
        return None


class _Recorder:
    """Makes rows that note which of their columns are read."""

    def __init__(self, codecs: Mapping[str, TableCodec]) -> None:
        self._codecs = codecs
        self._types: dict[str, type] = {}
        self.seen: dict[tuple[str, str], None] = {}

    def wrap(self, adapter: Adapter, rows: AggregateRows) -> AggregateRows:
        return AggregateRows(
            self._note(adapter.root, rows.root),
            {
                table: [self._note(table, one) for one in ones]
                for table, ones in rows.members.items()
            },
            {
                table: {key: self._note(table, one) for key, one in ones.items()}
                for table, ones in rows.lookups.items()
            },
        )

    def _note(self, table: str, row: Row) -> Row:
        return self._type(table)(*msgspec.structs.astuple(row))

    def _type(self, table: str) -> type:
        if table not in self._types:
            codec, seen = self._codecs[table], self.seen
            columns = {attribute: column for column, attribute in codec.attributes.items()}

            def note(row: Row, name: str) -> Any:
                if name in columns:
                    seen.pop((table, columns[name]), None)  # the last one read stands last
                    seen[table, columns[name]] = None
                return object.__getattribute__(row, name)

            self._types[table] = type(codec.row_type)(
                codec.row_type.__name__, (codec.row_type,), {"__getattribute__": note}
            )
        return self._types[table]


def _made_up(adapter: Adapter, codecs: Mapping[str, TableCodec]) -> Iterator[AggregateRows]:
    """Make an aggregate of empty rows, one whose every column has a value, and a bare root."""
    for filled in (False, True):
        root = _make_row(codecs[adapter.root], filled=filled)
        members = {
            one.table: [_make_row(codecs[one.table], filled=filled)] for one in adapter.members
        }
        lookups: dict[str, dict[Key, Row]] = {}
        for lookup in adapter.lookups:
            holder = root if lookup.member == adapter.root else members[lookup.member][0]
            attributes = codecs[lookup.member].attributes
            key = tuple(getattr(holder, attributes[name]) for name in lookup.columns)
            lookups[lookup.table] = {key: _make_row(codecs[lookup.table], filled=filled)}
        yield AggregateRows(root, members, lookups)
        yield AggregateRows(root, {table: [] for table in members}, {})


def _make_row(codec: TableCodec, *, filled: bool) -> Row:
    return codec.row_type(
        *(
            _value(type_) if filled or column in codec.table.key else None
            for column, type_ in zip(codec.columns, codec.types, strict=True)
        )
    )


def _value(type_: Any, step: int = 1) -> Any:
    """Make a value of a column's type; another `step` gives another value."""
    if get_origin(type_) is list:
        return ()
    if issubclass(type_, LegacyBits):
        return type_("1" * type_.width)
    simple = {bool: step == 1, int: step, float: float(step), Decimal: Decimal(step)}
    if type_ in simple:
        return simple[type_]
    if type_ is datetime:
        return datetime(2000 + step, 1, 1, tzinfo=UTC)
    if type_ is LegacyDate:
        return LegacyDate(2000 + step, 1, 1)
    return b"x" * step if type_ is bytes else type_("x" * step)


def _vary(
    rows: AggregateRows, adapter: Adapter, codec: TableCodec, table: str, column: str
) -> Iterator[tuple[Any, AggregateRows]]:
    """Yield another value of one column of one table, and the aggregate with it."""
    attribute = codec.attributes[column]
    type_ = codec.types[codec.columns.index(column)]
    for value in (None, _value(type_), _value(type_, 2)):

        def change(row: Row, value: Any = value) -> Row:
            return msgspec.structs.replace(row, **{attribute: value})

        if table == adapter.root:
            yield value, replace(rows, root=change(rows.root))
        elif table in rows.members:
            members = {**rows.members, table: list(map(change, rows.members[table]))}
            yield value, replace(rows, members=members)
        elif table in rows.lookups:
            found = {key: change(one) for key, one in rows.lookups[table].items()}
            yield value, replace(rows, lookups={**rows.lookups, table: found})
