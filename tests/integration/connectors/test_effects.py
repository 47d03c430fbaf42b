"""What plan says of a running module whose world was changed, and what apply makes of it."""

from __future__ import annotations

import json
import time

import psycopg
import requests
from confluent_kafka import Consumer, TopicPartition
from connector_shop import WAIT_S, Shop, effects

SIGNALS = ("schema: erp", "schema: erp\nconfig: {signal.data.collection: erp.shop_signal}")


def make_extra(shop: Shop, rows: int = 3) -> None:
    """Make one more table with rows."""
    with shop.legacy() as connection:
        connection.execute("create table erp.extra (id int primary key)")
        connection.execute("insert into erp.extra select generate_series(1, %s)", (rows,))
        connection.execute("analyze erp.extra")


def test_added_table_is_snapshotted_incrementally(shop: Shop) -> None:
    """With a signal table, which apply makes, the rows of an added table come by themselves."""
    shop.declare(SIGNALS)
    shop.apply()
    make_extra(shop)
    shop.declare(SIGNALS, ("[account, line]", "[account, extra, line]"))
    found = shop.plan()
    told = effects(found[("connector", shop.connector)])
    assert "info: erp.extra: tables added: will be snapshotted incrementally" in told
    assert "about 3 rows" in effects(found[("snapshot", "erp.extra")])
    shop.apply()
    assert shop.plan() == {}
    kinds = [r["kind"] for r in shop.read_log(lambda record: record["kind"] == "r extra")]
    assert kinds.count("STARTED") == 2  # the first snapshot, and the incremental one
    with shop.legacy() as connection:
        connection.execute("insert into erp.extra values (99)")
    shop.read_log(lambda record: record["kind"] == "c extra")


def test_publication_that_lost_a_table_or_was_dropped(shop: Shop) -> None:
    """What was changed meanwhile is told to be lost; the rows are read again."""
    shop.declare(SIGNALS)
    shop.apply()
    with shop.legacy() as connection:
        connection.execute(f"alter publication {shop.slot} drop table erp.line")
        connection.execute("insert into erp.line values (7, 7)")
    found = shop.plan()
    assert set(found) == {("publication", shop.slot), ("snapshot", "erp.line")}
    told = effects(found[("publication", shop.slot)])
    assert "warning: erp.line: not published, though captured" in told
    shop.apply()
    assert shop.plan() == {}
    seven = lambda r: r["kind"] == "r line" and r["value"]["after"]["id"] == 7  # noqa: E731
    shop.read_log(seven)
    with shop.legacy() as connection:
        connection.execute(f"drop publication {shop.slot}")
    found = shop.plan()
    assert found[("publication", shop.slot)]["action"] == "create"
    assert {("snapshot", "erp.account"), ("snapshot", "erp.line")} <= set(found)
    shop.apply()
    assert shop.plan() == {}


def test_config_that_was_edited_over_rest(shop: Shop) -> None:
    """Plan tells that somebody else changed it; apply sets it back."""
    shop.apply()
    shop.change_config(max_batch_size="77")
    (change,) = shop.plan().values()
    assert "warning: somebody changed this config over REST" in effects(change)
    assert "(max.batch.size)" in effects(change)
    shop.apply()
    assert shop.plan() == {}
    assert "max.batch.size" not in shop.rest("/config").json()
    shop.declare(("schema: erp", "schema: erp\nconfig: {max.batch.size: 1000}"))
    (change,) = shop.plan().values()
    assert "over REST" not in effects(change)


def test_slot_name_and_topic_prefix(shop: Shop) -> None:
    """Another slot's or prefix's name is told with what it leaves behind or reads again."""
    shop.apply()
    other = f"{shop.slot}_other"
    with psycopg.connect(shop.admin_url(), autocommit=True) as admin:
        admin.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (other,))
    shop.change_config(slot_name=other)
    (change,) = shop.plan().values()
    assert f"the old slot {other} is orphaned and retains WAL (" in effects(change)
    shop.change_config(slot_name=shop.slot, topic_prefix=f"{shop.connector}x")
    (change,) = shop.plan().values()
    assert f"topic prefix changed from {shop.connector}x" in effects(change)
    assert "everything is snapshotted again" in effects(change)


def test_offset_behind_its_slot(shop: Shop) -> None:
    """A slot that somebody moved has lost changes: plan tells it, apply refuses to go on."""
    shop.apply()
    shop.read_log(lambda record: record["kind"] == "message heartbeat")
    assert shop.run("stop", "shop").returncode == 0
    with psycopg.connect(shop.admin_url(), autocommit=True) as admin:
        admin.execute("insert into erp.account values (8, 'lost')")
        move = "select pg_replication_slot_advance(%s, pg_current_wal_lsn())"
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                admin.execute(move, (shop.slot,))
                break
            except psycopg.errors.ObjectInUse:
                assert time.monotonic() < deadline
    (change,) = shop.plan().values()
    assert f"behind the place from which slot {shop.slot} can go on" in effects(change)
    assert "refused: " in effects(change)
    done = shop.run("apply")
    assert done.returncode == 2
    assert "changes would be lost" in done.stderr


