"""What a region's tables must hold, by the adapters: states become rows of canonical text; pure.

Enters: an adapter, a projection, the store's table definitions and aggregates' rows. Leaves: per
aggregate the expected rows of the projection's tables, by key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.aggregate import Adapter, AggregateRows, Key
from adapters.projection import Projection
from legacy_db.definition import Table
from legacy_db.row_hash import hash_texts
from pipeline.errors import Configuration, Fatal, Poison
from pipeline.reconcile.canonical import TextOf, key_text, row_texts, text_for_type
from pipeline.reconcile.judgement import KeyText

RowTexts = tuple[str | None, ...]

UNREADABLE: Final = (1 << 64) - 1
"""Stands for the hash of a row that the adapter can't make; rows' hashes are signed 64 bits."""


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table of a projection; `field` is the array of a child table, None for the parent's.

    `columns` begin with the parent's key for a child; `key_places` are the key's places in them.
    """

    name: str
    field: str | None
    columns: tuple[str, ...]
    key: tuple[str, ...]
    key_places: tuple[int, ...]
    printers: tuple[TextOf, ...]

    def key_of(self, texts: RowTexts) -> KeyText:
        """Return the key of a row of canonical texts."""
        return tuple(texts[place] or "" for place in self.key_places)


@dataclass(frozen=True, slots=True)
class ExpectedAggregate:
    """The rows of one aggregate in each table of its projection (parent's first), by key.

    `readable` is False when the adapter raised Poison: then nothing is known but that the parent's
    row can't be right, whose hash is UNREADABLE.
    """

    root: KeyText
    subject: str
    parent: KeyText
    rows: tuple[Mapping[KeyText, RowTexts], ...]
    hashes: tuple[Mapping[KeyText, int], ...]
    readable: bool = True


def shape_tables(projection: Projection, tables: Mapping[str, Table]) -> tuple[TableShape, ...]:
    """Make the shapes of a projection's tables, parent's first, from the store's definitions.

    Configuration names a column that the store lacks or whose type can't be compared.
    """
    shapes = [_shape(tables[projection.table], None, projection.columns, projection.key)]
    for child in projection.children:
        own = tuple(name for name in child.columns if name not in projection.key)
        columns = (*projection.key, *own)
        shapes.append(_shape(tables[child.table], child.field, columns, child.key))
    return tuple(shapes)


def _shape(
    table: Table, field: str | None, columns: tuple[str, ...], key: tuple[str, ...]
) -> TableShape:
    types = {column.name: column.type for column in table.columns}
    absent = [name for name in columns if name not in types]
    if absent:
        raise Configuration(
            f"the store's table {table.name} has no column {', '.join(absent)}: migrate the store, "
            "or correct the projection"
        )
    printers = tuple(text_for_type(types[name], f"{table.name}.{name}") for name in columns)
    places = tuple(columns.index(name) for name in key)
    return TableShape(table.name, field, columns, key, places, printers)


class Expectation:
    """Makes what one projection's tables must hold of one aggregate."""

    def __init__(
        self, adapter: Adapter, projection: Projection, shapes: Sequence[TableShape]
    ) -> None:
        self.adapter = adapter
        self.projection = projection
        self.shapes = tuple(shapes)
        parent = self.shapes[0]
        self._key_printers = [parent.printers[place] for place in parent.key_places]
        self._nothing: tuple[dict[KeyText, Any], ...] = tuple({} for _ in self.shapes)

    def parent_key(self, key: Key) -> KeyText:
        """Return the key that the aggregate with root key `key` has in the parent's table."""
        fields = self.adapter.deleted_state(key)
        values = [fields[name] for name in self.projection.key]
        return tuple(text or "" for text in row_texts(values, self._key_printers))

    def expect(self, key: Key, rows: AggregateRows | None) -> ExpectedAggregate:
        """Return what must be there of the aggregate; nothing when it is not there or removed.

        Fatal when the adapter fails with anything but Poison.
        """
        root = tuple(map(key_text, key))
        subject = self.adapter.subject(key)
        try:
            state = None if rows is None else self.adapter.state(rows)
        except Poison:
            parent = self.parent_key(key)
            hashes = ({parent: UNREADABLE}, *self._nothing[1:])
            return ExpectedAggregate(root, subject, parent, self._nothing, hashes, readable=False)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise Fatal(
                f"the adapter of {self.adapter.aggregate} fails with {type(error).__name__} "
                f"({error}): does it fit the mirror's tables? Correct it"
            ) from error
        if state is None:
            parent = self.parent_key(key)
            return ExpectedAggregate(root, subject, parent, self._nothing, self._nothing)
        projected = self._project(state)
        hashes = tuple(
            {key: hash_texts(texts) for key, texts in rows.items()} for rows in projected
        )
        return ExpectedAggregate(root, subject, next(iter(projected[0])), projected, hashes)

    def _project(self, state: Mapping[str, Any]) -> tuple[dict[KeyText, RowTexts], ...]:
        parent_values = [state[name] for name in self.projection.key]
        projected = []
        for shape in self.shapes:
            rows: dict[KeyText, RowTexts] = {}
            if shape.field is None:
                texts = row_texts([state[name] for name in shape.columns], shape.printers)
                rows[shape.key_of(texts)] = texts
            else:
                own = shape.columns[len(parent_values) :]
                for record in state[shape.field] or ():
                    values = [*parent_values, *(record[name] for name in own)]
                    texts = row_texts(values, shape.printers)
                    rows[shape.key_of(texts)] = texts
            projected.append(rows)
        return tuple(projected)
