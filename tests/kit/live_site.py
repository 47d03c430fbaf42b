"""A site that runs: its processes as children, the legacy database under their eyes, and an oracle.

Enters: a site's folder whose stack is up. Leaves: processes that are always ended, and the check
that both regions hold what hand-written SQL over the legacy tables says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
from retail_region_queries import REGION_QUERIES

from pipeline.demo.landscape import (
    apply_connectors,
    make_legacy,
    migrate_targets,
    register_site_contracts,
)
from pipeline.settings import SITE_FILE, load_settings

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = ("customers", "sales", "inventory")
WAIT_SECONDS_MAX = 240.0
POLL_SECONDS = 0.1


SALES_SIGNALS = "create table erp.sales_signal (id text primary key, type text, data text)"
"""Debezium's signal table of module sales; see `declare_sales_signals`."""


def declare_sales_signals(folder: Path) -> None:
    """Give a site declarations of its own, of which module sales has a signal table."""
    shutil.copytree(REPOSITORY / "connectors" / "retail", folder / "declared")
    with (folder / "declared" / "sales.yaml").open("a") as declaration:
        declaration.write("\nconfig: {signal.data.collection: erp.sales_signal}\n")
    file = folder / SITE_FILE
    file.write_text(re.sub(r'(?m)^connectors = ".*"$', 'connectors = "declared"', file.read_text()))


