"""Compares what an adapter makes of the mirror with the tables of one projection, in every region.

Enters: the hub's mirror and the stores. Leaves: a `Tally` per region and table. The expected rows
of a chunk of aggregates are made once for all regions; a store answers with a sum of hashes, and
only chunks whose sums differ are looked into.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import psycopg

from adapters.aggregate import Key
from legacy_db.row_hash import hash_texts
from pipeline.errors import IsthmusError
from pipeline.reconcile.aggregates import AggregateReader
from pipeline.reconcile.connections import explain
from pipeline.reconcile.expectation import UNREADABLE, Expectation, ExpectedAggregate, RowTexts
from pipeline.reconcile.judgement import (
    Candidate,
    Judgement,
    KeyText,
    differing_columns,
    judge,
    kind_of,
)
from pipeline.reconcile.options import Options
from pipeline.reconcile.quarantine import Quarantine
from pipeline.reconcile.region_side import RegionSide
from pipeline.reconcile.result import Kind
from pipeline.reconcile.tally import Tally


class RegionComparison:
    """Compares one projection; `scan` once, then `look_again` behind each further barrier."""

    def __init__(
        self,
        reader: AggregateReader,
        expectation: Expectation,
        sides: Sequence[RegionSide],
        options: Options,
    ) -> None:
        self._reader = reader
        self._expectation = expectation
        self._sides = tuple(sides)
        self._options = options
        self.aggregate = expectation.adapter.aggregate

    @property
    def module(self) -> str:
        """The module that owns the aggregate."""
        return self._expectation.adapter.module

    def tallies(self) -> Iterator[Tally]:
        """Yield what is found, per region and table."""
        for side in self._sides:
            yield from side.tallies

    def scan(self, quarantine: Quarantine) -> None:
        """Compare all aggregates once; what differs becomes a candidate."""
        with self._failing():
            for side in self._working_sides():
                with _failing_side(side):
                    side.tables[0].begin_expected()
            for keys in self._reader.root_keys(self._options.rows_per_chunk):
                expected = self._expect(keys)
                for side in self._working_sides():
                    with _failing_side(side):
                        self._compare_chunk(side, expected, quarantine)
            for side in self._working_sides():
                with _failing_side(side):
                    self._find_unexpected(side, quarantine)

    def look_again(self, regions: Collection[str], quarantine: Quarantine, *, last: bool) -> None:
        """Judge the candidates of `regions`, which have passed another barrier."""
        with self._failing():
            for side in self._working_sides():
                for place in range(len(side.tables) if side.region in regions else 0):
                    self._look_again(side, place, quarantine, last=last)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Make ERRORs of all regions of what the mirror or the adapter is to blame for."""
        try:
            yield
        except (psycopg.Error, IsthmusError) as error:
            for side in self._working_sides():
                side.fail(explain(error))

    def _working_sides(self) -> list[RegionSide]:
        return [side for side in self._sides if not side.failed]

    def _expect(self, keys: Sequence[Key]) -> list[ExpectedAggregate]:
        loaded = self._reader.load(keys)
        expect = self._expectation.expect
        return [expect(key, loaded.get(root)) for root, key in self._reader.by_text(keys).items()]

    def _compare_chunk(
        self, side: RegionSide, expected: Sequence[ExpectedAggregate], quarantine: Quarantine
    ) -> None:
        compared = []
        letters = quarantine.letters(side.region, self.aggregate)
        for aggregate in expected:
            letter = letters.get(aggregate.subject) if letters else None
            if letter is None:
                compared.append(aggregate)
            else:
                side.quarantine(aggregate.parent, letter.reason)
        side.tables[0].add_expected(aggregate.parent for aggregate in expected)
        for place in range(len(side.tables)):
            # of an aggregate that can't be read, only the parent's row is known to be expected
            known = compared if place == 0 else [one for one in compared if one.readable]
            side.compare(place, known)

    def _find_unexpected(self, side: RegionSide, quarantine: Quarantine) -> None:
        parent = side.tables[0]
        self._account_for_letters(side, quarantine)
        parent.end_expected()
        for table, tally in zip(side.tables, side.tallies, strict=True):
            for rows in table.unexpected(side.tallies[0].table, self._options.rows_per_chunk):
                for key, found in rows:
                    tally.keep(Candidate(key, None, found))
        parent.end()

    def _account_for_letters(self, side: RegionSide, quarantine: Quarantine) -> None:
        """List letters of aggregates that the mirror doesn't have (any more); expect their rows."""
        parents = []
        for letter in quarantine.letters(side.region, self.aggregate).values():
            if letter.root_key is not None:
                parents.append(self._expectation.parent_key(letter.root_key))
                side.quarantine(parents[-1], letter.reason)
        side.tables[0].add_expected(parents)

    def _look_again(
        self, side: RegionSide, place: int, quarantine: Quarantine, *, last: bool
    ) -> None:
        tally = side.tallies[place]
        with _failing_side(side), tally.take_candidates() as candidates:
            for batch in candidates.batches(self._options.candidates_per_batch):
                self._judge_batch(side, place, batch, quarantine, last=last)

    def _judge_batch(
        self,
        side: RegionSide,
        place: int,
        batch: Sequence[Candidate],
        quarantine: Quarantine,
        *,
        last: bool,
    ) -> None:
        # found before expected: see judge()
        found = side.tables[place].texts_of([candidate.key for candidate in batch])
        roots = self._find_roots(batch)
        aggregates = self._expect_again(list(dict.fromkeys(roots.values())))
        tally = side.tallies[place]
        for candidate in batch:
            root = roots.get(candidate.key)
            aggregate = aggregates.get(root) if root is not None else None
            if aggregate is not None:
                letter = quarantine.find(side.region, self.aggregate, aggregate.subject)
                if letter is not None:
                    side.quarantine(aggregate.parent, letter.reason)
                    continue
            self._judge(tally, place, candidate, aggregate, found.get(candidate.key), last=last)

    def _judge(
        self,
        tally: Tally,
        place: int,
        candidate: Candidate,
        aggregate: ExpectedAggregate | None,
        found: RowTexts | None,
        *,
        last: bool,
    ) -> None:
        expected = aggregate.rows[place].get(candidate.key) if aggregate is not None else None
        hashes = (_hash(expected), _hash(found))
        if aggregate is not None and not aggregate.readable:
            if place:
                tally.keep(candidate)  # the parent's row says what is wrong
                return
            hashes = (UNREADABLE, hashes[1])
        judgement = judge(candidate, expected=hashes[0], found=hashes[1], last=last)
        if judgement is Judgement.MOVING:
            root = aggregate.root if aggregate is not None else candidate.root
            tally.keep(Candidate(candidate.key, *hashes, root))
        elif judgement is Judgement.DIFFERENT:
            self._decide(tally, place, Candidate(candidate.key, *hashes), expected, found)

    def _decide(
        self,
        tally: Tally,
        place: int,
        now: Candidate,
        expected: RowTexts | None,
        found: RowTexts | None,
    ) -> None:
        kind = kind_of(now.expected, now.found)
        columns = self._expectation.shapes[place].columns
        wanted = dict(zip(columns, expected or (), strict=False))
        actual = dict(zip(columns, found or (), strict=False))
        differing = differing_columns(wanted, actual) if kind is Kind.CHANGED else ()
        values = None
        if self._options.show_values:
            names = differing if kind is Kind.CHANGED else columns
            values = {name: (wanted.get(name), actual.get(name)) for name in names}
        tally.decide(now.key, kind, columns=differing, values=values)

    def _expect_again(self, roots: Sequence[KeyText]) -> dict[KeyText, ExpectedAggregate]:
        loaded = self._reader.load(roots)
        keys = self._reader.keys_of(roots)
        return {root: self._expectation.expect(key, loaded.get(root)) for root, key in keys.items()}

    def _find_roots(self, batch: Sequence[Candidate]) -> dict[KeyText, KeyText]:
        """Return the root key of each candidate's aggregate, by the candidate's key.

        A row that nobody expected at the scan has none: its aggregate may have come meanwhile, so
        all root keys of the mirror are asked once for the whole batch.
        """
        roots = {one.key: one.root for one in batch if one.root is not None}
        width = len(self._expectation.projection.key)
        unknown: dict[KeyText, list[KeyText]] = {}
        for one in batch:
            if one.root is None:
                unknown.setdefault(one.key[:width], []).append(one.key)
        if unknown:
            for keys in self._reader.root_keys(self._options.rows_per_chunk):
                for text, key in self._reader.by_text(keys).items():
                    for candidate in unknown.get(self._expectation.parent_key(key), ()):
                        roots[candidate] = text
        return roots


def _hash(texts: RowTexts | None) -> int | None:
    return None if texts is None else hash_texts(texts)


@contextmanager
def _failing_side(side: RegionSide) -> Iterator[None]:
    """Make an ERROR of one region of what its store is to blame for."""
    try:
        yield
    except psycopg.Error as error:
        side.fail(f"the store of region {side.region}: {explain(error)}")
