"""The script `python -m connectors` on real servers: plan, apply, operate, and what it refuses."""

from __future__ import annotations

import json
import time

import pytest
import requests
from connector_shop import REPOSITORY, WAIT_S, Shop, content, leave_out_heartbeats
from typer.testing import CliRunner

from pipeline.cli import connectors as program


def test_apply_makes_what_plan_shows(shop: Shop) -> None:
    """Plan shows all, apply makes it, a second plan is empty; so for a changed field, too."""
    first = shop.plan()
    assert {kind for kind, _ in first} == {"publication", "grant", "topic", "connector"}
    assert {change["action"] for change in first.values()} == {"create"}
    assert shop.run_script("apply").returncode == 0
    assert shop.plan() == {}
    assert shop.run("status").returncode == 0
    assert shop.topics() == {f"{shop.connector}.changes", f"{shop.connector}.events"}

    shop.declare(("schema: erp", "schema: erp\nconfig: {max.batch.size: 1000}"))
    (change,) = shop.plan().values()
    assert change["fields"] == [{"field": "max.batch.size", "from": None, "to": "1000"}]
    shop.apply()
    assert shop.plan() == {}
    assert shop.rest("/config").json()["max.batch.size"] == "1000"
    seen = shop.rest("/config").text + shop.rest("/tasks").text + shop.rest("/status").text
    assert not [password for password in shop.passwords() if password in seen]


def test_added_and_dropped_tables(shop: Shop) -> None:
    """Other tables change publication, grants and connector, and plan says what follows."""
    shop.apply()
    with shop.legacy() as connection:
        connection.execute("create table erp.extra (id int primary key)")
    shop.declare(("[account, line]", "[account, extra]"))
    found = shop.plan()
    assert set(found) == {
        ("publication", shop.slot),
        ("grant", "isthmus_capture on erp.extra"),
        ("connector", shop.connector),
    }
    texts = [effect["text"] for effect in found[("connector", shop.connector)]["effects"]]
    assert any(text.startswith("erp.extra: rows that are there already are not") for text in texts)
    shop.apply()
    assert shop.plan() == {}
    with shop.legacy() as connection:
        query = "select tablename from pg_publication_tables where pubname = %s order by 1"
        assert connection.execute(query, (shop.slot,)).fetchall() == [("account",), ("extra",)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[account, line]", "[account, lines]"), "no table erp.lines in the legacy database"),
        (("[account, line]", "[loose]"), "erp.loose has no primary key"),
        (("${ISTHMUS_CAPTURE_USER}", "nobody"), "the capture role 'nobody' is not there"),
        (("env:ISTHMUS_CAPTURE_PASSWORD", "env:ISTHMUS_NOT_SET"), "password authentication failed"),
        (("${ISTHMUS_CAPTURE_PORT}", "1"), "connector {name}.shop: database.hostname:"),
        (("tables:", "table:"), "unknown key table: did you mean tables?"),
        (("schema: erp", "schema: erp\nconfig: {transforms: one}"), "config.transforms: 'one'"),
    ],
)
def test_refused_before_anything_changes(shop: Shop, change: tuple[str, str], words: str) -> None:
    """What cannot work exits 2 with one clear message, and nothing has been made."""
    shop.declare(change)
    done = shop.run("apply")
    assert done.returncode == 2
    assert words.format(name=shop.name) in done.stderr
    assert shop.topics() == set()
    assert shop.rest("").status_code == 404
    with shop.legacy() as connection:
        assert connection.execute("select count(*) from pg_publication").fetchone() == (0,)


def test_missing_servers_exit_3(shop: Shop) -> None:
    """Without Connect, Kafka or the database it exits 3 and names the one that is missing."""
    for flag, value, words in (
        ("--connect-url", "http://127.0.0.1:1", "no answer from Connect at http://127.0.0.1:1"),
        ("--owner-url", "postgresql://me:pw@127.0.0.1:1/x", "legacy database 127.0.0.1:1/x as me"),
    ):
        done = shop.run("plan", flag, value)
        assert done.returncode == 3
        assert words in done.stderr


