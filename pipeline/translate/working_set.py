"""The rows that a batch touches, in memory: the mirror as of each transaction within the batch.

Enters: rows loaded from the mirror and changes in order. Leaves: aggregates as of any moment, and
the net image of every changed row. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.aggregate import Adapter, AggregateRows, Key, Row
from pipeline.errors import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pipeline.translate.rows import TableCodec


@dataclass(frozen=True, slots=True)
class Role:
    """A table's part in an aggregate: the root itself, or a member with the root's key in it."""

    adapter: Adapter
    columns: tuple[str, ...]
    is_root: bool
    root_key: Callable[[Row], Key]


@dataclass(frozen=True, slots=True)
class LookupUse:
    """An adapter's lookup, with the function that takes the looked-up key from a row."""

    adapter: Adapter
    table: str
    member: str
    columns: tuple[str, ...]
    key: Callable[[Row], Key]


@dataclass(frozen=True, slots=True)
class Watch:
    """A table that adapters look up: which aggregates to emit again when `watched` changes."""

    adapter: Adapter
    watched: tuple[str, ...]


class Roles:
    """What every table means to the adapters of one module, and to those that look it up."""

    def __init__(
        self,
        module: str,
        adapters: Sequence[Adapter],
        codecs: Mapping[str, TableCodec],
    ) -> None:
        self.codecs = codecs
        self.adapters = [adapter for adapter in adapters if adapter.module == module]
        self.by_table: dict[str, list[Role]] = {}
        self.lookups: dict[str, list[LookupUse]] = {}
        self.watches: dict[str, list[Watch]] = {}
        for adapter in self.adapters:
            root = codecs[adapter.root]
            self._add_role(adapter, adapter.root, root.table.key, root, is_root=True)
            for member in adapter.members:
                codec = codecs[member.table]
                self._add_role(adapter, member.table, member.columns, codec, is_root=False)
            tables = [lookup.table for lookup in adapter.lookups]
            if len(tables) != len(set(tables)):
                raise Configuration(f"{adapter.aggregate}: a table is looked up twice")
            for lookup in adapter.lookups:
                key = codecs[lookup.member].getter(lookup.columns)
                use = LookupUse(adapter, lookup.table, lookup.member, lookup.columns, key)
                self.lookups.setdefault(lookup.member, []).append(use)
        for adapter in adapters:
            for lookup in adapter.lookups:
                if lookup.table in codecs:
                    attributes = codecs[lookup.table].attributes
                    watched = tuple(attributes[column] for column in lookup.watched)
                    self.watches.setdefault(lookup.table, []).append(Watch(adapter, watched))

    def lookup_of(self, adapter: Adapter, table: str | None) -> LookupUse | None:
        """Return how an adapter of this module looks a table up; None when it does not."""
        for uses in self.lookups.values():
            for use in uses:
                if use.adapter is adapter and use.table == table:
                    return use
        return None

    def root_columns(self, adapter: Adapter, table: str) -> tuple[str, ...]:
        """Return the columns of the root or a member that hold the root's key."""
        for role in self.by_table[table]:
            if role.adapter is adapter:
                return role.columns
        raise KeyError(table)

    def _add_role(
        self,
        adapter: Adapter,
        table: str,
        columns: tuple[str, ...],
        codec: TableCodec,
        *,
        is_root: bool,
    ) -> None:
        role = Role(adapter, columns, is_root, codec.getter(columns))
        self.by_table.setdefault(table, []).append(role)


class WorkingSet:
    """Rows by table and key, with the members of every loaded aggregate."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self.tables: dict[str, dict[Key, Row]] = {}
        self.dirty: dict[str, dict[Key, Row | None]] = {}
        self.removed: dict[tuple[str, Key], Row] = {}
        self._members: dict[tuple[str, str], dict[Key, set[Key]]] = {}

    def put_loaded(self, table: str, key: Key, row: Row) -> None:
        """Take a row as the mirror has it."""
        rows = self.tables.setdefault(table, {})
        if key not in rows:
            rows[key] = row
            self._index(table, key, row)

    def get(self, table: str, key: Key) -> Row | None:
        """Return the row as of now."""
        return self.tables.get(table, {}).get(key)

    def write(self, table: str, key: Key, row: Row | None) -> None:
        """Apply a change: None deletes."""
        rows = self.tables.setdefault(table, {})
        old = rows.get(key)
        if old is not None:
            self._unindex(table, key, old)
        if row is None:
            if old is not None:
                self.removed[table, key] = old
            rows.pop(key, None)
        else:
            rows[key] = row
            self._index(table, key, row)
        self.dirty.setdefault(table, {})[key] = row

    def aggregate(self, adapter: Adapter, root_key: Key) -> AggregateRows | None:
        """Return an aggregate as of now; None when its root is not there."""
        root = self.get(adapter.root, root_key)
        if root is None:
            return None
        members = {}
        for member in adapter.members:
            keys = self._members.get((adapter.aggregate, member.table), {}).get(root_key, ())
            rows = self.tables.get(member.table, {})
            members[member.table] = [rows[key] for key in sorted(keys)]
        lookups = {lookup.table: self.tables.get(lookup.table, {}) for lookup in adapter.lookups}
        return AggregateRows(root, members, lookups)

    def lookup_keys(self, table: str, rows: Iterable[Row]) -> Iterator[tuple[str, Key]]:
        """Yield (looked-up table, key) for all lookups that these rows of `table` refer to."""
        for use in self._roles.lookups.get(table, ()):
            for row in rows:
                key = use.key(row)
                if None not in key:
                    yield use.table, key

    def _index(self, table: str, key: Key, row: Row) -> None:
        for role in self._roles.by_table.get(table, ()):
            if not role.is_root:
                index = self._members.setdefault((role.adapter.aggregate, table), {})
                index.setdefault(role.root_key(row), set()).add(key)

    def _unindex(self, table: str, key: Key, row: Row) -> None:
        for role in self._roles.by_table.get(table, ()):
            if not role.is_root:
                index = self._members[role.adapter.aggregate, table]
                index[role.root_key(row)].discard(key)
