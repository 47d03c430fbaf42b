"""A running site that is cared for: its own declarations, `isthmus care` looking every second.

Enters: a site's folder whose stack is up. Leaves: the site under load, what the care has found, and
the verdict of a reconciliation.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import requests
from live_site import MODULES, REPOSITORY, LiveSite

from legacy_db.retail.migrations import migrate
from legacy_db.retail.workload import run_workload
from pipeline.hub.sweeps import DELETES_MAX
from pipeline.settings import SITE_FILE

HTTP_SECONDS_MAX = 30
SIGNALS = "create table erp.{module}_signal (id text primary key, type text, data text)"

_SLOWLY = """\
  incremental.snapshot.chunk.size: 100
"""
"""A table is read again in small steps: it lasts long enough to be looked at and interrupted."""


class CaredSite(LiveSite):
    """A site with signal tables for the modules in `signals`; `heal` is the care's flag.

    The slots of the modules in `failover` are to be failover slots.
    """

    def __init__(
        self,
        folder: Path,
        *,
        orders: int,
        heal: bool = False,
        signals: tuple[str, ...] = ("sales",),
        failover: tuple[str, ...] = (),
    ) -> None:
        self.declared = folder / "declared"
        shutil.copytree(REPOSITORY / "connectors" / "retail", self.declared)
        for module in dict.fromkeys((*signals, *failover)):
            with (self.declared / f"{module}.yaml").open("a") as file:
                file.write("\nconfig:\n")
                if module in signals:
                    file.write(f"  signal.data.collection: erp.{module}_signal\n{_SLOWLY}")
                if module in failover:
                    file.write("  slot.failover: true\n")
        file = folder / SITE_FILE
        text = re.sub(r'(?m)^connectors = ".*"$', 'connectors = "declared"', file.read_text())
        file.write_text(f"{text}\n[care]\ninterval_s = 1\nsilence_s_max = 60\n")
        super().__init__(folder, orders=orders)
        self._signals = signals
        self.arguments["care"] = ("care", "--heal") if heal else ("care",)

    def begin(self) -> None:
        """Set it up, start every process and wait until the snapshots are in all regions."""
        migrate(self.settings.legacy.owner_url)
        for module in self._signals:
            self.legacy(SIGNALS.format(module=module))
        self.set_up()
        self.start_all()
        complete = "select count(*) from hub.module where snapshot = 'complete'"
        self.wait(lambda: self.hub(complete)[0][0] == len(MODULES), "the snapshots")
        self.wait_for_quiet()
        self.wait(lambda: self._care_file().exists(), "the first look")

    @contextmanager
    def load(self, seed: int, rate: float = 40.0) -> Iterator[None]:
        """Let four clients of the legacy application work while the block runs."""
        stop = threading.Event()
        thread = threading.Thread(
            target=run_workload,
            args=(self.settings.legacy.owner_url,),
            kwargs={"rate": rate, "seconds": 600, "seed": seed, "clients": 4, "stop": stop,
                    "batches": False},
        )  # fmt: skip
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def work(self, seed: int, transactions: int = 60) -> None:
        """Let four clients do so many transactions."""
        run_workload(
            self.settings.legacy.owner_url, rate=200, seconds=transactions / 200, seed=seed,
            clients=4, batches=False,
        )  # fmt: skip

    def findings(self, module: str = "sales") -> dict[str, dict[str, Any]]:
        """Return what the care finds of a module now, by kind."""
        found = self._read_care().get("findings", ())
        return {one["kind"]: one for one in found if one["module"] == module}

    def wait_for_looks(self, number: int = 2) -> None:
        """Wait until the care has looked so many times more."""
        for _ in range(number):
            last = self._read_care().get("checked_at")
            self.wait(lambda one=last: self._read_care().get("checked_at") != one, "a look")  # type: ignore[misc]

    def _read_care(self) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(self._care_file().read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return document

    def wait_for_finding(self, kind: str, module: str = "sales") -> str:
        """Wait until the care has found something; return what it says."""
        self.wait(lambda: kind in self.findings(module), f"care finds {kind!r}")
        return str(self.findings(module)[kind]["text"])

    def wait_for_state(self, state: str, module: str = "sales") -> None:
        """Wait until the connector and all its tasks are in a state (no task: STOPPED)."""

        def reached() -> bool:
            answer = self.connect("GET", f"/{module}/status")
            if not answer.ok:
                return False
            status = answer.json()
            parts = [status["connector"], *status["tasks"]]
            enough = state != "RUNNING" or status["tasks"]
            return bool(enough) and all(part["state"] == state for part in parts)

        self.wait(reached, f"{module} is {state}")

    def told(self, words: str) -> int:
        """Count the lines of the care's log that contain `words`."""
        return sum(words in line for line in self.log("care").read_text().splitlines())

    def connect(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call Connect about a connector of the site: `/sales/config`."""
        url = f"{self.settings.connect_url}/connectors/{self.settings.site}.{path[1:]}"
        return requests.request(method, url, json=body, timeout=HTTP_SECONDS_MAX)

    def edit(self, module: str = "sales", **fields: str) -> None:
        """Edit a connector's config over REST, as somebody does who knows no better."""
        config = self.connect("GET", f"/{module}/config").json()
        edited = {**config, **{key.replace("_", "."): value for key, value in fields.items()}}
        assert self.connect("PUT", f"/{module}/config", edited).ok

    def administer(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in the legacy database as its administrator; rows of the last one."""
        url = self._admin_url().rpartition("/")[0] + f"/{self.database}"
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def database(self) -> str:
        """The legacy database's name."""
        return self.settings.legacy.url.rpartition("/")[2]

    def slot(self, module: str = "sales") -> str:
        """Name a module's slot and publication."""
        return f"isthmus_{self.settings.site}_{module}"

    def is_lost(self, module: str = "sales") -> bool:
        """Say whether a module's slot has lost the log that it needs."""
        query = (
            f"select wal_status from pg_replication_slots where slot_name = '{self.slot(module)}'"
        )
        return self.administer(query) == [("lost",)]

    def do(self, *arguments: str) -> str:
        """Run a command that must succeed; return what it says."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr + done.stdout

    def resume(self, module: str = "sales") -> None:
        """Ask Connect to resume a connector, whatever comes of it."""
        assert self.connect("PUT", f"/{module}/resume").ok

    def doubts(self, module: str = "sales") -> list[str]:
        """List the reasons of the open doubts about a module that the care has noted."""
        rows = self.hub(
            f"select reason from hub.doubt where module = '{module}' and refuted_at is null"
            " and reason is not null"
        )
        return [reason for (reason,) in rows]

    def read_again(self, *modules: str, deletes_max: int = DELETES_MAX) -> None:
        """Read whole modules (sales) again under a new epoch and wait until all have landed."""
        run = "select snapshot_run, snapshot from hub.module where module = '{}'"
        chosen = modules or ("sales",)
        before = {one: self.hub(run.format(one))[0][0] for one in chosen}
        for one in chosen:
            self.do(
                "connectors", "snapshot", "--again", one, "--raise-epoch", "--yes",
                "--deletes-max", str(deletes_max),
            )  # fmt: skip

        def landed() -> bool:
            return all(
                self.hub(run.format(one)) == [(last + 1, "complete")]
                for one, last in before.items()
            )

        self.wait(landed, "the new snapshots")

    def check_equal(self) -> None:
        """Assert that nothing is lost, by the oracle and by a reconciliation that closes doubts."""
        self.wait_for_quiet()
        self.check_whole()
        code, document = self.run_json("reconcile")
        assert (code, document["verdict"]) == (0, "MATCH"), document

    def _admin_url(self) -> str:
        state = json.loads((self.settings.state_folder / "stack.json").read_text())
        return str(state["variables"]["ISTHMUS_POSTGRES_ADMIN_URL"])

    def _care_file(self) -> Path:
        return self.settings.state_folder / "care.json"
