"""What a translator needs of the hub: one module's mirror, event store, letters and marks.

Implemented on PostgreSQL (`pipeline.hub.module_hub`) and in memory, for the simulator
(`pipeline.simulate.module_hub`); the contract tests hold both to the same behaviour. All but
`take` runs in the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from adapters.aggregate import Key, Row
    from adapters.change_steps import TableChanged
    from adapters.contract import Contract
    from adapters.envelope import RowChange
    from adapters.event import IntegrationEvent
    from pipeline.hub.emissions import Emission
    from pipeline.hub.modules import ModuleMarks
    from pipeline.translate.event_maker import Failure, Letter, State
    from pipeline.translate.rows import TableCodec


class ModuleMirror(Protocol):
    """The mirror tables of one module, and those that its adapters look up."""

    @property
    def codecs(self) -> Mapping[str, TableCodec]:
        """The tables' codecs, by table."""

    def load_by_key(self, table: str, keys: Collection[Key]) -> dict[Key, Row]:
        """Load the rows with these primary keys."""

    def load(self, table: str, columns: tuple[str, ...], values: Collection[Key]) -> list[Row]:
        """Load the rows whose `columns` hold one of `values`, in key order."""

    def page_keys(
        self,
        table: str,
        columns: tuple[str, ...],
        after: Key | None,
        limit: int,
        *,
        where: tuple[tuple[str, ...], Collection[Key]] | None = None,
    ) -> list[Key]:
        """Return the next distinct values of `columns`, in order, after `after`."""

    def merge(self, table: str, rows: Mapping[Key, Row | None], epoch: int, lsn: int) -> None:
        """Write the net images of a batch's transactions; None deletes the row of that key."""

    def merge_snapshot(
        self, table: str, rows: Mapping[Key, Row], epoch: int, lsn: int, run: int
    ) -> None:
        """Land rows that a snapshot read at `lsn`: a row that changed later is not overwritten."""

    def truncate(self, table: str) -> None:
        """Remove all rows of a table."""

    def unseen_keys(self, table: str, columns: tuple[str, ...], run: int) -> list[Key]:
        """Return the distinct values of `columns` in rows that snapshot `run` did not see."""

    def count_unseen(self, table: str, run: int) -> int:
        """Count the rows that snapshot `run` did not see: those that `sweep` would delete."""

    def sweep(self, table: str, run: int) -> int:
        """Delete the rows that snapshot `run` did not see, and return how many they were."""

    def forget_stages(self) -> None:
        """Forget what was prepared in a transaction that was rolled back."""


class ModuleHub(Protocol):
    """The hub of one module, through one connection."""

    def close(self) -> None:
        """Let go of the connection; an open transaction is rolled back."""

    def transaction(self) -> AbstractContextManager[Any]:
        """Run what follows in one transaction: all of it, or nothing."""

    def take(self) -> ModuleMarks:
        """Become the translator of the module: whoever was it before can't commit any more."""

    def open_mirror(self) -> ModuleMirror:
        """Make the mirror follow the legacy tables' definitions, and open it."""

    def change_table(self, step: TableChanged) -> bool:
        """Make the mirror follow a definition out of the log; False when it does so already."""

    def tables_changed(self) -> bool:
        """Tell whether the legacy definitions differ from those that the mirror follows."""

    def save_marks(self, marks: ModuleMarks) -> None:
        """Write a batch's marks; Fatal when another translator took over."""

    def append_events(self, first_number: int, events: Sequence[IntegrationEvent]) -> None:
        """Append events under the numbers from `first_number` on."""

    def keep_schemas(self, contracts: Iterable[Contract]) -> None:
        """Keep the schemas that stored events were written by."""

    def add_barrier(self, barrier: str, position: tuple[int, int], number: int) -> None:
        """Say that the mirror holds everything before a barrier, whose event has `number`."""

    def read_deletes_max(self) -> int | None:
        """Read how many rows a person lets the next sweep delete; None where nobody has said."""

    def set_deletes_max(self, deletes_max: int | None) -> None:
        """Set the bound, or forget that of a sweep that was made."""

    def note_doubt(
        self, position: tuple[int, int], txid: int, offset: int, reason: str | None = None
    ) -> None:
        """Keep that rows of a transaction may be missing from the change log, once per offset."""

    def load_last_good(self) -> dict[tuple[str, str], State | Failure | None]:
        """Load the quarantined aggregates with the last state that was published."""

    def write_letters(self, letters: Iterable[Letter], contracts: Mapping[str, Contract]) -> None:
        """Write dead letters; an aggregate has one open letter, its newest."""

    def write_undecodable(self, offset: int, reason: str, payload: bytes) -> None:
        """Write a letter for a record of the change log that could not be decoded at all."""

    def resolve_letters(self, names: Collection[tuple[str, str]], state: str) -> None:
        """Close the open letters of aggregates that were published again."""

    def next_emission(self, held: str | None = None) -> Emission | None:
        """Read the oldest request for this module whose reason is not `held`."""

    def request_all(self, aggregate: str, reason: str) -> None:
        """Ask for all aggregates of this module, unless that is asked for and not begun."""

    def request_all_of_other(self, module: str, aggregate: str, reason: str) -> None:
        """Ask another module's translator for all aggregates, whatever stands in its queue."""

    def request_quarantined(self, aggregate: str, reason: str) -> None:
        """Ask for this module's aggregates with open letters: nothing else may know their keys."""

    def request_keys(
        self,
        module: str,
        aggregate: str,
        keys: Collection[Key],
        *,
        reason: str,
        lookup_table: str | None = None,
    ) -> None:
        """Ask for the aggregates with these root keys, or those that look these keys up."""

    def advance_emission(self, emission: Emission, after_key: Key) -> None:
        """Remember how far a request has come."""

    def finish_emission(self, emission: Emission) -> None:
        """Remove a request that is worked off."""

    def spill_changes(self, first: int, changes: Sequence[RowChange]) -> None:
        """Keep changes of a huge transaction under the ordinals from `first` on."""

    def drop_spill(self) -> None:
        """Forget the spilled rows: they are translated, or void."""

    def read_spill(self, chunk_rows: int) -> Iterator[list[RowChange]]:
        """Read the spilled rows in order, in chunks of `chunk_rows`."""

    def make_touch_table(self) -> None:
        """Make the temporary table that says which rows concern which aggregate."""

    def add_touches(self, touches: Iterable[tuple[str, bytes, str, bytes]]) -> None:
        """Note (aggregate, root key, table, row key) of changed rows; doubles do no harm."""

    def read_touched(self, part_size: int) -> Iterator[list[tuple[str, bytes]]]:
        """Read the touched aggregates, (name, root key), in parts of `part_size`."""

    def read_spill_of(self, part: list[tuple[str, bytes]]) -> list[RowChange]:
        """Read, in order, every spilled change that concerns these aggregates, and TRUNCATEs."""
