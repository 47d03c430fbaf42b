"""A running site on a real MariaDB that is cared for: `isthmus care` looks every second.

Enters: as for MariaDBSite. Leaves: the site with a signal table, what the care has found, and the
verdict of a reconciliation that closes doubts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mariadb_connect import MariaDBConnect
from mariadb_server import MariaDBServer
from mariadb_site import MODULE, MariaDBSite
from mariadb_tables import DDL, SEED

from pipeline.settings import SITE_FILE

SIGNALS = f"{MODULE}_signal"
LARGE_SECONDS_MAX = 480.0
"""A transaction of 200,000 rows takes its time where the machine has much else to do."""


class CaredMariaDB(MariaDBSite):
    """The site; its tables are those of mariadb_tables."""

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        server: MariaDBServer,
        connect: MariaDBConnect,
        *,
        name: str,
    ) -> None:
        config = {
            "signal.data.collection": f"{name}.{SIGNALS}",
            # a table that is read again lasts long enough to be looked at
            "incremental.snapshot.chunk.size": "100",
            # a lock may hold up a snapshot for longer than the 10 s behind which it fails
            "snapshot.lock.timeout.ms": "600000",
            # a server that was restarted is found again sooner than in two minutes
            "connect.keep.alive.interval.ms": "10000",
        }
        super().__init__(
            folder, variables, server, connect, name=name, ddl=DDL, config=config,
            wait_seconds_max=LARGE_SECONDS_MAX,
        )  # fmt: skip
        with (folder / SITE_FILE).open("a") as file:
            file.write("[care]\ninterval_s = 1\n")
        self.arguments["care"] = ("care",)

    def begin(self) -> None:
        """Set it up, start every process and wait until the snapshot is in both regions."""
        for statement in SEED:
            self.owner.execute(statement)
        self.set_up()
        self.start_all()
        self.wait_for_snapshot(1)
        self.wait_for_quiet()
        self.wait(self._care_file().exists, "the first look")

    def restart_server(self, while_down: Callable[[], None]) -> None:
        """Shut the legacy database's server down, do something to it, and start it again."""
        self.owner.close()
        self.server.stop()
        while_down()
        self.server.start()
        self.owner = self.session()

    def wait_for_snapshot(self, run: int) -> None:
        """Wait until the translator has landed so many snapshots, or one more that began again."""
        landed = f"select 1 from hub.module where snapshot_run >= {run} and snapshot = 'complete'"
        self.wait(lambda: bool(self.hub(landed)), f"snapshot {run}")

    def findings(self) -> dict[str, str]:
        """Return what the care finds now: text by kind."""
        try:
            text = self._care_file().read_text()
        except FileNotFoundError:
            return {}
        return {one["kind"]: one["text"] for one in json.loads(text)["findings"]}

    def wait_for_finding(self, kind: str) -> str:
        """Wait until the care has found something; return what it says."""
        self.wait(lambda: kind in self.findings(), f"care finds {kind!r}")
        return self.findings()[kind]

    def wait_until_well(self) -> None:
        """Wait until the care finds nothing any more."""
        self.wait(lambda: not self.findings(), "nothing is found any more")

    def told(self, words: str) -> int:
        """Count the lines of the care's log that contain `words`."""
        return sum(words in line for line in self.log("care").read_text().splitlines())

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """Ask Connect about the connector: `/config`."""
        return self.connect.ask(method, f"/{self.settings.site}.{MODULE}{path}", document)

    def wait_for_state(self, state: str) -> None:
        """Wait until the connector and all its tasks are in a state (no task: STOPPED)."""
        name = f"{self.settings.site}.{MODULE}"

        def reached() -> bool:
            states = self.connect.read_states(name)
            enough = len(states) > 1 or state == "STOPPED"
            return bool(states) and enough and set(states) == {state}

        self.wait(reached, f"{name} is {state}")

    def edit(self, fields: Mapping[str, str]) -> None:
        """Edit the connector's config over REST, as somebody does who knows no better."""
        self.ask("PUT", "/config", {**self.ask("GET", "/config"), **fields})

    def status(self) -> dict[str, Any]:
        """Return what `connectors status --json` tells of the connector."""
        _, document = self.run_json("connectors", "status")
        (one,) = document["connectors"]
        return dict(one)

    def do(self, *arguments: str) -> str:
        """Run a command that must succeed; return what it says."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr + done.stdout

    def doubts(self) -> list[str]:
        """List the reasons of the open doubts that the care has noted."""
        query = "select reason from hub.doubt where refuted_at is null and reason is not null"
        return [reason for (reason,) in self.hub(query)]

    def read_again(self) -> None:
        """Read the whole module again under a new epoch and wait until it has landed."""
        ((run,),) = self.hub("select snapshot_run from hub.module")
        self.do("connectors", "snapshot", "--again", MODULE, "--raise-epoch", "--yes")
        self.wait_for_snapshot(run + 1)

    def _care_file(self) -> Path:
        return self.settings.state_folder / "care.json"
