"""Plans the comparisons of a reconciliation once a barrier was waited for.

Enters: connections, the scope, who passed the barrier. Leaves: comparisons of those who did, and
results of those who did not (LAGGING) or can't be compared at all (ERROR).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import psycopg

from adapters.aggregate import Adapter
from adapters.projection import Projection
from legacy_db.definition import Table, leave_columns_out, read_tables
from legacy_db.postgresql_database import PostgreSQLDatabase
from pipeline.errors import Configuration, IsthmusError
from pipeline.reconcile.aggregates import AggregateReader
from pipeline.reconcile.barrier import Passage
from pipeline.reconcile.connections import Connection, Connections, explain
from pipeline.reconcile.expectation import Expectation, shape_tables
from pipeline.reconcile.legacy_comparison import LegacyComparison
from pipeline.reconcile.options import Options
from pipeline.reconcile.region_comparison import RegionComparison
from pipeline.reconcile.region_side import make_side
from pipeline.reconcile.result import MIRROR, State, TableResult
from pipeline.reconcile.scope import Scope
from pipeline.reconcile.store_table import STORE_SCHEMA
from pipeline.reconcile.tally import Tally


@dataclass(slots=True)
class Plan:
    """The comparisons to do, and the results that stand already."""

    legacy: list[LegacyComparison] = field(default_factory=list)
    regions: list[RegionComparison] = field(default_factory=list)
    settled: list[TableResult] = field(default_factory=list)

    def tallies(self) -> Iterator[Tally]:
        """Yield the tallies of all comparisons."""
        for comparison in self.legacy:
            yield comparison.tally
        for projected in self.regions:
            yield from projected.tallies()

    def close(self) -> None:
        """Remove what the comparisons keep on disk."""
        for tally in self.tallies():
            tally.close()


class Planner:
    """Plans one reconciliation; `now` is where each module stands, for those that lag."""

    def __init__(
        self,
        connections: Connections,
        scope: Scope,
        options: Options,
        passage: Passage,
        now: Mapping[str, str],
    ) -> None:
        self._connections = connections
        self._scope = scope
        self._options = options
        self._passage = passage
        self._now = now
        self._plan = Plan()

    def plan(self, legacy_schema: str) -> Plan:
        """Plan everything in scope."""
        if self._scope.mirror:
            for module in self._scope.modules:
                self._plan_mirror(module, legacy_schema)
        for adapter, projection in self._scope.projected:
            self._plan_projection(adapter, projection)
        return self._plan

    def _plan_mirror(self, module: str, schema: str) -> None:
        names = self._scope.tables[module]
        if module not in self._passage.positions:
            self._lag(module, names, MIRROR, f"the translator of {module}")
            return
        for name in names:
            try:
                keys = self._scope.keys.get(module, {})
                found = self._connections.legacy.read_tables(schema, [name], keys)[name]
                table = leave_columns_out(found, self._scope.left_out)
                if not table.key:
                    raise Configuration(f"{schema}.{name} has no key: rows can't be told apart")
            except (IsthmusError, psycopg.Error) as error:
                self._fail(module, [name], MIRROR, error)
                continue
            mirror = PostgreSQLDatabase(self._connections.hub)
            self._plan.legacy.append(
                LegacyComparison(module, self._connections.legacy, mirror, table, self._options)
            )

    def _plan_projection(self, adapter: Adapter, projection: Projection) -> None:
        module = adapter.module
        names = [projection.table, *(child.table for child in projection.children)]
        passed = self._passage.regions
        waiting = [region for region in self._scope.regions if module not in passed[region]]
        for region in waiting:
            late = module in self._passage.positions
            self._lag(
                module,
                names,
                region,
                f"region {region}" if late else f"the translator of {module}",
            )
        regions = [region for region in self._scope.regions if region not in waiting]
        if not regions:
            return
        try:
            reader = AggregateReader(self._connections.hub, adapter)
        except (IsthmusError, psycopg.Error) as error:
            for region in regions:
                self._fail(module, names, region, error)
            return
        self._plan_regions(reader, adapter, projection, regions)

    def _plan_regions(
        self,
        reader: AggregateReader,
        adapter: Adapter,
        projection: Projection,
        regions: Iterable[str],
    ) -> None:
        names = [projection.table, *(child.table for child in projection.children)]
        expectation: Expectation | None = None
        sides = []
        for region in regions:
            store = self._connections.stores[region]
            try:
                tables = _read_store_tables(store, region, names)
                own = Expectation(adapter, projection, shape_tables(projection, tables))
                expectation = expectation or own
                _check_same_shapes(expectation, own, region)
                sides.append(make_side(region, store, tables, expectation, self._options))
            except (IsthmusError, psycopg.Error) as error:
                self._fail(adapter.module, names, region, error)
        if expectation is not None:
            self._plan.regions.append(RegionComparison(reader, expectation, sides, self._options))

    def _lag(self, module: str, names: Collection[str], region: str, who: str) -> None:
        problem = f"{who} did not pass the barrier within {self._options.timeout_s:g} s"
        position = self._now.get(module) if region == MIRROR else None
        self._plan.settled += [
            TableResult(module, name, region, State.LAGGING, position=position, problem=problem)
            for name in names
        ]

    def _fail(self, module: str, names: Collection[str], region: str, error: Exception) -> None:
        problem = explain(error)
        self._plan.settled += [
            TableResult(module, name, region, State.ERROR, problem=problem) for name in names
        ]


def _read_store_tables(
    connection: Connection, region: str, names: Collection[str]
) -> dict[str, Table]:
    try:
        return read_tables(connection, STORE_SCHEMA, names)
    except Configuration as error:
        raise Configuration(
            f"the store of region {region} lacks one of the tables {', '.join(names)}: has its "
            "replicator run (it migrates the store)?"
        ) from error


def _check_same_shapes(first: Expectation, other: Expectation, region: str) -> None:
    for left, right in zip(first.shapes, other.shapes, strict=True):
        if left != right:
            raise Configuration(
                f"the columns of {left.name} in region {region} have other types than in the "
                "region before it: migrate both stores to the same revision"
            )
