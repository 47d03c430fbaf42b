"""Loads the aggregates of one adapter from the hub's mirror, as of one moment per chunk.

Enters: a connection to the hub and an adapter. Leaves: root keys in chunks, and typed rows of
aggregates by root key. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from adapters.aggregate import Adapter, AggregateRows, Key, Row
from legacy_db.definition import Table, read_tables
from legacy_db.reader import read_chunks
from pipeline.errors import Configuration
from pipeline.reconcile.canonical import key_text
from pipeline.reconcile.connections import Connection
from pipeline.reconcile.judgement import KeyText
from pipeline.translate.mirror import Mirror
from pipeline.translate.mirror_table import MARKS, SCHEMA
from pipeline.translate.rows import TableCodec


def read_mirror_tables(connection: Connection, names: Iterable[str]) -> dict[str, Table]:
    """Read the mirror's tables without the translator's marks; Configuration when one is absent."""
    try:
        tables = read_tables(connection, SCHEMA, names)
    except Configuration as error:
        raise Configuration(
            "the hub's mirror lacks a table that an adapter reads: has the translator of its "
            f"module landed a snapshot? ({error})"
        ) from error
    return {
        name: replace(
            table,
            columns=tuple(column for column in table.columns if column.name not in MARKS),
        )
        for name, table in tables.items()
    }


class AggregateReader:
    """Reads one adapter's aggregates from the mirror."""

    def __init__(self, connection: Connection, adapter: Adapter) -> None:
        names = {
            adapter.root,
            *(member.table for member in adapter.members),
            *(lookup.table for lookup in adapter.lookups),
        }
        self._connection = connection
        self._adapter = adapter
        tables = read_mirror_tables(connection, names)
        self._mirror = Mirror(connection, {name: TableCodec(tables[name]) for name in tables})
        self._root = tables[adapter.root]

    def root_keys(self, rows_max: int) -> Iterator[list[Key]]:
        """Yield the keys of all root rows in key order, at most `rows_max` at a time."""
        for rows in read_chunks(
            self._connection, self._root, columns=self._root.key, rows_max=rows_max
        ):
            yield [tuple(map(_as_loaded, row)) for row in rows]

    @staticmethod
    def by_text(root_keys: Sequence[Key]) -> dict[KeyText, Key]:
        """Return the keys by their texts, in their order."""
        return {_texts(key): key for key in root_keys}

    def load(self, root_keys: Sequence[Key] | Sequence[KeyText]) -> dict[KeyText, AggregateRows]:
        """Load the aggregates with these root keys (values or texts) as of one moment.

        They come by the text of their root key; those that are not there are absent.
        """
        with self._connection.transaction():
            self._connection.execute("set transaction isolation level repeatable read read only")
            return self._load(root_keys)

    def keys_of(self, root_keys: Sequence[KeyText]) -> dict[KeyText, Key]:
        """Return the typed keys of those root rows that are there."""
        rows = self._mirror.load_by_key(self._adapter.root, root_keys)
        return {_texts(key): key for key in rows}

    def _load(self, root_keys: Sequence[Key] | Sequence[KeyText]) -> dict[KeyText, AggregateRows]:
        adapter = self._adapter
        roots = self._mirror.load_by_key(adapter.root, root_keys)
        members: dict[Key, dict[str, list[Row]]] = {key: {} for key in roots}
        for member in adapter.members:
            owner_of = self._mirror.codecs[member.table].getter(member.columns)
            for row in self._mirror.load(member.table, member.columns, list(roots)):
                members[owner_of(row)].setdefault(member.table, []).append(row)
        loaded = {
            key: AggregateRows(root, members[key], {lookup.table: {} for lookup in adapter.lookups})
            for key, root in roots.items()
        }
        for lookup in adapter.lookups:
            self._look_up(loaded, lookup.table, lookup.member, lookup.columns)
        return {_texts(key): rows for key, rows in loaded.items()}

    def _look_up(
        self,
        loaded: dict[Key, AggregateRows],
        table: str,
        member: str,
        columns: tuple[str, ...],
    ) -> None:
        key_of = self._mirror.codecs[member].getter(columns)
        wanted: dict[Key, list[Any]] = {}
        for rows in loaded.values():
            for row in [rows.root] if member == self._adapter.root else rows.rows(member):
                key = key_of(row)
                if None not in key:
                    wanted.setdefault(key, []).append(rows.lookups[table])
        for key, row in self._mirror.load_by_key(table, list(wanted)).items():
            for places in wanted[key]:
                places[key] = row


def _as_loaded(value: Any) -> Any:
    """Bring a key's value to what a loaded row has: timestamps without zone become aware UTC."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _texts(key: Key) -> KeyText:
    return tuple(map(key_text, key))
