"""Reconciliation on real databases: it names exactly what differs, and nothing that doesn't."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import typer
from psycopg.types.json import Jsonb
from reconcile_landscape import ORDERS, Landscape
from typer.testing import CliRunner

from pipeline.cli.reconcile import reconcile as command
from pipeline.hub.doubts import note_doubt
from pipeline.reconcile.result import Kind, Reconciliation, State
from pipeline.reconcile.run import reconcile
from pipeline.reconcile.scope import make_scope


def run(
    landscape: Landscape,
    modules: tuple[str, ...] = (),
    regions: tuple[str, ...] = (),
    **options: Any,
) -> Reconciliation:
    """Reconcile a landscape."""
    return reconcile(
        landscape.settings,
        make_scope(landscape.settings, list(modules), list(regions)),
        replace(landscape.options, **options),
        clock=lambda: datetime.now(UTC),
        announce=lambda _: None,
    )


def findings(result: Reconciliation) -> set[tuple[Any, ...]]:
    """Return what is found as (region, table, key values, kind, columns)."""
    return {
        (one.region, one.table, *found.key.values(), found.kind.value, *found.columns)
        for one in result.tables
        for found in one.keys
    }


def test_everything_alike_is_match(landscape: Landscape) -> None:
    """Tables of the mirror and of both regions match; their rows are counted."""
    result = run(landscape)
    assert result.verdict is State.MATCH, [one for one in result.tables if one.keys][:3]
    assert result.exit_code == 0
    rows = {(one.region, one.table): one.rows for one in result.tables}
    assert rows["mirror", "ord_hdr"] == rows["eu", "orders"] == rows["us", "orders"] == ORDERS
    assert rows["mirror", "ord_lin"] == rows["eu", "order_lines"] > ORDERS
    assert {one.region for one in result.tables} == {"mirror", "eu", "us"}
    assert all(one.position == f"{1:08x}-{1001:016x}" for one in result.tables)


def test_store_changed_by_hand_is_named_exactly(landscape: Landscape) -> None:
    """Changed, deleted and added rows of one store are named with key and columns, no others."""
    first, second, third = [
        row[0] for row in landscape.legacy("select ord_no from erp.ord_hdr order by 1 limit 3")
    ]
    store = "eu"
    landscape.store(
        store, "update orders set total = total + 1, remark = 'x' where order_id = %s", first
    )
    landscape.store(store, "delete from orders where order_id = %s", second)
    landscape.store(
        store,
        "update order_lines set quantity = quantity + 0.001 where order_id = %s"
        " and line_number = 1",
        third,
    )
    landscape.store(store, "insert into orders (order_id, status) values (-7, 'new')")
    landscape.store(
        store, "insert into order_lines (order_id, line_number) values (-7, 1), (%s, 32000)", first
    )
    landscape.store(store, "delete from stock_levels where item_code = %s", "nothing")
    landscape.store(
        store,
        "update stock_levels set description = null where (warehouse_code, item_code) ="
        " (select warehouse_code, item_code from stock_levels order by 1, 2 limit 1)",
    )
    warehouse, item = landscape.store(
        store, "select warehouse_code, item_code from stock_levels where description is null"
    )[0]
    result = run(landscape)
    assert findings(result) == {
        ("eu", "orders", first, "changed", "total", "remark"),
        ("eu", "orders", second, "missing"),
        ("eu", "orders", -7, "extra"),
        ("eu", "order_lines", third, 1, "changed", "quantity"),
        ("eu", "order_lines", -7, 1, "extra"),
        ("eu", "order_lines", first, 32000, "extra"),
        ("eu", "stock_levels", warehouse, item, "changed", "description"),
    }
    assert result.verdict is State.DIFF
    assert result.exit_code == 1
    orders = next(one for one in result.tables if (one.region, one.table) == ("eu", "orders"))
    assert (orders.missing, orders.extra, orders.changed, orders.undecided) == (1, 1, 1, 0)
    assert {one.state for one in result.tables if one.region != "eu"} == {State.MATCH}


def test_mirror_changed_by_hand_is_named_exactly(landscape: Landscape) -> None:
    """The mirror's rows are compared with the legacy tables, character by character."""
    keys = [row[0] for row in landscape.legacy("select ord_no from erp.ord_hdr order by 1 limit 2")]
    landscape.hub("update mirror.ord_hdr set rmk = '' where ord_no = %s", keys[0])
    landscape.hub("delete from mirror.ord_hdr where ord_no = %s", keys[1])
    landscape.hub(
        "insert into mirror.shipmt (ship_no, ord_no, ship_dt, carr_cd, stat_cd)"
        " values (-1, -1, 20260101, 'DHL', 'T')"
    )
    result = run(landscape, modules=("sales",), regions=("mirror",))
    assert findings(result) == {
        ("mirror", "ord_hdr", keys[0], "changed", "rmk"),
        ("mirror", "ord_hdr", keys[1], "missing"),
        ("mirror", "shipmt", -1, "extra"),
    }
    assert {(one.module, one.region) for one in result.tables} == {("sales", "mirror")}


