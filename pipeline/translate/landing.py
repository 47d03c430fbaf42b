"""Lands what a translation made: mirror rows, events, letters and requests to emit again.

Enters: a translation's working set and outcome. Leaves: rows in the hub, within the transaction of
the batch. Shared by ordinary transactions, huge ones and emissions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.translate.batch import Name, RowWrite, Translation, decode_write
from pipeline.translate.event_maker import EventMaker, Moment, Outcome
from pipeline.translate.working_set import Roles, WorkingSet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapters.aggregate import Key
    from adapters.contract import Contract
    from adapters.envelope import RowChange
    from pipeline.translate.module_hub import ModuleHub, ModuleMirror

_PAGE_KEYS = 10_000


@dataclass(slots=True)
class BatchFacts:
    """What a batch did, for the log line."""

    transactions: int = 0
    rows: int = 0
    snapshot_rows: int = 0
    events: int = 0
    letters: int = 0
    done: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Landing:
    """Where one module's translations land; `next_number` is that of its next event.

    `lenient` decodes images of an earlier definition of their table, see `decode_write`. Of the
    tables that are `partly_read` a snapshot leaves rows out, which are not gone for that.
    """

    hub: ModuleHub
    module: str
    roles: Roles
    mirror: ModuleMirror
    maker: EventMaker
    contracts: Mapping[str, Contract]
    next_number: int
    lenient: bool = False
    partly_read: frozenset[str] = frozenset()
    facts: BatchFacts = field(default_factory=BatchFacts)

    def decode(self, changes: Sequence[RowChange]) -> list[RowWrite]:
        """Decode changes by the mirror's codecs."""
        codecs = self.mirror.codecs
        return [decode_write(change, codecs, lenient=self.lenient) for change in changes]

    def new_translation(self, only: frozenset[Name] | None = None) -> Translation:
        """Begin a translation with nothing loaded."""
        return Translation(self.roles, self.maker, WorkingSet(self.roles), Outcome(), only)

    def land(self, translation: Translation, moment: Moment, reason: str | None = None) -> None:
        """Write the net rows, and ask for the aggregates that look changed rows up.

        Those of this module are asked for with `reason`, if there is one.
        """
        for table in sorted(translation.truncated):
            self._request_truncated(table)
            self.mirror.truncate(table)
        self.facts.done += [
            f"{count} rows of {table} did not fit its definition and are not in the mirror: take a "
            "snapshot of the table again"
            for table, count in translation.unmirrored.items()
        ]
        for table, rows in translation.rows.dirty.items():
            self.mirror.merge(table, rows, moment.epoch, moment.lsn)
        for (module, aggregate, table), keys in translation.watched.items():
            self.hub.request_keys(
                module,
                aggregate,
                keys,
                reason=(reason if module == self.module else None) or f"{table} changed",
                lookup_table=table,
            )

    def keep_outcome(self, outcome: Outcome, resolved_as: str = "superseded") -> None:
        """Append the events under the next numbers; write and resolve letters."""
        if outcome.contracts:
            self.hub.keep_schemas(outcome.contracts.values())
        self.hub.append_events(self.next_number, outcome.events)
        self.next_number += len(outcome.events)
        if outcome.resolved:
            self.hub.resolve_letters(outcome.resolved, resolved_as)
        if outcome.letters:
            letters = list(outcome.letters.values())
            types = {letter.type for letter in letters}
            self.hub.keep_schemas([self.contracts[type_] for type_ in sorted(types)])
            self.hub.write_letters(letters, self.contracts)
        self.facts.events += len(outcome.events)
        self.facts.letters += len(outcome.letters)

    def _request_truncated(self, table: str) -> None:
        """Ask for every aggregate that has rows in a table that is about to be emptied.

        Those that look its rows up are all asked for: nobody knows any more which ones did.
        """
        reason = f"{table} truncated"
        for watch in self.roles.watches.get(table, ()):
            if watch.adapter.module == self.module:
                self.hub.request_all(watch.adapter.aggregate, reason)
            else:
                self.hub.request_all_of_other(watch.adapter.module, watch.adapter.aggregate, reason)
        for role in self.roles.by_table.get(table, ()):
            if role.is_root:
                self.hub.request_quarantined(role.adapter.aggregate, reason)
            after: Key | None = None
            while page := self.mirror.page_keys(table, role.columns, after, _PAGE_KEYS):
                self.hub.request_keys(
                    self.module,
                    role.adapter.aggregate,
                    page,
                    reason=reason,
                )
                after = page[-1]
