"""Waits until everything that the legacy database holds has arrived in every region.

Enters: the site's settings. Leaves: when a barrier written now was passed by every module and
region, and nothing is left to emit; Unreachable when that takes too long.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline.demo.children import Children
from pipeline.demo.progress import Step
from pipeline.demo.watch import Landscape, Watch
from pipeline.errors import Unreachable
from pipeline.reconcile.barrier import Barriers, EventTopics
from pipeline.reconcile.connections import open_connections
from pipeline.settings import Settings

LOOK_SECONDS = 0.5
ARRIVE_SECONDS_MAX = 600.0
"""On a machine that is busy with other things too; 30 s are usual."""


def wait_until(
    done: Callable[[Landscape], bool], *, step: Step, watch: Watch, children: Children, what: str
) -> None:
    """Look until `done`, showing each look; Fatal when a process dies meanwhile."""
    deadline = time.monotonic() + ARRIVE_SECONDS_MAX
    while True:
        landscape = watch.look()
        step.show(landscape)
        if done(landscape):
            return
        children.check()
        if time.monotonic() > deadline:
            raise Unreachable(
                f"{what} took more than {ARRIVE_SECONDS_MAX:.0f} s: look at the logs in "
                f"{children.folder}"
            )
        time.sleep(LOOK_SECONDS)


def wait_for_arrival(
    settings: Settings, modules: list[str], *, step: Step, watch: Watch, children: Children
) -> None:
    """Wait until all modules are settled and a barrier was passed everywhere."""

    def is_settled(landscape: Landscape) -> bool:
        states = {module.name: module for module in landscape.modules}
        return all(name in states and states[name].is_settled for name in modules)

    where = {"step": step, "watch": watch, "children": children}
    wait_until(is_settled, what="translating and publishing", **where)  # type: ignore[arg-type]
    topics = EventTopics(
        {module: settings.events_topic(module) for module in modules}, settings.event_partitions
    )
    regions = list(settings.regions)
    with open_connections(settings, regions) as connections:
        barriers = Barriers(connections, topics, LOOK_SECONDS)
        barrier = barriers.write()

        def is_passed(_: Landscape) -> bool:
            passage = barriers.wait(barrier, modules, regions)
            passed = all(len(done) == len(modules) for done in passage.regions.values())
            return passed and len(passage.positions) == len(modules)

        step.tell("a barrier is on its way")
        wait_until(is_passed, what="passing a barrier", **where)  # type: ignore[arg-type]
        wait_until(is_settled, what="working off emissions", **where)  # type: ignore[arg-type]
    step.tell(f"{watch.look().events:,} events in every region")