def test_one_ordered_log(shop: Shop) -> None:
    """Snapshot, notifications, transactions, messages and heartbeats are in one topic, in order."""
    shop.apply()
    with shop.legacy() as connection:
        with connection.transaction():
            connection.execute("insert into erp.account values (3, 'three')")
            connection.execute("insert into erp.line values (3, 1)")
        connection.execute("update erp.account set name = 'uno' where id = 1")
        connection.execute("delete from erp.line where id = 1")
        connection.execute("truncate erp.line")
        emit = "select pg_logical_emit_message(%s, 'isthmus.barrier', %s)"
        connection.execute(emit, (True, "inside"))
        connection.execute(emit, (False, "outside"))
    records = shop.read_log(lambda record: content(record["value"]) == "outside")
    assert {record["headers"]["epoch"] for record in records} == {b"1"}
    kinds = [record["kind"] for record in records]
    kinds = leave_out_heartbeats(kinds)
    snapshot = kinds[: kinds.index("COMPLETED") + 1]
    assert snapshot[:3] == ["STARTED", "DATA_COLLECTIONS_RESOLVED", "IN_PROGRESS"]
    assert snapshot.count("TABLE_SCAN_COMPLETED") == 2
    assert [kind for kind in snapshot if kind.startswith("r ")] == ["r account"] * 2 + ["r line"]
    assert kinds[kinds.index("COMPLETED") + 1 :] == [
        *("BEGIN", "c account", "c line", "END"),
        *("BEGIN", "u account", "END"),
        *("BEGIN", "d line", "END"),
        *("BEGIN", "t line", "END"),
        *("BEGIN", "message isthmus.barrier", "END"),
        "message isthmus.barrier",
    ]
    later = shop.read_log(lambda record: record["kind"] == "message heartbeat")
    assert later[-1]["headers"]["epoch"] == b"1"


def test_delete_and_apply_again(shop: Shop) -> None:
    """A deleted connector goes on where it was; with its slot destroyed it needs a new epoch."""
    shop.apply()
    assert shop.run("delete", "shop").returncode == 0
    assert shop.rest("").status_code == 404
    with shop.legacy() as connection:
        connection.execute("insert into erp.account values (9, 'meanwhile')")
    shop.apply()
    records = shop.read_log(lambda record: record["kind"] == "c account")
    assert records[-1]["value"]["after"]["id"] == 9
    assert [record["kind"] for record in records].count("STARTED") == 1

    unable = shop.run("delete", "shop", "--destroy-slot")
    assert unable.returncode == 0
    assert f"select pg_drop_replication_slot('{shop.slot}');" in unable.stderr
    left_over = shop.run("apply")
    assert left_over.returncode == 1
    assert "a replication slot" in left_over.stderr
    able = shop.run("delete", "shop", "--destroy-slot", owner_url=shop.admin_url())
    assert able.returncode == 0, able.stderr
    same_epoch = shop.run("apply")
    assert same_epoch.returncode == 2
    assert "set epoch: 2 in the declaration of shop" in same_epoch.stderr
    shop.declare(("schema: erp", "schema: erp\nepoch: 2"))
    shop.apply()
    is_second = lambda r: r["kind"] == "COMPLETED" and r["headers"]["epoch"] == b"2"  # noqa: E731
    epochs = [record["headers"]["epoch"] for record in shop.read_log(is_second)]
    assert epochs == sorted(epochs)


def test_apply_heals_a_failed_connector(shop: Shop) -> None:
    """A task that failed is told by `status`, and runs again, without a loss, once applied."""
    shop.apply()
    broken = {**shop.rest("/config").json(), "publication.name": "nowhere"}
    url = f"{shop.variables['ISTHMUS_CONNECT_URL']}/connectors/{shop.connector}/config"
    assert requests.put(url, json=broken, timeout=60).ok
    with shop.legacy() as connection:
        connection.execute("insert into erp.account values (5, 'while it fails')")
    deadline = time.monotonic() + WAIT_S
    while "FAILED" not in shop.run("status").stdout:
        assert time.monotonic() < deadline
    status = shop.run("status", "--json")
    assert status.returncode == 1
    assert "Exception" in json.loads(status.stdout)["connectors"][0]["tasks"][0]["trace"]
    (change,) = shop.plan().values()
    assert [field["field"] for field in change["fields"]] == ["publication.name"]
    shop.apply()
    assert shop.read_log(lambda record: record["kind"] == "c account")


def test_operating(shop: Shop) -> None:
    """Pause, stop and resume are waited for, restart works, offsets are shown, status tells all."""
    assert "MISSING" in shop.run("status").stdout
    assert shop.run("restart", "shop").returncode == 2
    shop.apply()
    for command, state in (("pause", "PAUSED"), ("stop", "STOPPED"), ("resume", "RUNNING")):
        assert shop.run(command, "shop").returncode == 0
        facts = json.loads(shop.run("status", "--json").stdout)["connectors"]
        assert [fact["state"] for fact in facts] == [state]
    assert shop.run("restart", "--all").returncode == 0
    assert "lsn" in shop.run("offsets", "show", "shop").stdout
    unknown = shop.run("pause", "shoe")
    assert unknown.returncode == 2
    assert "no module 'shoe' is declared: declared are shop" in unknown.stderr


def test_same_thing_in_the_program(shop: Shop) -> None:
    """`isthmus connectors plan --site` shows the same plan as the script."""
    toml = shop.folder / "isthmus.toml"
    repository = f'connectors = "{REPOSITORY}/connectors/retail"'
    assert repository in toml.read_text()
    toml.write_text(toml.read_text().replace(repository, 'connectors = "connectors"'))
    result = CliRunner().invoke(program.app, ["plan", "--json", "--site", str(shop.folder)])
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout) == json.loads(shop.run_script("plan", "--json").stdout)
