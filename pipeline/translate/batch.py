"""Translates whole transactions: applies them to a working set and makes the events of each.

Enters: decoded transactions in commit order and what the mirror has of everything they touch.
Leaves: events and letters in the outcome, net rows in the working set. Reads by `MirrorReader`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from adapters.envelope import make_time
from pipeline.errors import Poison
from pipeline.translate.event_maker import (
    EventMaker,
    Failure,
    Moment,
    Outcome,
    State,
    make_target,
)
from pipeline.translate.working_set import Roles, WorkingSet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from adapters.aggregate import Adapter, Key, Row
    from adapters.change_steps import Transaction
    from adapters.envelope import RowChange
    from pipeline.translate.rows import Gaps, TableCodec

Name = tuple[str, "Key"]
"""An aggregate: (its name, root key)."""


class MirrorReader(Protocol):
    """Loads rows of the mirror as of the last committed batch."""

    def load_by_key(self, table: str, keys: Collection[Key]) -> dict[Key, Row]:
        """Load the rows with these primary keys."""

    def load(self, table: str, columns: tuple[str, ...], values: Collection[Key]) -> list[Row]:
        """Load the rows whose `columns` hold one of `values`."""


@dataclass(frozen=True, slots=True)
class RowWrite:
    """One decoded change: `row` None deletes, `key` None truncates.

    `gaps` are what the image left out, `failure` says that it could not be decoded.
    """

    table: str
    key: Key | None
    row: Row | None = None
    gaps: Gaps | None = None
    old_key: Key | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class DecodedTransaction:
    """A whole transaction, or the part of it that is translated at once."""

    moment: Moment
    writes: list[RowWrite]


def make_moment(transaction: Transaction, epoch: int) -> Moment:
    """Name the moment of a transaction's commit."""
    name = str(transaction.txid)
    if transaction.domain is not None:
        name = f"{transaction.domain}-{name}"
    return Moment(
        epoch,
        transaction.lsn,
        0,
        make_time(transaction.time_us),
        f"{name}:{transaction.lsn}",
    )


def decode_write(change: RowChange, codecs: Mapping[str, TableCodec], *, lenient: bool) -> RowWrite:
    """Decode one change; Poison when its image does not fit the table's definition.

    With `lenient` an image that lacks columns keeps the values before, and one that can't be
    decoded becomes a write with a `failure`.
    """
    codec = codecs.get(change.table)
    if codec is None:
        raise Poison(f"a change of table {change.table}, which the declaration does not name")
    if change.operation == "t":
        return RowWrite(codec.name, None)
    if change.key is None:
        raise Poison(f"a change of table {change.table} without a key")
    try:
        key = codec.decode_key(change.key)
    except Poison:
        if not lenient or change.after is None:
            raise
        # the table has another key now: the row itself tells what it would have been
        key = codec.key_of(codec.decode_partly(change.after, lenient=True)[0])
    if change.operation == "d" or change.after is None:
        return RowWrite(codec.name, key)
    try:
        if not change.unavailable:
            try:
                return RowWrite(codec.name, key, codec.decode(change.after))
            except Poison:
                if not lenient:
                    raise
        row, gaps = codec.decode_partly(change.after, lenient=lenient)
    except Poison as error:
        if not lenient:
            raise
        return RowWrite(codec.name, key, failure=Failure(str(error), payload=change.after))
    old_key = codec.decode_key(change.old_key) if change.old_key is not None else None
    return RowWrite(codec.name, key, row, gaps, old_key)


def load_rows(
    rows: WorkingSet,
    roles: Roles,
    mirror: MirrorReader,
    writes: Iterable[RowWrite],
    *,
    aggregates: bool = True,
    unused: bool = False,
) -> None:
    """Load all that these writes touch: the rows, their aggregates, and what these look up.

    Rows that no adapter uses only with `unused`.
    """
    touched: dict[str, dict[Key, None]] = {}
    new: dict[str, list[Row]] = {}
    for write in writes:
        if write.key is None:
            continue
        table = write.table
        used = table in roles.by_table or table in roles.watches
        if unused or used or write.gaps or write.failure:
            keys = touched.setdefault(table, {})
            keys[write.key] = None
            if write.old_key is not None:
                keys[write.old_key] = None
        if write.row is not None:  # a column that was not sent is None: it names nobody
            new.setdefault(table, []).append(write.row)
    for table, keys in touched.items():
        for key, row in mirror.load_by_key(table, list(keys)).items():
            rows.put_loaded(table, key, row)
    if not aggregates:
        return
    for adapter in roles.adapters:
        roots: dict[Key, None] = {}
        for table in (adapter.root, *(member.table for member in adapter.members)):
            for role in roles.by_table[table]:
                if role.adapter is adapter:
                    known = (*rows.tables.get(table, {}).values(), *new.get(table, ()))
                    roots.update((role.root_key(row), None) for row in known)
        load_aggregates(rows, mirror, adapter, list(roots), roles)
    load_lookups(rows, mirror, new)


def load_aggregates(
    rows: WorkingSet,
    mirror: MirrorReader,
    adapter: Adapter,
    root_keys: Sequence[Key],
    roles: Roles,
) -> None:
    """Load the root and all members of aggregates; lookups are loaded apart."""
    if not root_keys:
        return
    for table in (adapter.root, *(member.table for member in adapter.members)):
        for role in roles.by_table[table]:
            if role.adapter is not adapter:
                continue
            key_of = roles.codecs[table].key_of
            for row in mirror.load(table, role.columns, root_keys):
                rows.put_loaded(table, key_of(row), row)


