"""Every type of PostgreSQL goes the whole way: log, mirror, events, region; all are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hard_types import COLUMNS, TYPES, insert_row, prepare_site, set_row
from live_site import LiveSite

from pipeline.demo.landscape import apply_connectors, migrate_targets, register_site_contracts

LARGE = (
    "i = (select array_agg(g * 7919) from generate_series(1, 3000) g),"
    " t = (select array_agg(md5(g::text)) from generate_series(1, 1000) g),"
    " u = (select array_agg(md5(g::text)::uuid) from generate_series(1, 1000) g),"
    " b = decode((select string_agg(md5(g::text), '') from generate_series(1, 1000) g), 'hex'),"
    " j = (select jsonb_object_agg(md5(g::text), g) from generate_series(1, 500) g),"
    " n = repeat('1234567', 4000)::numeric,"
    " m = (select range_agg(int4range(g * 3, g * 3 + 1)) from generate_series(1, 2000) g)"
)


@pytest.fixture(scope="module")
def live(module_site: Callable[[], Any]) -> Iterator[LiveSite]:
    """Give a site over the table of all types, with rows in it before the snapshot."""
    folder = module_site().folder
    prepare_site(folder)
    running = LiveSite(folder, modules=("types",))
    running.legacy(
        insert_row(1, 0),
        insert_row(2, 1),
        "insert into erp.hard (id) values (3)",
        "insert into erp.beyond values (1, 'NaN', 'NaN', 'infinity', '-infinity', 'infinity', 'x'),"
        " (2, 'Infinity', '-Infinity', '5874897-12-31', '4713-01-01 00:00:01 BC',"
        " '294276-12-31 23:59:59.999999+00', 'x'), (9, '-Infinity', 'Infinity', '-infinity',"
        " 'infinity', '-infinity', 'x'), (10, 1, 1, '2026-01-01', '2026-01-01', '2026-01-01', 'y')",
        "insert into erp.book values (1, '2025-12-31', 'a')",
        "insert into erp.keyless values (1, 'x'), (2, null)",
        "insert into erp.large (id) values (1)",
        "insert into erp.large_default (id) values (1)",
        "insert into erp.wide (id, w1, w999) values (1, 7, 9)",
    )
    try:
        migrate_targets(running.settings, _ignore)
        register_site_contracts(running.settings, _ignore)
        apply_connectors(running.settings, _ignore)
        running.start_all()
        complete = "select count(*) from hub.module where snapshot = 'complete'"
        running.wait(lambda: running.hub(complete)[0][0] == 1, "the snapshot")
        yield running
    finally:
        running.end()


def check_equal(live: LiveSite, *, but: frozenset[tuple[str, str]] = frozenset()) -> None:
    """Assert that the mirror equals the legacy database and the region equals both."""
    live.wait_for_quiet()
    _, found = live.run_json("reconcile")
    wrong = {
        (one["table"], one["region"]): (one["state"], one.get("problem"), one.get("keys"))
        for one in found["tables"]
        if one["state"] != "MATCH" and (one["table"], one["region"]) not in but
    }
    assert not wrong


BEYOND = frozenset({("beyond", "eu")})


def test_a_snapshot_of_every_type_is_equal(live: LiveSite) -> None:
    """Extremes and nulls of all types are in mirror and region as they are in the legacy table."""
    check_equal(live, but=BEYOND)
    mirrored = live.hub("select count(*) from mirror.hard")[0][0]
    assert mirrored == 3
    columns = {
        name
        for (name,) in live.hub(
            "select attname from pg_attribute where attrelid = 'mirror.hard'::regclass"
            " and attnum > 0 and not attisdropped"
        )
    }
    assert {"Up Case.dot", "class", "1st", "number"} < columns
    assert not columns & {"twice", "thrice", "pair"}


def test_what_no_event_can_hold_is_a_letter_and_stays_in_the_mirror(live: LiveSite) -> None:
    """NaN, infinities and years that Python has not are mirrored; their aggregates are letters."""
    check_equal(live, but=BEYOND)
    letters = dict(live.hub("select subject, reason from hub.dead_letter where state = 'open'"))
    assert set(letters) == {"1", "2", "9"}
    assert live.store("eu", "select id, plain from beyond") == [(10, "y")]
    live.legacy("update erp.beyond set plain = 'still', d = '0044-03-15 BC' where id = 1")
    live.wait_for_quiet()
    check_equal(live, but=BEYOND)
    live.legacy("update erp.beyond set n = 1, x = 1, d = '2026-01-01', t = '2026-01-01', z = now()")
    check_equal(live)
    assert live.hub("select * from hub.dead_letter where state = 'open'") == []


def test_changes_of_every_type_are_equal(live: LiveSite) -> None:
    """Inserted, set to other values, to null and back, deleted: equal after each."""
    live.legacy(insert_row(11, 0), insert_row(12, 1), "insert into erp.hard (id) values (13)")
    live.legacy(set_row(1, 1), set_row(2, None), set_row(3, 0))
    check_equal(live, but=BEYOND)
    live.legacy(set_row(1, None), set_row(2, 0), set_row(3, 1))
    live.legacy("delete from erp.hard where id in (11, 12)")
    check_equal(live, but=BEYOND)
    assert live.hub("select count(*) from mirror.hard")[0][0] == 4


def test_each_column_changes_by_itself(live: LiveSite) -> None:
    """A change of one column is told with the others as they are."""
    live.legacy(insert_row(20, 0))
    for type_, column in COLUMNS.items():
        live.legacy(f"update erp.hard set {column} = {TYPES[type_][1]} where id = 20")
    check_equal(live, but=BEYOND)


def test_a_label_that_is_added_later_comes_through(live: LiveSite) -> None:
    """ALTER TYPE ... ADD VALUE while changes run needs nothing of anybody."""
    live.legacy("alter type erp.mood add value if not exists 'brand new'")
    column = COLUMNS["erp.mood"]
    live.legacy(f"update erp.hard set {column} = 'brand new' where id = 3")
    check_equal(live, but=BEYOND)


def test_unchanged_large_values_stay(live: LiveSite) -> None:
    """Out-of-line texts, arrays, bytes and numbers survive an update of another column."""
    live.legacy(f"update erp.large_default set {LARGE}")
    live.legacy("update erp.large_default set v = 1")
    live.legacy(
        f"update erp.large set {LARGE},"
        " d = (select array_agg('2020-01-01'::date + g) from generate_series(1, 3000) g)"
    )
    live.legacy("update erp.large set v = 1")
    check_equal(live, but=BEYOND)
    assert live.hub("select v, cardinality(d) from mirror.large") == [(1, 3000)]


def test_a_table_without_a_key_goes_by_its_declared_one(live: LiveSite) -> None:
    """Insert, update, changed key and delete of rows that only the declaration tells apart."""
    live.legacy("insert into erp.keyless values (3, 'new')")
    live.legacy("update erp.keyless set b = 'changed' where a = 1")
    live.legacy("update erp.keyless set a = 4 where a = 2")
    live.legacy("delete from erp.keyless where a = 3")
    check_equal(live, but=BEYOND)
    assert live.store("eu", "select a, b from keyless order by a") == [(1, "changed"), (4, None)]


def test_partitions_come_and_go_under_the_roots_name(live: LiveSite) -> None:
    """A partition made while changes run is captured; one attached with rows needs a snapshot."""
    live.legacy(
        "create table erp.book_2 partition of erp.book for values from ('2026-01-01')"
        " to ('2027-01-01')",
        "insert into erp.book values (2, '2026-05-05', 'b')",
    )
    live.legacy("update erp.book set day = '2025-01-01', v = 'moved' where id = 2")
    live.legacy(
        "create table erp.book_3 (like erp.book including all)",
        "alter table erp.book attach partition erp.book_3 for values from ('2027-01-01')"
        " to ('2028-01-01')",
        "insert into erp.book values (3, '2027-05-05', 'c')",
    )
    check_equal(live, but=BEYOND)
    live.legacy("delete from erp.book where day >= '2027-01-01'")
    live.legacy("alter table erp.book detach partition erp.book_3")
    check_equal(live, but=BEYOND)


def test_a_very_wide_table(live: LiveSite) -> None:
    """A thousand columns are one row like any other."""
    live.legacy("update erp.wide set w500 = 5", "insert into erp.wide (id, w998) values (2, 8)")
    check_equal(live, but=BEYOND)


def _ignore(message: str) -> None:
    del message
