"""Compares one captured table of the legacy database with its copy in the hub's mirror.

Enters: both databases and the table's definitions. Leaves: a `Tally`. Both databases hash the same
ranges of keys; rows' hashes are read where a range differs, values only when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from legacy_db.database import LegacyDatabase
from legacy_db.definition import Table
from legacy_db.key_range import Key
from legacy_db.row_hash import compare_rows
from pipeline.errors import IsthmusError
from pipeline.reconcile.canonical import key_document, key_text
from pipeline.reconcile.connections import explain
from pipeline.reconcile.judgement import (
    Candidate,
    Judgement,
    KeyText,
    differing_columns,
    judge,
    kind_of,
)
from pipeline.reconcile.options import Options
from pipeline.reconcile.result import MIRROR, Kind
from pipeline.reconcile.tally import Tally
from pipeline.translate.mirror_table import SCHEMA

Decided = tuple[Candidate, int | None, int | None]


class LegacyComparison:
    """Compares one table; `scan` once, then `look_again` behind each further barrier."""

    def __init__(
        self,
        module: str,
        legacy: LegacyDatabase,
        mirror: LegacyDatabase,
        definition: Table,
        options: Options,
    ) -> None:
        self.module = module
        self._legacy = legacy
        self._mirror = mirror
        self._table = definition
        self._copy = _describe_copy(definition)
        self._options = options
        types = [definition.column(name).type for name in definition.key]
        self.tally = Tally(
            module=module,
            table=definition.name,
            region=MIRROR,
            key_document=lambda key: key_document(definition.key, types, key),
            keys_max=options.keys_max,
        )

    def scan(self) -> None:
        """Compare all rows once; what differs becomes a candidate."""
        try:
            self._scan()
        except IsthmusError as error:
            self._fail(error)

    def look_again(self, *, last: bool) -> None:
        """Judge the candidates, whose module has passed another barrier."""
        if self.tally.problem is not None:
            return
        with self.tally.take_candidates() as candidates:
            for batch in candidates.batches(self._options.candidates_per_batch):
                try:
                    self._judge_batch(batch, last=last)
                except IsthmusError as error:
                    self._fail(error)
                    return

    def _fail(self, error: Exception) -> None:
        self.tally.problem = (
            f"{self._table.name} in the legacy database and the mirror: {explain(error)}"
        )

    def _scan(self) -> None:
        # the mirror's ranges: counting them off costs the legacy database nothing
        ranges = self._mirror.split_key_ranges(self._copy, self._options.rows_per_chunk)
        pairs = zip(
            self._legacy.chunk_hashes(self._table, ranges),
            self._mirror.chunk_hashes(self._copy, ranges),
            strict=True,
        )
        for expected, found in pairs:
            self.tally.rows += expected.rows
            if (expected.rows, expected.hash) == (found.rows, found.hash):
                continue
            differences = compare_rows(
                self._legacy.row_hashes(self._table, expected.key_range),
                self._mirror.row_hashes(self._copy, expected.key_range),
            )
            for one in differences:
                self.tally.keep(Candidate(_texts(one.key), one.left, one.right))

    def _judge_batch(self, batch: Sequence[Candidate], *, last: bool) -> None:
        keys = [candidate.key for candidate in batch]
        found = _hashes(self._mirror, self._copy, keys)  # before expected: see judge()
        expected = _hashes(self._legacy, self._table, keys)
        decided: list[Decided] = []
        for candidate in batch:
            left, right = expected.get(candidate.key), found.get(candidate.key)
            judgement = judge(candidate, expected=left, found=right, last=last)
            if judgement is Judgement.MOVING:
                self.tally.keep(Candidate(candidate.key, left, right))
            elif judgement is Judgement.DIFFERENT:
                decided.append((candidate, left, right))
        if decided:
            self._decide(decided)

    def _decide(self, decided: Sequence[Decided]) -> None:
        changed = [one.key for one, left, right in decided if left is not None is not right]
        columns = self._differing_columns(changed) if self.tally.wants_details() else {}
        for candidate, left, right in decided:
            kind = kind_of(left, right)
            names = columns.get(candidate.key, ()) if kind is Kind.CHANGED else ()
            values = None
            if self._options.show_values and self.tally.wants_details():
                values = self._values(candidate.key, names)
            self.tally.decide(candidate.key, kind, columns=names, values=values)

    def _differing_columns(self, keys: Sequence[KeyText]) -> dict[KeyText, tuple[str, ...]]:
        left = self._legacy.column_hashes(self._table, keys)
        right = {_texts(k): v for k, v in self._mirror.column_hashes(self._copy, keys).items()}
        return {
            _texts(key): differing_columns(hashes, right.get(_texts(key), {}))
            for key, hashes in left.items()
        }

    def _values(
        self, key: KeyText, columns: tuple[str, ...]
    ) -> dict[str, tuple[str | None, str | None]]:
        sides = []
        for database, table in ((self._legacy, self._table), (self._mirror, self._copy)):
            rows = database.read_values(table, [key], columns)
            sides.append(next(iter(rows.values()), {}))
        names = columns or tuple(column.name for column in self._table.columns)
        return {name: (sides[0].get(name), sides[1].get(name)) for name in names}


def _describe_copy(table: Table) -> Table:
    """Describe the mirror's table: its columns have the mirror's types as their own."""
    columns = tuple(replace(column, native=None) for column in table.columns)
    return replace(table, schema=SCHEMA, columns=columns)


def _hashes(database: LegacyDatabase, table: Table, keys: Sequence[KeyText]) -> dict[KeyText, int]:
    return {_texts(key): found for key, found in database.hashes_by_key(table, keys).items()}


def _texts(key: Key) -> KeyText:
    return tuple(map(key_text, key))
