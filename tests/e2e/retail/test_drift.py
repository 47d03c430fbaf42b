"""The legacy tables are altered while everything runs; mirror and regions are equal afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from live_site import SALES_SIGNALS, LiveSite, declare_sales_signals

from legacy_db.retail.migrations import migrate

GREETING = "create table erp.greeting (id integer primary key, words text)"


@pytest.fixture(scope="module")
def live(module_site: Callable[[], Any]) -> Iterator[LiveSite]:
    """Give a running site of 200 orders whose module sales has a signal table."""
    folder = module_site().folder
    declare_sales_signals(folder)
    running = LiveSite(folder, orders=200)
    try:
        migrate(running.settings.legacy.owner_url)
        running.legacy(SALES_SIGNALS)
        running.set_up()
        running.start_all()
        running.wait_for_quiet()
        yield running
    finally:
        running.end()


@contextmanager
def load(live: LiveSite) -> Iterator[None]:
    """Change orders and lines in two sessions whose transactions interleave."""
    stop = threading.Event()

    def work(remainder: int) -> None:
        with psycopg.connect(live.settings.legacy.owner_url, autocommit=True) as connection:
            turn = 0
            while not stop.is_set():
                turn += 1
                with connection.transaction():
                    connection.execute(
                        "update erp.ord_hdr set chg_ts = chg_ts + interval '1 s'"
                        " where ord_no %% 2 = %s and ord_no %% 10 = %s",
                        (remainder, (2 * turn + remainder) % 10),
                    )
                    connection.execute(
                        "update erp.ord_lin set qty = qty + 1 where ord_no %% 2 = %s"
                        " and ord_no %% 10 = %s",
                        (remainder, (2 * turn + remainder) % 10),
                    )
                stop.wait(0.02)

    threads = [threading.Thread(target=work, args=(one,)) for one in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def check_equal(live: LiveSite) -> None:
    """Assert that mirror, regions and the hand-written queries agree."""
    live.wait_for_quiet()
    code, found = live.run_json("reconcile")
    states = {(one["table"], one["region"]): one["state"] for one in found["tables"]}
    assert (code, found["verdict"]) == (0, "MATCH"), states
    live.check_whole()


def mirror_columns(live: LiveSite, table: str) -> dict[str, str]:
    """Return the mirror's columns and types."""
    return dict(
        live.hub(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            f" where attrelid = 'mirror.{table}'::regclass and attnum > 0 and not attisdropped"
        )
    )


def test_columns_come_change_and_go_under_load(live: LiveSite) -> None:
    """Added with and without default, renamed, retyped wider and narrower, dropped: equal each."""
    with load(live):
        live.legacy("alter table erp.ord_hdr add column prio smallint not null default 3")
        live.wait(lambda: "prio" in mirror_columns(live, "ord_hdr"), "the added column")
        live.legacy("update erp.ord_hdr set prio = 70 where ord_no % 3 = 0")
        live.legacy("alter table erp.ord_hdr add column memo varchar(5)")
        live.legacy("update erp.ord_hdr set memo = 'abcde' where ord_no % 4 = 0")
        live.legacy("alter table erp.ord_hdr rename column prio to priority")
        live.legacy("update erp.ord_hdr set priority = 71 where ord_no % 7 = 0")
    check_equal(live)
    assert live.hub("select count(*) from mirror.ord_hdr where priority is null") == [(0,)]
    with load(live):
        live.legacy(
            "alter table erp.ord_hdr alter column priority type bigint,"
            " alter column memo type varchar(50)"
        )
        live.legacy(
            "update erp.ord_hdr set priority = 9000000000, memo = repeat('x', 50)"
            " where ord_no % 5 = 0"
        )
        live.legacy("alter table erp.ord_hdr alter column memo type char(60)")
    check_equal(live)
    # not under load: Debezium reads a column's type from the catalogue, which must not be ahead
    live.legacy("alter table erp.ord_hdr alter column priority type numeric(20,2)")
    live.legacy("update erp.ord_hdr set priority = 1.25 where ord_no % 6 = 0")
    check_equal(live)
    live.legacy("alter table erp.ord_hdr alter column priority type numeric(20,1)")
    live.legacy("update erp.ord_hdr set priority = priority + 0.5 where ord_no % 6 < 2")
    check_equal(live)
    assert live.query_legacy("select count(*) from erp.ord_hdr where priority = 1.8") != [(0,)]
    with load(live):
        live.legacy("alter table erp.ord_hdr drop column memo")
        live.legacy("alter table erp.ord_hdr drop column priority")
    check_equal(live)
    # only now, for the same reason: Debezium would read the former memo as a number, and fail
    with load(live):
        live.legacy("alter table erp.ord_hdr add column memo integer default 5")
        live.wait(lambda: "memo" in mirror_columns(live, "ord_hdr"), "the column added again")
    check_equal(live)
    columns = mirror_columns(live, "ord_hdr")
    assert "priority" not in columns
    assert columns["memo"] == "integer"