def test_a_doubt_is_refuted_by_a_mirror_that_is_equal_behind_it(landscape: Landscape) -> None:
    """A difference leaves the doubt open, and so does a position that was not reached yet."""
    for position, offset in (((1, 900), 5), ((1, 1_000_000), 6)):
        for _ in range(2):  # the same place of the change log again
            with psycopg.connect(landscape.settings.hub_url) as hub:
                note_doubt(hub, "sales", position, 77, offset)
    key = landscape.legacy("select min(ord_no) from erp.ord_hdr")[0][0]
    (remark,) = landscape.hub("select rmk from mirror.ord_hdr where ord_no = %s", key)[0]
    landscape.hub("update mirror.ord_hdr set rmk = 'lost' where ord_no = %s", key)
    differs = run(landscape, modules=("sales",), regions=("mirror",))
    assert [one.offset for one in differs.doubts] == [5, 6]
    landscape.hub("update mirror.ord_hdr set rmk = %s where ord_no = %s", remark, key)
    assert len(run(landscape, modules=("sales",), regions=("eu",)).doubts) == 2
    equal = run(landscape, modules=("sales",), regions=("mirror",))
    assert (equal.verdict, [one.offset for one in equal.doubts]) == (State.MATCH, [6])
    assert equal.document()["doubts"][0]["transaction"] == 77
    landscape.hub("delete from hub.doubt")


def test_more_keys_than_listed_are_counted(landscape: Landscape) -> None:
    """With an empty store every row is missing: all are counted, only keys_max are listed."""
    landscape.store("us", "truncate orders, order_lines")
    result = run(landscape, modules=("sales",), regions=("us",), keys_max=5)
    orders, lines = result.tables
    assert (orders.missing, len(orders.keys)) == (ORDERS, 5)
    assert lines.missing == lines.rows > ORDERS


