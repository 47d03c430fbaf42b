"""A module's hub on the model of a database: the same behaviour as on PostgreSQL, in memory.

Enters: what a translator writes. Leaves: tables of dicts for publisher and oracle. The contract
tests hold it and `pipeline.hub.module_hub` to one behaviour.
"""

# ruff: noqa: D102 - the protocol has the docstrings
from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from adapters.log_state import LogState
from legacy_db.mariadb.logged_table import fit_table
from pipeline.errors import Fatal
from pipeline.hub.emissions import KEYS_PER_REQUEST, Emission
from pipeline.hub.modules import ModuleMarks
from pipeline.simulate.memory_mirror import MemoryMirror
from pipeline.translate.event_maker import UNKNOWN, Failure, Letter, State
from pipeline.translate.rows import TableCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from adapters.aggregate import Key
    from adapters.change_steps import TableChanged
    from adapters.contract import Contract
    from adapters.envelope import RowChange
    from adapters.event import IntegrationEvent
    from legacy_db.definition import Table
    from pipeline.simulate.database import Connection

NO_MARKS = ModuleMarks(0, LogState(), 0, 1, 0, None)


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter in the hub."""

    module: str
    aggregate: str | None
    subject: str | None
    reason: str
    state: str = "open"
    last_good: State | Failure | None = None
    offset: int | None = None
    root_key: bytes = b"[]"


class MemoryModuleHub:
    """The hub of `module` through one connection; `read_tables` gives the legacy definitions."""

    def __init__(
        self,
        connection: Connection,
        module: str,
        read_tables: Callable[[], Mapping[str, Table]],
    ) -> None:
        self._connection = connection
        self._module = module
        self._read_tables = read_tables
        self._owner: int | None = None
        self._touches: set[tuple[str, bytes, str, bytes]] = set()

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            if self._owner is not None:
                self._lock(self._owner)
            yield

    def take(self) -> ModuleMarks:
        with self._connection.transaction():
            self._connection.lock("module", self._module)
            marks: ModuleMarks = self._connection.get("module", self._module) or NO_MARKS
            marks = replace(marks, owner=marks.owner + 1)
            self._connection.put("module", self._module, _copy(marks))
        self._owner = marks.owner
        return _copy(marks)

    def open_mirror(self) -> MemoryMirror:
        self._connection.call("open mirror")
        tables = dict(self._read_tables())
        with self._connection.transaction():
            for table in tables.values():
                self._connection.put("definition", (self._module, table.name), table)
        return MemoryMirror(
            self._connection, {name: _make_codec(table) for name, table in tables.items()}
        )

    def change_table(self, step: TableChanged) -> bool:
        place = (self._module, step.definition.name)
        kept = self._connection.get("definition", place)
        fitted = fit_table(step.definition, kept, step.ddl, step.defaults)
        self._connection.put("definition", place, fitted)
        return bool(fitted != kept)

    def tables_changed(self) -> bool:
        self._connection.call("read definitions")
        return any(
            self._connection.get("definition", (self._module, name)) != table
            for name, table in self._read_tables().items()
        )

    def save_marks(self, marks: ModuleMarks) -> None:
        self._connection.call("save marks")
        self._lock(marks.owner)
        self._connection.put("module", self._module, _copy(marks))

    def _lock(self, owner: int) -> None:
        """Lock the module's row; Fatal when it has another owner."""
        self._connection.lock("module", self._module)
        now: ModuleMarks = self._connection.get("module", self._module) or NO_MARKS
        if now.owner != owner:
            raise Fatal(
                f"another translator took over module {self._module}: this one stops and has "
                "written nothing since; run one translator per module"
            )

    def append_events(self, first_number: int, events: Sequence[IntegrationEvent]) -> None:
        for number, event in enumerate(events, first_number):
            self._connection.put("event", (self._module, number), event)

    def keep_schemas(self, contracts: Iterable[Contract]) -> None:
        for one in contracts:
            self._connection.put("schema", one.fingerprint, (one.subject, one.text))

    def add_barrier(self, barrier: str, position: tuple[int, int], number: int) -> None:
        if self._connection.get("barrier", (barrier, self._module)) is None:
            self._connection.put("barrier", (barrier, self._module), (position, number))

    def note_doubt(
        self,
        position: tuple[int, int],
        txid: int,
        offset: int,
        reason: str | None = None,  # noqa: ARG002 - nobody reads it here
    ) -> None:
        if self._connection.get("doubt", (self._module, offset)) is None:
            self._connection.put("doubt", (self._module, offset), (position, txid))

    def read_deletes_max(self) -> int | None:
        bound: int | None = self._connection.get("deletes max", self._module)
        return bound

    def set_deletes_max(self, deletes_max: int | None) -> None:
        self._connection.put("deletes max", self._module, deletes_max)

    def load_last_good(self) -> dict[tuple[str, str], State | Failure | None]:
        self._connection.call("load letters")
        return {
            (letter.aggregate, letter.subject): letter.last_good
            for letter in self._open_letters().values()
        }

    def write_letters(self, letters: Iterable[Letter], contracts: Mapping[str, Contract]) -> None:
        del contracts
        for letter in letters:
            there = self._find_letters({(letter.aggregate, letter.subject)})
            good = UNKNOWN if isinstance(letter.last_good, Failure) else letter.last_good
            if there:
                good = next(iter(there.values())).last_good  # the first letter's stays
            row = StoredLetter(
                self._module,
                letter.aggregate,
                letter.subject,
                letter.failure.reason,
                last_good=good,
                root_key=letter.root_key,
            )
            key = next(iter(there), None) or self._connection.serial()
            self._connection.put("letter", key, row)

    def write_undecodable(self, offset: int, reason: str, payload: bytes) -> None:
        del payload
        key = (self._module, offset)
        if self._connection.get("letter", key) is None:
            row = StoredLetter(self._module, None, None, reason, offset=offset)
            self._connection.put("letter", key, row)

    def resolve_letters(self, names: Collection[tuple[str, str]], state: str) -> None:
        for key, letter in self._find_letters(set(names)).items():
            self._connection.put("letter", key, replace(letter, state=state))

    def _open_letters(self) -> dict[Any, Any]:
        return {
            key: letter
            for key, letter in self._connection.rows("letter").items()
            if letter.module == self._module and letter.state == "open" and letter.aggregate
        }

    def _find_letters(self, names: set[tuple[str, str]]) -> dict[Any, StoredLetter]:
        return {
            key: letter
            for key, letter in self._open_letters().items()
            if (letter.aggregate, letter.subject) in names
        }

    def next_emission(self, held: str | None = None) -> Emission | None:
        self._connection.call("next emission")
        rows = self._connection.rows("emission")
        mine = [
            number
            for number, (module, one) in rows.items()
            if module == self._module and one.reason != held
        ]
        emission: Emission | None = rows[min(mine)][1] if mine else None
        return emission

    def request_all(self, aggregate: str, reason: str) -> None:
        for module, one in self._connection.rows("emission").values():
            wanted = (module, one.aggregate, one.scope) == (self._module, aggregate, "all")
            if wanted and one.after_key is None:
                return
        self._request(self._module, aggregate, "all", [], reason=reason)

    def request_all_of_other(self, module: str, aggregate: str, reason: str) -> None:
        self._request(module, aggregate, "all", [], reason=reason)

    def request_quarantined(self, aggregate: str, reason: str) -> None:
        letters = [one for one in self._open_letters().values() if one.aggregate == aggregate]
        keys = [tuple(msgspec.json.decode(one.root_key)) for one in letters]
        self.request_keys(self._module, aggregate, keys, reason=reason)

    def request_keys(
        self,
        module: str,
        aggregate: str,
        keys: Collection[Key],
        *,
        reason: str,
        lookup_table: str | None = None,
    ) -> None:
        listed = sorted(list(key) for key in keys)
        scope = "keys" if lookup_table is None else "lookup"
        for first in range(0, len(listed), KEYS_PER_REQUEST):
            part = listed[first : first + KEYS_PER_REQUEST]
            self._request(module, aggregate, scope, part, reason=reason, lookup_table=lookup_table)

    def _request(
        self,
        module: str,
        aggregate: str,
        scope: str,
        keys: list[list[Any]],
        *,
        reason: str,
        lookup_table: str | None = None,
    ) -> None:
        number = self._connection.serial()
        emission = Emission(number, aggregate, scope, lookup_table, keys, None, reason)
        self._connection.put("emission", number, (module, emission))

    def advance_emission(self, emission: Emission, after_key: Key) -> None:
        further = replace(emission, after_key=list(after_key))
        self._connection.put("emission", emission.id, (self._module, further))

    def finish_emission(self, emission: Emission) -> None:
        self._connection.delete("emission", emission.id)

    def spill_changes(self, first: int, changes: Sequence[RowChange]) -> None:
        self._connection.call("spill")
        for ordinal, change in enumerate(changes, first):
            self._connection.put("spill", (self._module, ordinal), change)

    def drop_spill(self) -> None:
        for key in [key for key in self._connection.rows("spill") if key[0] == self._module]:
            self._connection.delete("spill", key)

    def read_spill(self, chunk_rows: int) -> Iterator[list[RowChange]]:
        changes = self._spilled()
        for first in range(0, len(changes), chunk_rows):
            yield changes[first : first + chunk_rows]

    def _spilled(self) -> list[RowChange]:
        rows = self._connection.rows("spill")
        return [rows[key] for key in sorted(rows) if key[0] == self._module]

    def make_touch_table(self) -> None:
        self._touches = set()

    def add_touches(self, touches: Iterable[tuple[str, bytes, str, bytes]]) -> None:
        self._touches.update(touches)

    def read_touched(self, part_size: int) -> Iterator[list[tuple[str, bytes]]]:
        names = sorted({touch[:2] for touch in self._touches})
        for first in range(0, len(names), part_size):
            yield names[first : first + part_size]

    def read_spill_of(self, part: list[tuple[str, bytes]]) -> list[RowChange]:
        wanted = {touch[2:] for touch in self._touches if touch[:2] in set(part)}
        return [
            change
            for change in self._spilled()
            if change.key is None or (change.table, change.key) in wanted
        ]


@lru_cache(maxsize=64)
def _make_codec(table: Table) -> TableCodec:
    """Make a table's codec once: it holds no state, and every restart of a translator asks."""
    return TableCodec(table)


def _copy(marks: ModuleMarks) -> ModuleMarks:
    """Copy what a translator changes in place: the hub keeps a text of it."""
    if marks.log.open is None and marks.log.binlog is None:
        return marks
    opened, binlog = deepcopy(marks.log.open), deepcopy(marks.log.binlog)
    return replace(marks, log=replace(marks.log, open=opened, binlog=binlog))