def test_a_column_added_to_a_quiet_table_is_followed(live: LiveSite) -> None:
    """No row tells of it: the translator looks at the definitions by itself."""
    live.legacy("alter table erp.shipmt add column weight numeric(6,2) not null default 1.5")
    live.wait(lambda: "weight" in mirror_columns(live, "shipmt"), "the column")
    check_equal(live)


def test_definitions_are_kept_by_position_and_registered(live: LiveSite) -> None:
    """Every version has a position; the registry has a subject per legacy table."""
    live.legacy("alter table erp.ord_hdr add column note text")
    live.wait(lambda: "note" in mirror_columns(live, "ord_hdr"), "the column")
    _, versions = live.run_json("contracts", "definitions", "--table", "ord_hdr")
    places = [tuple(map(int, one["position"].split("/"))) for one in versions]
    assert places == sorted(places)
    assert len(versions) > 2
    pending = "select count(*) from hub.definition_version where not registered"
    live.wait(lambda: live.hub(pending) == [(0,)], "the registry")
    code, changes = live.run_json("contracts", "diff", "--since", f"ord_hdr@{len(versions) - 1}")
    assert code == 0
    (change,) = changes["changes"]
    assert (change["change"]["kind"], change["change"]["column"]) == ("add column", "note")


def test_a_diff_tells_before_what_would_break_and_the_translator_says_it_after(
    live: LiveSite,
) -> None:
    """A renamed column that the adapter reads: exit 1 before, a named Fatal, whole when mended."""
    ddl = "alter table erp.ord_hdr rename column rmk to remark"
    code, found = live.run_json("contracts", "diff", "--ddl", ddl)
    assert code == 1
    touched = {(one["kind"], one["name"]) for one in found["changes"][0]["touched"]}
    assert {("adapter", "sales.Order"), ("projection", "orders"), ("region", "us")} <= touched
    live.legacy(ddl, "update erp.ord_hdr set remark = 'renamed' where ord_no % 9 = 0")
    assert live.wait_for_end("translate-sales") == 1
    assert "sales.Order reads 'rmk' of a row of" in live.tail("translate-sales")
    live.legacy("alter table erp.ord_hdr rename column remark to rmk")
    live.start("translate-sales")
    check_equal(live)


def test_a_table_is_added_to_the_declaration_while_changes_run(live: LiveSite) -> None:
    """Declared, applied, read again by signal: its rows from before and after are mirrored."""
    live.legacy(GREETING, "insert into erp.greeting select g, 'old' from generate_series(1, 50) g")
    path = live.folder / "declared" / "sales.yaml"
    path.write_text(path.read_text().replace("ord_hdr,", "ord_hdr, greeting,", 1))
    assert "greeting" in path.read_text()
    with load(live):
        applied = live.run("connectors", "apply")
        assert applied.returncode == 0, applied.stderr
        live.stop("translate-sales")
        live.start("translate-sales")
        live.legacy("update erp.greeting set words = 'new' where id <= 10")
        again = live.run("connectors", "snapshot", "greeting")
        assert again.returncode == 0, again.stderr
        live.wait(
            lambda: live.hub("select count(*) from mirror.greeting") == [(50,)], "the old rows"
        )
    check_equal(live)
    assert live.hub("select count(*) from mirror.greeting where words = 'new'") == [(10,)]
