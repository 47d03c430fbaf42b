"""Apply is killed at each of its steps, by SIGKILL, and applied again: all is as declared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from connector_shop import REPOSITORY, Shop, effects

from connectors.steps import STEPS

SIGNALS = ("schema: erp", "schema: erp\nconfig: {signal.data.collection: erp.shop_signal}")
FIRST = 13
"""More changes than the first apply has: signal table, publication, grants, topics, connector."""


def kill(shop: Shop, failpoint: str, *arguments: str, owner_url: str = "") -> bool:
    """Run `isthmus connectors apply` armed; whether it died there, else it must have succeeded."""
    write_site(shop.folder)
    environment = {**os.environ, **shop.variables, "ISTHMUS_FAILPOINT": failpoint}
    if owner_url:
        environment["ISTHMUS_LEGACY_OWNER_URL"] = owner_url
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline.cli", "connectors", "apply", *arguments),
            *("--site", str(shop.folder)),
        ],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    died = done.returncode == -signal.SIGKILL
    assert died or done.returncode == 0, done.stderr
    return died


def write_site(folder: Path) -> None:
    """Let the site's file name the shop's own declarations."""
    toml = folder / "isthmus.toml"
    repository = f'connectors = "{REPOSITORY}/connectors/retail"'
    toml.write_text(toml.read_text().replace(repository, 'connectors = "connectors"'))


def test_killed_at_every_change(shop: Shop) -> None:
    """Dying before each change, then after each, the applies get on, and the last is whole."""
    shop.declare(SIGNALS)
    for step, passage in (("before", 2), ("after", 1)):
        deaths = 0
        while kill(shop, f"connectors.{step}_change:{passage}"):
            deaths += 1
            assert deaths <= FIRST
        assert deaths or step == "after"
    assert shop.plan() == {}
    records = shop.read_log(lambda record: record["kind"] == "COMPLETED")
    assert [record["kind"] for record in records].count("STARTED") == 1


def test_killed_between_creation_and_start(shop: Shop) -> None:
    """A connector that was created and not started is in the next plan, and begins."""
    assert kill(shop, "connectors.after_creation")
    (change,) = shop.plan().values()
    assert "was created and never started" in effects(change)
    shop.apply()
    assert shop.plan() == {}
    assert shop.run("status").returncode == 0
    shop.read_log(lambda record: record["kind"] == "COMPLETED")


@pytest.mark.parametrize(
    "failpoint",
    ["connectors.after_promise", "connectors.after_change:4", "connectors.before_signal"],
)
def test_killed_while_a_table_is_added(shop: Shop, failpoint: str) -> None:
    """Wherever it dies, the next apply still asks for the added table's rows, and once only."""
    shop.declare(SIGNALS)
    shop.apply()
    with shop.legacy() as connection:
        connection.execute("create table erp.extra (id int primary key)")
        connection.execute("insert into erp.extra values (1), (2)")
    shop.declare(SIGNALS, ("[account, line]", "[account, extra, line]"))
    changes = len(shop.plan()) - 1  # the snapshot is asked for at the end
    place = failpoint.replace(":4", f":{changes}")
    assert kill(shop, place)
    assert ("snapshot", "erp.extra") in shop.plan()
    shop.apply()
    assert shop.plan() == {}
    shop.read_log(lambda record: record["kind"] == "r extra")
    with shop.legacy() as connection:
        query = "select type, count(*) from erp.shop_signal where type !~ 'window' group by type"
        assert connection.execute(query).fetchall() == [("execute-snapshot", 1)]


@pytest.mark.parametrize("failpoint", ["connectors.after_stop", "connectors.after_offsets"])
def test_killed_while_destroying(shop: Shop, failpoint: str) -> None:
    """A removal that was broken off is finished by the next one."""
    shop.apply()
    shop.declare(("module: shop", "module: store"), ("[account, line]", "[loose]"))
    with psycopg.connect(shop.admin_url(), autocommit=True) as admin:
        admin.execute("alter table erp.loose add primary key (id)")
    assert kill(shop, failpoint, "--destroy", owner_url=shop.admin_url())
    deaths = 0
    while kill(shop, "connectors.after_change", "--destroy", owner_url=shop.admin_url()):
        deaths += 1
        assert deaths <= FIRST
    assert shop.plan("--destroy") == {}
    assert not [topic for topic in shop.topics() if topic.startswith(shop.connector)]


def test_every_step_is_killed_here() -> None:
    """No step of apply is left out."""
    text = Path(__file__).read_text(encoding="utf-8")
    killed = {name for name in STEPS if name in text} | {
        f"connectors.{step}_change" for step in ("before", "after")
    }
    assert killed == set(STEPS)
