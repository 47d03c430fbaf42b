"""MariaDB's binary log is purged before the connector has read it."""

from __future__ import annotations

import json
from contextlib import closing

import requests
from mariadb_site import MODULE, MariaDBSite

HTTP_SECONDS_MAX = 30


def find(running: MariaDBSite) -> dict[str, str]:
    """Return what the care finds now: text by kind."""
    try:
        text = (running.settings.state_folder / "care.json").read_text()
    except FileNotFoundError:
        return {}
    return {one["kind"]: one["text"] for one in json.loads(text)["findings"]}


def test_a_purged_binary_log_is_named_and_a_new_snapshot_has_all(running: MariaDBSite) -> None:
    """The connector is stopped, the module doubted; read anew, all is equal and nothing doubted."""
    running.arguments["care"] = ("care",)
    running.start("care")
    running.wait((running.settings.state_folder / "care.json").exists, "the first look")
    assert find(running) == {}
    assert running.run("connectors", "stop", MODULE).returncode == 0
    running.legacy("insert into ord (id, cust, placed) values (70001, 1, now(6))")
    with closing(running.server.open_session()) as admin:
        for _ in range(2):
            admin.execute("flush binary logs")

        def is_purged() -> bool:
            """Purge until the server has noticed that nobody reads the older files any more."""
            files = [line.split("\t")[0] for line in admin.execute("show binary logs")]
            admin.execute(f"purge binary logs to '{files[-1]}'")
            return len(admin.execute("show binary logs")) == 1

        running.wait(is_purged, "the binary log is purged")
    url = f"{running.settings.connect_url}/connectors/{running.settings.site}.{MODULE}"
    assert requests.put(f"{url}/resume", timeout=HTTP_SECONDS_MAX).ok
    running.wait(lambda: "binlog purged" in find(running), "care finds it")
    assert "snapshot --again shop" in find(running)["binlog purged"]

    def is_stopped() -> bool:
        status = requests.get(f"{url}/status", timeout=HTTP_SECONDS_MAX).json()
        return bool(status["connector"]["state"] == "STOPPED" and not status["tasks"])

    running.wait(is_stopped, "the connector is stopped")
    doubts = "select reason from hub.doubt where refuted_at is null and reason is not null"
    running.wait(lambda: running.hub(doubts) == [("binlog purged",)], "the doubt")
    done = running.run("connectors", "snapshot", "--again", MODULE, "--raise-epoch", "--yes")
    assert done.returncode == 0, done.stderr
    landed = "select snapshot_run, snapshot from hub.module"
    running.wait(lambda: running.hub(landed) == [(2, "complete")], "the new snapshot")
    running.wait_for_quiet()
    code, document = running.reconcile()
    assert (code, document["verdict"], document.get("doubts")) == (0, "MATCH", None)
    running.wait(lambda: find(running) == {}, "nothing is found any more")
    assert running.stop("care") == 0
    del running.arguments["care"]
