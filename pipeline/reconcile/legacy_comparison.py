"""Compares one captured table of the legacy database with its copy in the hub's mirror.

Enters: connections and the table's definitions. Leaves: a `Tally`. Both databases hash the same
ranges of keys; rows' hashes are read where a range differs, values only when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from legacy_db.definition import Table
from legacy_db.key_range import Key, read_key_sql, split_key_ranges
from legacy_db.row_hash import (
    chunk_hashes,
    column_hashes,
    compare_rows,
    read_values,
    row_hash_sql,
    row_hashes,
)
from pipeline.errors import IsthmusError
from pipeline.reconcile.canonical import key_document, key_text
from pipeline.reconcile.connections import Connection, explain
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
        legacy: Connection,
        hub: Connection,
        definition: Table,
        options: Options,
    ) -> None:
        self.module = module
        self._legacy = legacy
        self._hub = hub
        self._table = definition
        self._copy = replace(definition, schema=SCHEMA)
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
        except (psycopg.Error, IsthmusError) as error:
            self._fail(error)

    def look_again(self, *, last: bool) -> None:
        """Judge the candidates, whose module has passed another barrier."""
        if self.tally.problem is not None:
            return
        with self.tally.take_candidates() as candidates:
            for batch in candidates.batches(self._options.candidates_per_batch):
                try:
                    self._judge_batch(batch, last=last)
                except (psycopg.Error, IsthmusError) as error:
                    self._fail(error)
                    return

    def _fail(self, error: Exception) -> None:
        self.tally.problem = (
            f"{self._table.name} in the legacy database and the mirror: {explain(error)}"
        )

    def _scan(self) -> None:
        # the mirror's ranges: counting them off costs the legacy database nothing
        ranges = split_key_ranges(self._hub, self._copy, self._options.rows_per_chunk)
        pairs = zip(
            chunk_hashes(self._legacy, self._table, ranges),
            chunk_hashes(self._hub, self._copy, ranges),
            strict=True,
        )
        for expected, found in pairs:
            self.tally.rows += expected.rows
            if (expected.rows, expected.hash) == (found.rows, found.hash):
                continue
            differences = compare_rows(
                row_hashes(self._legacy, self._table, expected.key_range),
                row_hashes(self._hub, self._copy, expected.key_range),
            )
            for one in differences:
                self.tally.keep(Candidate(_texts(one.key), one.left, one.right))

    def _judge_batch(self, batch: Sequence[Candidate], *, last: bool) -> None:
        keys = [candidate.key for candidate in batch]
        found = self._hashes(self._hub, self._copy, keys)  # before expected: see judge()
        expected = self._hashes(self._legacy, self._table, keys)
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
        left = column_hashes(self._legacy, self._table, keys)
        right = {_texts(k): v for k, v in column_hashes(self._hub, self._copy, keys).items()}
        return {
            _texts(key): differing_columns(hashes, right.get(_texts(key), {}))
            for key, hashes in left.items()
        }

    def _values(
        self, key: KeyText, columns: tuple[str, ...]
    ) -> dict[str, tuple[str | None, str | None]]:
        sides = []
        for connection, table in ((self._legacy, self._table), (self._hub, self._copy)):
            rows = read_values(connection, table, [key], columns=columns)
            sides.append(next(iter(rows.values()), {}))
        names = columns or tuple(column.name for column in self._table.columns)
        return {name: (sides[0].get(name), sides[1].get(name)) for name in names}

    def _hashes(
        self, connection: Connection, table: Table, keys: Sequence[KeyText]
    ) -> dict[KeyText, int]:
        key = read_key_sql(connection, table)
        condition, parameters = key.among(keys)
        statement = sql.SQL("select {}, {} from {} where {}").format(
            key.selected, row_hash_sql(table), key.relation, condition
        )
        with connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(statement, parameters)
            return {_texts(row[:-1]): row[-1] for row in cursor}


def _texts(key: Key) -> KeyText:
    return tuple(map(key_text, key))
