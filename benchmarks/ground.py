"""Where the benchmarks run: a stack, a site and a legacy database of their own, removed afterwards.

Enters: the number of orders. Leaves: a `Ground` whose modules have their first snapshot behind
them, with processes that are started and ended by name.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from connectors import operate
from connectors.client import ConnectClient
from pipeline.demo.children import Children, Task
from pipeline.demo.landscape import (
    apply_connectors,
    make_legacy,
    migrate_targets,
    register_site_contracts,
)
from pipeline.local_stack.guard import guarded
from pipeline.local_stack.stack import LocalStack
from pipeline.reconcile.barrier import Barriers, EventTopics
from pipeline.reconcile.connections import open_connections
from pipeline.settings import SITE_FILE, Settings, load_settings

REPOSITORY = Path(__file__).resolve().parent.parent
SERVERS = ("postgres", "kafka")
ARRIVE_SECONDS_MAX = 900.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ground:
    """A running stack with everything in place; `modules` are captured."""

    settings: Settings
    stack: LocalStack
    children: Children
    modules: list[str]

    def service_pids(self, *names: str) -> list[int]:
        """Return the pids of servers of the stack."""
        found = [self.stack.find_pid(name) for name in names]
        return [pid for pid in found if pid is not None]

    def tasks(self) -> list[Task]:
        """Return all processes of ours."""
        regions = self.settings.regions
        return [
            *(Task(f"translate-{one}", ("translate", "--module", one)) for one in self.modules),
            Task("publish", ("publish",)),
            *(Task(f"replicate-{one}", ("replicate", "--region", one)) for one in regions),
        ]

    def start_all(self) -> list[int]:
        """Start all processes of ours and return their pids."""
        return [self.children.start(task) for task in self.tasks()]

    def change_connectors(self, state: str, modules: list[str]) -> None:
        """Pause or resume the connectors of modules."""
        client = ConnectClient(self.settings.connect_url)
        for module in modules:
            operate.change_state(client, f"{self.settings.site}.{module}", state)

    def write_barrier(self) -> str:
        """Write a barrier into the legacy database and return its id."""
        with self.barriers(0.0) as barriers:
            return barriers.write()

    @contextmanager
    def barriers(self, timeout_s: float) -> Iterator[Barriers]:
        """Give what writes barriers and waits for them."""
        topics = EventTopics(
            {module: self.settings.events_topic(module) for module in self.modules},
            self.settings.event_partitions,
        )
        with open_connections(self.settings, list(self.settings.regions)) as connections:
            yield Barriers(connections, topics, timeout_s)

    def wait_for_arrival(self) -> None:
        """Wait until everything that is in the legacy database now is in every region."""
        regions = list(self.settings.regions)
        deadline = time.monotonic() + ARRIVE_SECONDS_MAX
        with self.barriers(LOOK_SECONDS) as barriers:
            barrier = barriers.write()
            while True:
                passage = barriers.wait(barrier, self.modules, regions)
                if all(len(done) == len(self.modules) for done in passage.regions.values()):
                    return
                self.children.check()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not arrived within {ARRIVE_SECONDS_MAX:.0f} s")

    def count_dead_letters(self) -> dict[str, int]:
        """Return how many dead letters are open, by what broke."""
        query = (
            "select coalesce(type || ': ' || expectation, reason), count(*) from hub.dead_letter "
            "where state = 'open' group by 1 order by 1"
        )
        with psycopg.connect(self.settings.hub_url) as hub:
            return {str(what): int(count) for what, count in hub.execute(query)}

    def wait_for_snapshots(self) -> None:
        """Wait until every module has its first snapshot, and all of its events are published."""
        deadline = time.monotonic() + ARRIVE_SECONDS_MAX
        query = (
            "select count(*) from hub.module m join hub.relay r using (module) "
            "where m.snapshot = 'complete' and r.published_up_to = m.next_number - 1 "
            "and not exists (select from hub.emission e where e.module = m.module)"
        )
        with psycopg.connect(self.settings.hub_url, autocommit=True) as hub:
            while hub.execute(query).fetchone() != (len(self.modules),):
                self.children.check()
                if time.monotonic() > deadline:
                    raise TimeoutError("the snapshots are not complete")
                time.sleep(0.2)
        self.wait_for_arrival()


@contextmanager
def make_ground(orders: int, tell: Callable[[str], None]) -> Iterator[Ground]:
    """Start a stack, fill and capture a legacy database; remove everything behind the block."""
    with ExitStack() as cleaning:
        folder = Path(cleaning.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-bench-")))
        _write_site(folder)
        stack = LocalStack(folder)
        cleaning.enter_context(guarded(stack))
        tell("starting the stack")
        stack.up()
        settings = load_settings(folder)
        make_legacy(settings, orders=orders, seed_number=1, tell=tell)
        migrate_targets(settings, tell)
        register_site_contracts(settings, tell)
        modules = apply_connectors(settings, tell)
        children = Children(folder)
        cleaning.callback(children.stop_all)
        yield Ground(settings, stack, children, modules)


def _write_site(folder: Path) -> None:
    text = (REPOSITORY / SITE_FILE).read_text()
    for key in ("connectors", "contracts", "store_migrations"):
        text = re.sub(rf'(?m)^{key} = "(.*)"$', rf'{key} = "{REPOSITORY}/\1"', text)
    (folder / SITE_FILE).write_text(text)