def load_lookups(rows: WorkingSet, mirror: MirrorReader, new: Mapping[str, Sequence[Row]]) -> None:
    """Load the rows that loaded rows and `new` ones look up."""
    wanted: dict[str, dict[Key, None]] = {}
    for table in {*rows.tables, *new}:
        known = (*rows.tables.get(table, {}).values(), *new.get(table, ()))
        for looked_up, key in rows.lookup_keys(table, known):
            if rows.get(looked_up, key) is None:
                wanted.setdefault(looked_up, {})[key] = None
    for table, keys in wanted.items():
        for key, row in mirror.load_by_key(table, list(keys)).items():
            rows.put_loaded(table, key, row)


@dataclass(slots=True)
class Translation:
    """What is made of a run of transactions, before it is written.

    With `only`, events are made of these aggregates alone (a huge transaction comes in parts).
    `watched` are changed rows that aggregates look up, by (module, aggregate, looked-up table);
    `unmirrored` how many rows of each table did not fit it.
    """

    roles: Roles
    maker: EventMaker
    rows: WorkingSet
    outcome: Outcome
    only: Collection[Name] | None = None
    watched: dict[tuple[str, str, str], set[Key]] = field(default_factory=dict)
    truncated: set[str] = field(default_factory=set)
    unmirrored: dict[str, int] = field(default_factory=dict)
    _states: dict[Name, State | Failure | None] = field(default_factory=dict)

    def apply(self, transaction: DecodedTransaction) -> None:
        """Apply one transaction to the working set and make its events."""
        touched: dict[Name, Adapter] = {}
        failures: dict[Name, Failure] = {}
        for write in transaction.writes:
            if write.key is None:
                self._truncate(write.table, touched)
            else:
                self._apply_write(write, write.key, touched, failures)
        for name, adapter in touched.items():
            rows = self.rows.aggregate(adapter, name[1])
            after = failures.get(name) or self.maker.state_of(adapter, rows)
            target = make_target(adapter, name[1], transaction.moment)
            self.maker.take_change(self.outcome, target, self._states[name], after)
            self._states[name] = after

    def correct(self, writes: Iterable[RowWrite], moment: Moment) -> dict[str, list[Key]]:
        """Apply rows that were read again; return the aggregates whose state they change.

        One that can't be decoded makes dead letters of its aggregates, as it does in a transaction.
        """
        touched: dict[Name, Adapter] = {}
        failures: dict[Name, Failure] = {}
        for write in writes:
            if write.key is None:
                continue
            old = self.rows.get(write.table, write.key)
            if write.failure is not None or self._complete(write, old)[0] != old:
                self._apply_write(write, write.key, touched, failures)
        changed: dict[str, list[Key]] = {}
        for name, adapter in touched.items():
            if name in failures:
                target = make_target(adapter, name[1], moment)
                self.maker.take_change(self.outcome, target, self._states[name], failures[name])
                continue
            state = self.maker.state_of(adapter, self.rows.aggregate(adapter, name[1]))
            if state != self._states[name]:
                changed.setdefault(name[0], []).append(name[1])
        return changed

    def _apply_write(
        self,
        write: RowWrite,
        key: Key,
        touched: dict[Name, Adapter],
        failures: dict[Name, Failure],
    ) -> None:
        old = self.rows.get(write.table, key)
        row, failure = self._complete(write, old)
        for role in self.roles.by_table.get(write.table, ()):
            roots = dict.fromkeys(role.root_key(r) for r in (old, row) if r is not None)
            if role.is_root and (failure is not None or (row is None and old is None)):
                roots[key] = None  # a letter about a row that never came ends with its delete
            for root_key in roots:
                self._touch(touched, role.adapter, root_key)
                if failure is not None:
                    failures[role.adapter.aggregate, root_key] = failure
        if failure is None:
            self.rows.write(write.table, key, row)
            self._watch(write.table, key, old, row)
        else:
            self.unmirrored[write.table] = self.unmirrored.get(write.table, 0) + 1

    def _complete(self, write: RowWrite, old: Row | None) -> tuple[Row | None, Failure | None]:
        """Fill what was not sent from the row before, or from the row under its key before."""
        if write.failure is not None or write.gaps is None:
            return write.row, write.failure
        if old is None and write.old_key is not None:
            old = self.rows.get(write.table, write.old_key) or self.rows.removed.get(
                (write.table, write.old_key)
            )
        try:
            return self.roles.codecs[write.table].complete(write.row, write.gaps, old), None
        except Poison as error:
            return None, Failure(str(error))

    def _touch(self, touched: dict[Name, Adapter], adapter: Adapter, root_key: Key) -> None:
        """Remember the state before the first change of an aggregate in a transaction."""
        name = (adapter.aggregate, root_key)
        if name in touched or (self.only is not None and name not in self.only):
            return
        touched[name] = adapter
        if name not in self._states:
            rows = self.rows.aggregate(adapter, root_key)
            self._states[name] = self.maker.state_of(adapter, rows)

    def _truncate(self, table: str, touched: dict[Name, Adapter]) -> None:
        """Remove all rows that are loaded; aggregates that are not are emitted by the shell."""
        self.truncated.add(table)
        for key, old in list(self.rows.tables.get(table, {}).items()):
            for role in self.roles.by_table.get(table, ()):
                self._touch(touched, role.adapter, role.root_key(old))
            self.rows.write(table, key, None)

    def _watch(self, table: str, key: Key, old: Row | None, row: Row | None) -> None:
        """Note a change that shows in aggregates which only look this row up."""
        for watch in self.roles.watches.get(table, ()):
            if (
                old is None
                or row is None
                or any(getattr(old, name) != getattr(row, name) for name in watch.watched)
            ):
                place = (watch.adapter.module, watch.adapter.aggregate, table)
                self.watched.setdefault(place, set()).add(key)
