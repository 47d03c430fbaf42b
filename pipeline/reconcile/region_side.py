"""One region's side of a comparison: the projection's tables, and what is found in each.

Enters: expected aggregates. Leaves: candidates and quarantined keys in the tallies of the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from legacy_db.definition import Table
from pipeline.reconcile.canonical import key_document
from pipeline.reconcile.connections import Connection
from pipeline.reconcile.expectation import Expectation, ExpectedAggregate
from pipeline.reconcile.judgement import Candidate, KeyText, compare_hashes
from pipeline.reconcile.options import Options
from pipeline.reconcile.store_table import StoreTable
from pipeline.reconcile.tally import Tally


@dataclass(frozen=True, slots=True)
class RegionSide:
    """The projection's tables in one region (parent's first), and what is found in each."""

    region: str
    tables: tuple[StoreTable, ...]
    tallies: tuple[Tally, ...]

    @property
    def failed(self) -> bool:
        """Whether a comparison failed."""
        return any(tally.problem is not None for tally in self.tallies)

    def fail(self, problem: str) -> None:
        """Note why the region can't be compared (any further)."""
        for tally in self.tallies:
            tally.problem = problem

    def quarantine(self, parent: KeyText, reason: str) -> None:
        """Note in every table that the aggregate with that key has an open dead letter."""
        for tally in self.tallies:
            tally.quarantine(parent, reason)

    def compare(self, place: int, aggregates: Sequence[ExpectedAggregate]) -> None:
        """Compare the rows of `aggregates` in table number `place`; keep what differs."""
        table, tally = self.tables[place], self.tallies[place]
        hashes: dict[KeyText, int] = {}
        for aggregate in aggregates:
            hashes.update(aggregate.hashes[place])
        tally.rows += len(hashes)
        parents = [aggregate.parent for aggregate in aggregates]
        if table.sum_of(parents) == (len(hashes), sum(hashes.values())):
            return
        roots = {aggregate.parent: aggregate.root for aggregate in aggregates}
        for candidate in compare_hashes(hashes, table.hashes_of(parents)):
            root = roots[candidate.key[: len(parents[0])]]
            tally.keep(Candidate(candidate.key, candidate.expected, candidate.found, root))


def make_side(
    region: str,
    connection: Connection,
    definitions: Mapping[str, Table],
    expectation: Expectation,
    options: Options,
) -> RegionSide:
    """Make the region's side of a comparison from the definitions of its tables."""
    tables, tallies = [], []
    for shape in expectation.shapes:
        table = definitions[shape.name]
        types = [table.column(name).type for name in shape.key]
        tables.append(StoreTable(connection, table, shape, expectation.projection.key))
        tallies.append(
            Tally(
                module=expectation.adapter.module,
                table=shape.name,
                region=region,
                key_document=partial(key_document, shape.key, types),
                keys_max=options.keys_max,
            )
        )
    return RegionSide(region, tuple(tables), tuple(tallies))