def test_dead_letter_quarantines_its_aggregate(landscape: Landscape) -> None:
    """A poison or refused aggregate is listed as quarantined, in the region that it concerns."""
    first, second, third, fourth = [
        row[0] for row in landscape.legacy("select ord_no from erp.ord_hdr order by 1 limit 4")
    ]
    for number in (first, fourth):
        landscape.legacy("update erp.ord_hdr set stat_cd = '?' where ord_no = %s", number)
        landscape.hub("update mirror.ord_hdr set stat_cd = '?' where ord_no = %s", number)
    for number in (first, second):
        landscape.hub(
            "insert into hub.dead_letter (module, origin, aggregate, subject, root_key, reason)"
            " values ('sales', 'adapter', 'sales.Order', %s, %s, 'unknown code')",
            str(number),
            Jsonb([number]),
        )
    landscape.store("eu", "update orders set total = 0 where order_id in (%s, %s)", first, third)
    landscape.store(
        "eu",
        "insert into replication.dead_letter (topic, partition, record_offset, aggregate, subject,"
        " sequence, reason, headers, at) values ('t', 0, 1, 'sales.Order', %s, null, 'too long',"
        " '[]', now())",
        str(third),
    )
    result = run(landscape, modules=("sales",), regions=("eu", "us"))
    found = {one for one in findings(result) if one[1] == "orders"}
    assert found == {
        ("eu", "orders", first, "quarantined"),
        ("us", "orders", first, "quarantined"),
        ("eu", "orders", second, "quarantined"),
        ("us", "orders", second, "quarantined"),
        ("eu", "orders", third, "quarantined"),
        # unreadable, and no letter says so: the store's row can't be what it should be
        ("eu", "orders", fourth, "changed"),
        ("us", "orders", fourth, "changed"),
    }
    landscape.legacy("update erp.ord_hdr set stat_cd = 'N' where ord_no = %s", fourth)
    landscape.hub("update mirror.ord_hdr set stat_cd = 'N' where ord_no = %s", fourth)
    for region in ("eu", "us"):
        landscape.store(region, "update orders set status = 'new' where order_id = %s", fourth)
    result = run(landscape, modules=("sales",), regions=("eu",))
    assert (result.verdict, result.exit_code) == (State.QUARANTINED, 1)
    reasons = {found.reason for found in result.tables[0].keys}
    assert reasons == {"unknown code", "too long"}


def test_rows_that_arrive_late_are_no_difference(landscape: Landscape) -> None:
    """What differs at the first look and is right behind the next barrier is a match."""
    number = landscape.legacy("select min(ord_no) from erp.ord_hdr")[0][0]
    landscape.legacy("update erp.ord_hdr set tot_amt = 4200 where ord_no = %s", number)

    def arrive() -> None:
        if landscape.courier.passed > 1:
            landscape.hub("update mirror.ord_hdr set tot_amt = 4200 where ord_no = %s", number)
            for region in ("eu", "us"):
                landscape.store(region, "update orders set total = 42 where order_id = %s", number)

    landscape.courier.before_passing = arrive
    assert run(landscape).verdict is State.MATCH
    assert landscape.courier.passed == 2


def test_new_rows_during_the_scan_are_no_difference(landscape: Landscape) -> None:
    """A row that a store has before the scan saw it in the mirror is found to be expected."""
    number = landscape.legacy("select max(ord_no) from erp.ord_hdr")[0][0]
    row = landscape.hub("delete from mirror.ord_hdr where ord_no = %s returning *", number)[0]

    def arrive() -> None:
        if landscape.courier.passed == 2:
            places = ", ".join(["%s"] * len(row))
            landscape.hub(f"insert into mirror.ord_hdr values ({places})", *row)

    landscape.courier.before_passing = arrive
    assert run(landscape).verdict is State.MATCH


def test_moving_keys_are_undecided(landscape: Landscape) -> None:
    """A key that changes in the legacy database all the time is undecided, not different."""
    number = landscape.legacy("select min(ord_no) from erp.ord_hdr")[0][0]
    stop = threading.Event()

    def change() -> None:
        with psycopg.connect(landscape.settings.legacy.owner_url, autocommit=True) as legacy:
            while not stop.wait(0.001):
                legacy.execute(
                    "update erp.ord_hdr set tot_amt = tot_amt + 1 where ord_no = %s", (number,)
                )

    thread = threading.Thread(target=change)
    thread.start()
    try:
        result = run(landscape, modules=("sales",))
    finally:
        stop.set()
        thread.join()
    assert findings(result) == {("mirror", "ord_hdr", number, "undecided")}
    assert (result.verdict, result.exit_code) == (State.UNDECIDED, 4)
    assert result.tables[0].undecided == 1


def test_pending_emissions_keep_keys_undecided(landscape: Landscape) -> None:
    """While a module has emissions to work off, what differs in a region is not yet a finding."""
    landscape.hub(
        "insert into hub.emission (module, aggregate, scope, reason)"
        " values ('sales', 'sales.Order', 'all', 'a lookup changed')"
    )
    landscape.store("eu", "delete from orders where order_id = (select min(order_id) from orders)")
    result = run(landscape, modules=("sales",), timeout_s=1, rounds=1)
    assert result.verdict is State.UNDECIDED
    assert sum(one.undecided for one in result.tables) == 1


