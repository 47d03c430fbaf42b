"""`isthmus run` over a real site: what dies comes back, nothing is lost, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_site import MODULES, REPOSITORY, LiveSite

from legacy_db.retail.workload import run_workload
from pipeline.local_stack.process import read_began

SECONDS_MAX = 60.0
SHUTDOWN_S_MAX = 10.0


class Supervised:
    """A site under `isthmus run`, and what its state file says."""

    def __init__(self, live: LiveSite) -> None:
        self.live = live
        self.process: subprocess.Popen[str] | None = None
        self.log = live.folder / "run.log"

    def start(self) -> None:
        """Start it unless it runs, and wait until all of its processes do."""
        if self.process is None:
            self.process = start_run(self.live.folder, self.log)
        self.wait(lambda: self.states() == {"running"}, "all processes run")

    def document(self) -> dict[str, Any]:
        """Return the state file."""
        path = self.live.settings.state_folder / "run.json"
        document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return document if self.process and document.get("pid") == self.process.pid else {}

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return what the file says of each process."""
        return {one["name"]: one for one in self.document().get("processes", [])}

    def states(self) -> set[str]:
        """Return the states that there are."""
        return {one["state"] for one in self.processes().values()}

    def pids(self) -> dict[str, int]:
        """Return the pids by name."""
        return {name: one["pid"] for name, one in self.processes().items()}

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds, while the supervisor lives."""
        deadline = time.monotonic() + SECONDS_MAX
        while not condition():
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, f"{what}: {self.document()}"
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> tuple[int, float]:
        """Send it a signal, and return its exit code and how many seconds it took to end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(SECONDS_MAX)
        self.process = None
        return code, time.monotonic() - began

    def write(self, seed: int, seconds: float = 0.3) -> None:
        """Write business transactions from several sessions."""
        url = self.live.settings.legacy.owner_url
        run_workload(url, rate=100, seconds=seconds, seed=seed, clients=3)


def start_run(folder: Path, log: Path) -> subprocess.Popen[str]:
    """Start the supervisor of a site; what it says goes on in the log."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("ISTHMUS_FAILPOINT", None)
    command = [sys.executable, "-m", "pipeline.cli", "run", "--json", "--site", str(folder)]
    with log.open("a") as file:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, text=True
        )


@pytest.fixture(scope="module")
def made(module_site: Callable[[], Any]) -> Iterator[Supervised]:
    """Give a site with 100 orders whose servers and connectors run, and nothing else."""
    live = LiveSite(module_site().folder, orders=100)
    live.set_up()
    site = Supervised(live)
    yield site
    if site.process is not None:
        site.end(signal.SIGKILL)


@pytest.fixture
def supervised(made: Supervised) -> Supervised:
    """Give the site with everything running."""
    made.start()
    return made


def test_all_processes_come_up_and_do_their_work(supervised: Supervised) -> None:
    """One process per module and region and a publisher bring the snapshot into every region."""
    assert set(supervised.processes()) == {"care", *supervised.live.arguments}
    complete = "select count(*) from hub.module where snapshot = 'complete'"
    supervised.wait(
        lambda: supervised.live.hub(complete)[0][0] == len(MODULES), "the snapshots are complete"
    )
    supervised.live.wait_for_quiet()
    supervised.live.check_whole()


def test_every_process_that_is_killed_comes_back_and_loses_nothing(
    supervised: Supervised,
) -> None:
    """What is written while each of them is dead in turn is in both regions in the end."""
    killed = supervised.pids()
    for seed, pid in enumerate(killed.values(), start=1):
        os.kill(pid, signal.SIGKILL)
        supervised.write(seed)
    supervised.wait(
        lambda: (
            supervised.states() == {"running"}
            and not set(supervised.pids().values()) & set(killed.values())
        ),
        "all processes run again",
    )
    assert {one["restarts"] for one in supervised.processes().values()} == {1}
    assert {one["last_exit"] for one in supervised.processes().values()} == {-signal.SIGKILL}
    supervised.live.wait_for_quiet()
    supervised.live.check_whole()


def test_a_second_supervisor_is_refused(supervised: Supervised) -> None:
    """It exits with 2 and names the first one, which is not disturbed."""
    before = supervised.document()
    done = supervised.live.run("run")
    assert done.returncode == 2
    assert done.stderr.startswith("isthmus: `isthmus run` of this site runs already (pid ")
    assert f"(pid {before['pid']})" in done.stderr
    assert supervised.document() == before


def test_a_fenced_process_recovers(supervised: Supervised) -> None:
    """Another translator takes over; restarted after a while, ours takes the module back."""
    live = supervised.live
    owner = "select owner from hub.module where module = 'customers'"
    before = live.hub(owner)
    live.arguments["second"] = live.arguments["translate-customers"]
    live.start("second")
    try:
        live.wait(lambda: live.hub(owner) != before, "take-over")
        live.legacy("update erp.cust_mstr set cust_nm = 'Fenced' where cust_no = 1")
        supervised.wait(lambda: "backing off" in supervised.states(), "ours is fenced")
        told = supervised.processes()["translate-customers"]
        assert told["last_exit"] == 1
        assert "another translator took over" in told["last_error"]
        supervised.wait(lambda: supervised.states() == {"running"}, "ours is back")
        live.legacy("update erp.cust_mstr set cust_nm = 'Back' where cust_no = 1")
        assert live.wait_for_end("second") == 1
    finally:
        live.end()
        del live.arguments["second"]


def test_sigterm_ends_everything_in_good_order(supervised: Supervised) -> None:
    """In the middle of work it takes less than ten seconds and gives exit code 0."""
    pids = supervised.pids()
    supervised.write(seed=90, seconds=1.0)
    code, seconds = supervised.end(signal.SIGTERM)
    assert code == 0
    assert seconds < SHUTDOWN_S_MAX
    assert [name for name, pid in pids.items() if read_began(pid) is not None] == []
    state = json.loads((supervised.live.settings.state_folder / "run.json").read_text())
    assert {one["state"] for one in state["processes"]} == {"stopped"}
    assert json.loads(supervised.log.read_text().splitlines()[-1]) == state


def test_the_next_start_goes_on_where_the_last_one_ended(supervised: Supervised) -> None:
    """What was written before and after the shutdown is in every region."""
    supervised.write(seed=91)
    supervised.live.wait_for_quiet()
    supervised.live.check_whole()


def test_a_killed_supervisor_leaves_no_process(supervised: Supervised) -> None:
    """Nothing outlives it, not even a process that is stopped and can do nothing by itself."""
    pids = supervised.pids()
    os.kill(pids["replicate-eu"], signal.SIGSTOP)
    code, _ = supervised.end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    deadline = time.monotonic() + SECONDS_MAX
    while any(read_began(pid) is not None for pid in pids.values()):
        assert time.monotonic() < deadline, pids
        time.sleep(0.02)


def test_bad_use_is_one_message(made: Supervised) -> None:
    """It exits with 2 before anything is started."""
    done = made.live.run("run", "--region", "asia")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("isthmus: no region 'asia' in")
    assert "Traceback" not in done.stderr
