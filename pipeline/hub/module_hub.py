"""One module's hub on PostgreSQL: what a translator writes, through one connection.

Enters: what a batch made. Leaves: rows in the hub, in the transaction that the caller opened. The
SQL stands in the files beside this one, one for each concept.
"""

# ruff: noqa: D102 - the protocol has the docstrings
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.hub import dead_letters, doubts, emissions, event_store, modules, spill, sweeps
from pipeline.translate.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import psycopg

    from adapters.aggregate import Key
    from adapters.change_steps import TableChanged
    from adapters.contract import Contract
    from adapters.envelope import RowChange
    from adapters.event import IntegrationEvent
    from pipeline.hub.emissions import Emission
    from pipeline.hub.modules import ModuleMarks
    from pipeline.translate.event_maker import Failure, Letter, State
    from pipeline.translate.mirror_tables import MirrorTables


class PostgresModuleHub:
    """The hub of `module`; see `pipeline.translate.module_hub.ModuleHub` for what each does."""

    def __init__(
        self, connection: psycopg.Connection[Any], module: str, tables: MirrorTables
    ) -> None:
        self._connection = connection
        self._module = module
        self._tables = tables
        self._owner: int | None = None

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            # what a paused translator holds, its successor meets here, and not in its own batch
            if self._owner is not None:
                modules.lock_module(self._connection, self._module, self._owner)
            yield

    def take(self) -> ModuleMarks:
        with self._connection.transaction():
            event_store.ensure_partitions(self._connection)
        marks = modules.take_module(self._connection, self._module)
        self._owner = marks.owner
        return marks

    def open_mirror(self) -> Mirror:
        return Mirror(self._connection, self._tables.open(self._connection))

    def change_table(self, step: TableChanged) -> bool:
        return self._tables.change(self._connection, step)

    def tables_changed(self) -> bool:
        return self._tables.refresh(self._connection)

    def save_marks(self, marks: ModuleMarks) -> None:
        modules.save_marks(self._connection, self._module, marks)

    def append_events(self, first_number: int, events: Sequence[IntegrationEvent]) -> None:
        event_store.append_events(self._connection, self._module, first_number, events)

    def keep_schemas(self, contracts: Iterable[Contract]) -> None:
        event_store.keep_schemas(self._connection, contracts)

    def add_barrier(self, barrier: str, position: tuple[int, int], number: int) -> None:
        event_store.add_barrier(self._connection, self._module, barrier, position, number)

    def read_deletes_max(self) -> int | None:
        return sweeps.read_deletes_max(self._connection, self._module)

    def set_deletes_max(self, deletes_max: int | None) -> None:
        sweeps.set_deletes_max(self._connection, self._module, deletes_max)

    def note_doubt(
        self, position: tuple[int, int], txid: int, offset: int, reason: str | None = None
    ) -> None:
        doubts.note_doubt(self._connection, self._module, position, txid, offset, reason=reason)

    def load_last_good(self) -> dict[tuple[str, str], State | Failure | None]:
        return dead_letters.load_last_good(self._connection, self._module)

    def write_letters(self, letters: Iterable[Letter], contracts: Mapping[str, Contract]) -> None:
        dead_letters.write_letters(self._connection, self._module, letters, contracts)

    def write_undecodable(self, offset: int, reason: str, payload: bytes) -> None:
        dead_letters.write_undecodable(self._connection, self._module, offset, reason, payload)

    def resolve_letters(self, names: Collection[tuple[str, str]], state: str) -> None:
        dead_letters.resolve_letters(self._connection, self._module, names, state)

    def next_emission(self, held: str | None = None) -> Emission | None:
        return emissions.next_emission(self._connection, self._module, held)

    def request_all(self, aggregate: str, reason: str) -> None:
        emissions.request_all(self._connection, self._module, aggregate, reason)

    def request_all_of_other(self, module: str, aggregate: str, reason: str) -> None:
        emissions.request_all_of_other(self._connection, module, aggregate, reason)

    def request_quarantined(self, aggregate: str, reason: str) -> None:
        keys = dead_letters.list_root_keys(self._connection, self._module, aggregate)
        emissions.request_keys(self._connection, self._module, aggregate, keys, reason=reason)

    def request_keys(
        self,
        module: str,
        aggregate: str,
        keys: Collection[Key],
        *,
        reason: str,
        lookup_table: str | None = None,
    ) -> None:
        emissions.request_keys(
            self._connection, module, aggregate, keys, reason=reason, lookup_table=lookup_table
        )

    def advance_emission(self, emission: Emission, after_key: Key) -> None:
        emissions.advance_emission(self._connection, emission, after_key)

    def finish_emission(self, emission: Emission) -> None:
        emissions.finish_emission(self._connection, emission)

    def spill_changes(self, first: int, changes: Sequence[RowChange]) -> None:
        spill.spill_changes(self._connection, self._module, first, changes)

    def drop_spill(self) -> None:
        spill.drop_spill(self._connection, self._module)

    def read_spill(self, chunk_rows: int) -> Iterator[list[RowChange]]:
        return spill.read_spill(self._connection, self._module, chunk_rows)

    def make_touch_table(self) -> None:
        spill.make_touch_table(self._connection)

    def add_touches(self, touches: Iterable[tuple[str, bytes, str, bytes]]) -> None:
        spill.add_touches(self._connection, touches)

    def read_touched(self, part_size: int) -> Iterator[list[tuple[str, bytes]]]:
        return spill.read_touched(self._connection, part_size)

    def read_spill_of(self, part: list[tuple[str, bytes]]) -> list[RowChange]:
        return spill.read_spill_of(self._connection, self._module, part)