def test_no_barrier_is_lagging(landscape: Landscape) -> None:
    """A region that does not pass the barrier is LAGGING and the other is compared all the same."""
    landscape.courier.idle_regions = {"us"}
    landscape.store("us", "truncate orders")
    result = run(landscape, timeout_s=1)
    states = {(one.region): one.state for one in result.tables}
    assert states == {"mirror": State.MATCH, "eu": State.MATCH, "us": State.LAGGING}
    assert (result.verdict, result.exit_code) == (State.LAGGING, 4)
    landscape.courier.idle_modules = {"inventory"}
    result = run(landscape, timeout_s=1)
    lagging = {(one.module, one.region) for one in result.tables if one.state is State.LAGGING}
    assert {("inventory", "mirror"), ("inventory", "eu"), ("sales", "us")} <= lagging


def test_table_that_is_not_there_is_an_error(landscape: Landscape) -> None:
    """A store without one of the tables is an ERROR of that region; the others have a verdict."""
    landscape.store("us", "alter table order_lines rename to gone")
    try:
        result = run(landscape, modules=("sales",))
    finally:
        landscape.store("us", "alter table gone rename to order_lines")
    states = {(one.region, one.table): one.state for one in result.tables}
    assert states["us", "orders"] is states["us", "order_lines"] is State.ERROR
    assert {state for (region, _), state in states.items() if region != "us"} == {State.MATCH}
    assert all(one.problem for one in result.tables if one.state is State.ERROR)
    assert result.exit_code == 1


def test_column_that_the_mirror_lacks_is_an_error(landscape: Landscape) -> None:
    """A mirror behind the legacy definitions is an ERROR of its table and of what is made of it."""
    landscape.hub("alter table mirror.shipmt drop column trk_no")
    result = run(landscape, modules=("sales",))
    wrong = {(one.region, one.table) for one in result.tables if one.state is State.ERROR}
    assert wrong == {
        ("mirror", "shipmt"),
        *((region, table) for region in ("eu", "us") for table in ("orders", "order_lines")),
    }
    assert all("trk_no" in (one.problem or "") for one in result.tables if one.problem)


def test_json_of_the_command(landscape: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    """`isthmus reconcile --json` prints the document, keeps it, and exits 1 for a difference."""
    app = typer.Typer()
    app.command()(command)
    monkeypatch.chdir(landscape.folder)
    key = landscape.store("eu", "select min(order_id) from orders")[0][0]
    landscape.store("eu", "update orders set clerk = 'EVE' where order_id = %s", key)
    done = CliRunner().invoke(app, ["--json", "--timeout", "20"])
    assert done.exit_code == 1, done.output
    document = json.loads(done.stdout)
    assert list(document) == ["verdict", "tables"]
    assert document["verdict"] == "DIFF"
    table = next(one for one in document["tables"] if one["keys"])
    assert list(table) == [
        *("module", "table", "region", "state", "rows", "missing", "extra", "changed"),
        *("undecided", "position", "keys"),
    ]
    assert table["keys"] == [{"key": {"order_id": key}, "kind": "changed", "columns": ["clerk"]}]
    record = json.loads((landscape.folder / ".isthmus" / "reconcile.json").read_text())
    assert record["verdict"] == "DIFF"
    assert datetime.fromisoformat(record["finished_at"]).tzinfo is not None
    shown = CliRunner().invoke(app, ["--json", "--show-values", "--module", "sales"])
    table = next(one for one in json.loads(shown.stdout)["tables"] if one["keys"])
    assert table["keys"][0]["values"]["clerk"][1] == "EVE"


def test_kinds_are_all_named() -> None:
    """The kinds of findings are those of the document."""
    assert {kind.value for kind in Kind} == {
        *("missing", "extra", "changed", "undecided", "quarantined"),
    }