class LiveSite:
    """The processes of one site and the databases that they work on."""

    def __init__(
        self,
        folder: Path,
        *,
        orders: int = 0,
        modules: Sequence[str] = MODULES,
        wait_seconds_max: float = WAIT_SECONDS_MAX,
    ) -> None:
        self.folder = folder
        self.modules = tuple(modules)
        self._wait_seconds_max = wait_seconds_max
        self.settings = load_settings(folder)
        self._orders = orders
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self.arguments = {
            **{f"translate-{one}": ("translate", "--module", one) for one in self.modules},
            "publish": ("publish",),
            **{f"replicate-{one}": ("replicate", "--region", one) for one in self.settings.regions},
        }

    def set_up(self) -> None:
        """Fill the legacy database, migrate the targets, register contracts and connectors."""
        make_legacy(self.settings, orders=self._orders, seed_number=1, tell=_ignore)
        migrate_targets(self.settings, _ignore)
        register_site_contracts(self.settings, _ignore)
        apply_connectors(self.settings, _ignore)

    def start(self, name: str, failpoint: str | None = None) -> None:
        """Start a process; its log goes on where it was."""
        environment = self._environment()
        environment.pop("ISTHMUS_FAILPOINT", None)
        if failpoint is not None:
            environment["ISTHMUS_FAILPOINT"] = failpoint
        command = [sys.executable, "-m", "pipeline.cli", *self.arguments[name]]
        with self.log(name).open("ab") as log:
            self._children[name] = subprocess.Popen(
                [*command, "--site", self.folder],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def _environment(self) -> dict[str, str]:
        """Give the processes the repository's packages, and the site's own."""
        path = os.pathsep.join((str(REPOSITORY), str(self.folder)))
        return {**os.environ, "PYTHONPATH": path}

    def start_all(self) -> None:
        """Start every process that does not run."""
        for name in self.arguments:
            if name not in self._children:
                self.start(name)

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.folder / f"{name}.log"

    def pid(self, name: str) -> int:
        """Return the pid of a process."""
        return self._children[name].pid

    def stop(self, name: str) -> int:
        """End a process by SIGTERM and return its exit code."""
        child = self._children.pop(name)
        child.send_signal(signal.SIGTERM)
        try:
            return child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(30)
            raise AssertionError(f"{name} did not end by SIGTERM: {self.tail(name)}") from None

    def wait_for_end(self, name: str) -> int:
        """Wait until a process has ended by itself and return its exit code."""
        child = self._children[name]
        code = child.wait(WAIT_SECONDS_MAX)
        del self._children[name]
        return code

    def end(self) -> None:
        """Kill every process that is left."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.wait(30)
        self._children.clear()

    def tail(self, name: str) -> str:
        """Return the last lines of a process's log."""
        return "\n".join(self.log(name).read_text().splitlines()[-15:])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the program to its end."""
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments, "--site", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_SECONDS_MAX,
            env=self._environment(),
        )

    def run_json(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with --json and return its exit code and document."""
        done = self.run(*arguments, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def legacy(self, *statements: str) -> None:
        """Run statements in one transaction of the legacy application's owner."""
        with psycopg.connect(self.settings.legacy.owner_url) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def query_legacy(self, statement: str) -> list[tuple[Any, ...]]:
        """Query the legacy database."""
        return _query(self.settings.legacy.owner_url, statement)

    def hub(self, statement: str) -> list[tuple[Any, ...]]:
        """Query the hub."""
        return _query(self.settings.hub_url, statement)

    def store(self, region: str, statement: str) -> list[tuple[Any, ...]]:
        """Query a region's store."""
        return _query(self.settings.regions[region].url, statement)

    def write_hub(self, statement: str) -> None:
        """Change the hub by hand."""
        with psycopg.connect(self.settings.hub_url) as connection:
            connection.execute(statement.encode())

    def write_store(self, region: str, statement: str) -> None:
        """Change a region's store by hand."""
        with psycopg.connect(self.settings.regions[region].url) as connection:
            connection.execute(statement.encode())

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds; fail at once when a process has died."""
        deadline = time.monotonic() + self._wait_seconds_max
        while not condition():
            for name, child in self._children.items():
                if child.poll() is not None:
                    raise AssertionError(f"{name} died ({child.returncode}): {self.tail(name)}")
            assert time.monotonic() < deadline, f"not in time: {what}"
            time.sleep(POLL_SECONDS)

    def wait_for_quiet(self) -> None:
        """Wait until every change up to now is in every region.

        A barrier brings the changes into the mirror and with them the requests to emit again; a
        second one, behind the last request, brings all events into the regions.
        """
        self._pass_barrier(regions=False)
        self.wait(lambda: self.hub("select count(*) from hub.emission")[0][0] == 0, "emissions")
        self._pass_barrier(regions=True)

    def write_barrier(self, barrier: str) -> None:
        """Write a barrier as the reconciliation does."""
        document = json.dumps({"id": barrier})
        self.legacy(f"select pg_logical_emit_message(true, 'isthmus.barrier', '{document}')")

    def _pass_barrier(self, *, regions: bool) -> None:
        barrier = str(uuid.uuid4())
        self.write_barrier(barrier)
        translated = f"select count(*) from hub.barrier where barrier = '{barrier}'"
        self.wait(lambda: self.hub(translated)[0][0] == len(self.modules), "the barrier in the hub")
        if not regions:
            return
        partitions = len(self.modules) * self.settings.event_partitions
        passed = f"select count(*) from replication.barrier where barrier = '{barrier}'"

        def is_passed() -> bool:
            return all(
                self.store(region, passed)[0][0] == partitions for region in self.settings.regions
            )

        self.wait(is_passed, "the barrier in the regions")

    def differences(self) -> list[tuple[str, str, tuple[Any, ...]]]:
        """Compare every region with the hand-written queries: (region, table, row on one side)."""
        found = []
        for table, query in REGION_QUERIES.items():
            expected = set(self.query_legacy(query))
            for region in self.settings.regions:
                stored = set(self.store(region, f"select * from {table}"))
                found += [(region, table, row) for row in expected ^ stored]
        return found

    def check_whole(self) -> None:
        """Assert that nothing is lost, doubled or left: regions, event numbers, dead letters."""
        differences = self.differences()
        assert not differences, f"{len(differences)} rows differ, e.g. {differences[:2]}"
        gaps = self.hub(
            "select module, count(*), max(number) from hub.event group by module "
            "having count(*) <> max(number)"
        )
        assert gaps == []
        doubled = self.hub(
            "select id from hub.event where kind <> 3 group by id having count(*) > 1"
        )
        assert doubled == []
        assert self.hub("select * from hub.dead_letter where state = 'open'") == []
        for region in self.settings.regions:
            assert self.store(region, "select * from replication.dead_letter") == []


def _query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def _ignore(message: str) -> None:
    del message
