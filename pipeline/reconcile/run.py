"""Runs a reconciliation: write a barrier, compare, and look again at what differs.

Enters: the settings and a scope. Leaves: a `Reconciliation`. A module or region that does not pass
the barrier in time is LAGGING and not compared: nothing could be concluded from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import psycopg

from pipeline.errors import Fatal, Unreachable
from pipeline.hub.doubts import list_open_doubts, refute_doubts
from pipeline.reconcile.barrier import Barriers, EventTopics, Passage, read_now
from pipeline.reconcile.connections import Connections, explain, open_connections
from pipeline.reconcile.options import Options
from pipeline.reconcile.plan import Plan, Planner
from pipeline.reconcile.quarantine import read_quarantine
from pipeline.reconcile.result import MIRROR, Reconciliation, State, TableResult
from pipeline.reconcile.scope import Scope
from pipeline.settings import Settings

Announce = Callable[[str], None]
Clock = Callable[[], datetime]


def reconcile(
    settings: Settings, scope: Scope, options: Options, *, clock: Clock, announce: Announce
) -> Reconciliation:
    """Compare the legacy database with the mirror and the mirror with the stores within `scope`.

    `announce` is told what is being done. Unreachable when a database is not there; a table that
    can't be compared is an ERROR of its own.
    """
    try:
        return _reconcile(settings, scope, options, clock, announce)
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"a database went away during the reconciliation ({explain(error)}): "
            "is it running? Then reconcile again"
        ) from error
    except psycopg.Error as error:
        raise Fatal(
            f"the reconciliation failed in a database: {explain(error)}: has every store and the "
            "hub the newest revision, and may their roles read all tables?"
        ) from error


def _reconcile(
    settings: Settings, scope: Scope, options: Options, clock: Clock, announce: Announce
) -> Reconciliation:
    started_at = clock()
    topics = EventTopics(
        {module: settings.events_topic(module) for module in scope.modules},
        settings.event_partitions,
    )
    with open_connections(settings, scope.regions) as connections:
        barriers = Barriers(connections, topics, options.timeout_s)
        announce("waiting until the barrier is passed")
        passage = barriers.wait(barriers.write(), scope.modules, scope.regions)
        now = read_now(connections.hub, scope.modules)
        plan = Planner(connections, scope, options, passage, now).plan(settings.legacy.schema)
        try:
            _scan(plan, connections, announce)
            _look_again(plan, connections, barriers, options, announce)
            tables = [*plan.settled, *_results(plan, passage)]
        finally:
            plan.close()
        refute_doubts(connections.hub, passage.barrier, _find_equal_mirrors(tables))
        doubts = list_open_doubts(connections.hub, scope.modules)
    return Reconciliation(_sort(tables, scope), passage.barrier, started_at, clock(), tuple(doubts))


def _scan(plan: Plan, connections: Connections, announce: Announce) -> None:
    for comparison in plan.legacy:
        announce(f"comparing {comparison.tally.table} in the legacy database and the mirror")
        comparison.scan()
    quarantine = read_quarantine(connections.hub, connections.stores)
    for projected in plan.regions:
        announce(f"comparing {projected.aggregate} in the mirror and the stores")
        projected.scan(quarantine)


def _look_again(
    plan: Plan, connections: Connections, barriers: Barriers, options: Options, announce: Announce
) -> None:
    for number in range(1, options.rounds + 1):
        waiting = [tally for tally in plan.tallies() if len(tally.candidates)]
        if not waiting:
            return
        keys = sum(len(tally.candidates) for tally in waiting)
        announce(f"looking again at {keys} keys that differ (round {number} of {options.rounds})")
        modules = {tally.module for tally in waiting}
        regions = {tally.region for tally in waiting} - {MIRROR}
        unsettled = barriers.settle_emissions(modules)
        passage = barriers.wait(barriers.write(), modules, regions)
        last = number == options.rounds
        for comparison in plan.legacy:
            if comparison.module in passage.positions:
                comparison.look_again(last=last)
        quarantine = read_quarantine(connections.hub, connections.stores)
        for projected in plan.regions:
            if projected.module not in unsettled:
                passed = _regions_past(passage, projected.module)
                projected.look_again(passed, quarantine, last=last)


def _regions_past(passage: Passage, module: str) -> list[str]:
    return [region for region, modules in passage.regions.items() if module in modules]


def _results(plan: Plan, passage: Passage) -> list[TableResult]:
    return [tally.result(passage.positions.get(tally.module)) for tally in plan.tallies()]


def _find_equal_mirrors(tables: Iterable[TableResult]) -> set[str]:
    """Name the modules all of whose tables are the same in the legacy database and the mirror."""
    mirrored = [table for table in tables if table.region == MIRROR]
    differing = {table.module for table in mirrored if table.state is not State.MATCH}
    return {table.module for table in mirrored} - differing


def _sort(tables: list[TableResult], scope: Scope) -> tuple[TableResult, ...]:
    """Sort by module, then mirror before regions, in the order of the settings."""
    regions = (MIRROR, *scope.regions)
    return tuple(
        sorted(
            tables,
            key=lambda one: (scope.modules.index(one.module), regions.index(one.region)),
        )
    )