def test_connector_deleted_behind_our_back(shop: Shop) -> None:
    """Plan tells how much log its slot keeps; apply lets it go on where it was."""
    shop.apply()
    shop.read_log(lambda record: record["kind"] == "message heartbeat")
    url = f"{shop.variables['ISTHMUS_CONNECT_URL']}/connectors/{shop.connector}"
    assert requests.delete(url, timeout=60).ok
    with shop.legacy() as connection:
        connection.execute("insert into erp.account values (9, 'meanwhile')")
    (change,) = shop.plan().values()
    assert f"its slot {shop.slot} is there and keeps" in effects(change)
    shop.apply()
    records = shop.read_log(lambda record: record["kind"] == "c account")
    assert [record["kind"] for record in records].count("STARTED") == 1


def test_shorter_retention(shop: Shop) -> None:
    """A retention below what a translator has not read yet is refused; else it is a warning."""
    shop.apply()
    shop.read_log(lambda record: record["kind"] == "message heartbeat")
    shop.declare(("schema: erp", "schema: erp\nretention: {changes_ms: 1000}"))
    topic = f"{shop.connector}.changes"
    assert "warning: records older than 1 s are deleted" in effects(shop.plan()[("topic", topic)])
    consumer = Consumer(
        {
            "bootstrap.servers": shop.variables["ISTHMUS_KAFKA"],
            "group.id": f"{shop.connector}.translator",
            "enable.auto.commit": False,
        }
    )
    try:
        consumer.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    finally:
        consumer.close()
    told = effects(shop.plan()[("topic", topic)])
    assert f"refused: {shop.connector}.translator has not read" in told
    done = shop.run("apply")
    assert done.returncode == 2
    assert "they would be deleted unread" in done.stderr


def test_undeclared_module(shop: Shop) -> None:
    """Nothing is removed unasked; --remove takes the connector, --destroy all that is left."""
    shop.apply()
    shop.declare(("module: shop", "module: store"), ("[account, line]", "[loose]"))
    with shop.legacy() as connection:
        connection.execute("alter table erp.loose add primary key (id)")
    found = shop.plan()
    told = effects(found[("connector", shop.connector)])
    assert f"its slot {shop.slot} stays and keeps log" in told
    shop.apply()
    assert shop.rest("").ok
    shop.apply("--remove")
    assert shop.rest("").status_code == 404
    (change,) = shop.plan().values()
    assert (change["kind"], change["name"], change["action"]) == ("slot", shop.slot, "remove")
    kept = {f"{shop.connector}.changes", f"{shop.connector}.events"}
    assert kept <= shop.topics()
    found = shop.plan("--destroy")
    assert set(found) == {
        ("slot", shop.slot),
        ("publication", shop.slot),
        *(("topic", topic) for topic in kept),
    }
    shop.apply("--destroy", owner_url=shop.admin_url())
    assert shop.plan("--destroy") == {}
    assert not kept & shop.topics()
    with shop.legacy() as connection:
        query = "select count(*) from pg_replication_slots where slot_name = %s"
        assert connection.execute(query, (shop.slot,)).fetchone() == (0,)


def test_saved_plan(shop: Shop) -> None:
    """A saved plan is applied, again without a change, and refused when the world has moved."""
    file = str(shop.folder / "plan.json")
    assert shop.run("plan", "--out", file).returncode == 1
    shop.apply(file)
    assert shop.plan() == {}
    shop.apply(file)
    shop.declare(("schema: erp", "schema: erp\nconfig: {max.batch.size: 1000}"))
    moved = shop.run("apply", file)
    assert moved.returncode == 1
    assert f"the declaration of connector {shop.connector}" in moved.stderr
    assert shop.run("plan", "--out", file).returncode == 1
    shop.change_config(max_queue_size="9000")
    with shop.legacy() as connection:
        connection.execute(f"alter publication {shop.slot} drop table erp.line")
    moved = shop.run("apply", file)
    assert moved.returncode == 1
    assert f"connector {shop.connector}; publication {shop.slot}" in moved.stderr
    assert "max.batch.size" not in shop.rest("/config").json()
    assert json.loads(shop.run("plan", "--out", file, "--json").stdout)["changes"]
    shop.apply(file)
    assert shop.plan() == {}


def test_table_without_a_key_whose_key_is_declared(shop: Shop) -> None:
    """It gets REPLICA IDENTITY FULL before it is published, and its updates go on."""
    with shop.legacy() as connection:
        connection.execute("alter table erp.loose alter id set not null")
    shop.declare(
        ("[account, line]", "[account, loose]"), ("schema: erp", "schema: erp\nkeys: {loose: [id]}")
    )
    found = shop.plan()
    assert found[("replica identity", "erp.loose")]["fields"][0]["to"] == "full"
    shop.apply()
    assert shop.plan() == {}
    with shop.legacy() as connection:
        connection.execute("insert into erp.loose values (1, 'one')")
        connection.execute("update erp.loose set name = 'uno'")
    records = shop.read_log(lambda record: record["kind"] == "u loose")
    assert records[-1]["value"]["before"] == {"id": 1, "name": "one"}
