"""The rarer ways in which changes and events come: out of order, truncated, unreadable, killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from event_copies import copy_events
from live_site import LiveSite

from legacy_db.retail.workload import run_workload
from pipeline.settings import SITE_FILE

FIXED_ADAPTERS = """
import adapters.retail.sales
from adapters.retail import ADAPTERS, PROJECTIONS

adapters.retail.sales.STATUSES["Q"] = "new"
"""


def place(number: int) -> list[str]:
    """Place an order of two lines."""
    header = f"{number}, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, null, localtimestamp"
    return [
        f"insert into erp.ord_hdr values ({header})",
        *[
            f"insert into erp.ord_lin values ({number}, {line}, 'A', 1, 1.5, 75, 'O')"
            for line in (1, 2)
        ],
    ]


def ship(number: int) -> list[str]:
    """Ship an order."""
    return [
        f"insert into erp.shipmt values ({number}, {number}, 20260102, 'DHL', 'T', 'S')",
        f"update erp.ord_hdr set stat_cd = 'S' where ord_no = {number}",
    ]


def purge(number: int) -> list[str]:
    """Remove an order with all that belongs to it."""
    tables = ("shipmt", "ord_lin", "ord_hdr")
    return [f"delete from erp.{table} where ord_no = {number}" for table in tables]


def read_stores(running: LiveSite) -> list[Any]:
    """Read all that the replicators have written, but for their offsets and barriers."""
    return [
        running.store(region, f"select t::text from {table} t order by 1")
        for region in running.settings.regions
        for table in (
            *("customers", "orders", "order_lines", "stock_levels"),
            *("replication.aggregate", "replication.domain_event"),
        )
    ]


def test_copies_in_the_wrong_order_change_nothing(running: LiveSite) -> None:
    """All events of a living and a deleted order come again in reverse: no row moves."""
    for number in (990000001, 990000002):
        running.legacy(*place(number))
        running.legacy(f"update erp.ord_hdr set tot_amt = 160 where ord_no = {number}")
        running.legacy(*ship(number))
    running.legacy(*purge(990000002))
    running.wait_for_quiet()
    before = read_stores(running)
    subjects = {"990000001", "990000002"}
    # three states and two domain events of each, then a deleted state and a tombstone
    copies = copy_events(running.settings, "sales", subjects, lambda found: found[::-1])
    assert copies == 2 * 5 + 2
    running.wait_for_quiet()
    assert read_stores(running) == before
    running.check_whole()


def test_an_old_update_does_not_bring_back_what_was_deleted(running: LiveSite) -> None:
    """The first state of an order that is deleted by now is passed over by its sequence."""
    running.legacy(*place(990000010))
    running.legacy(*purge(990000010))
    running.wait_for_quiet()
    kinds = "select kind from hub.event where subject = '990000010' order by number"
    assert [kind for (kind,) in running.hub(kinds)] == [0, 1, 0, 2]
    assert copy_events(running.settings, "sales", {"990000010"}, lambda found: found[:1]) == 1
    running.wait_for_quiet()
    deleted = "select deleted from replication.aggregate where subject = '990000010'"
    for region in running.settings.regions:
        assert running.store(region, deleted) == [(True,)]
        assert running.store(region, "select 1 from orders where order_id = 990000010") == []
    running.check_whole()


def test_events_of_one_transaction_stand_together(running: LiveSite) -> None:
    """Two orders of one transaction: a state and a domain event each, at one position."""
    running.legacy(
        *place(990000020), *place(990000021), *ship(990000020), *place(990000022), *purge(990000022)
    )
    running.wait_for_quiet()
    events = running.hub(
        "select subject, kind, type, right(sequence, 8), left(sequence, 34), transaction"
        " from hub.event where subject in ('990000020', '990000021', '990000022') order by number"
    )
    assert [row[:4] for row in events] == [
        ("990000020", 0, "sales.Order.v1", "00000000"),
        ("990000020", 1, "sales.OrderPlaced.v1", "00000001"),
        ("990000020", 1, "sales.OrderShipped.v1", "00000002"),
        ("990000021", 0, "sales.Order.v1", "00000000"),
        ("990000021", 1, "sales.OrderPlaced.v1", "00000001"),
    ]
    assert len({row[4:] for row in events}) == 1
    running.check_whole()


def test_a_truncated_root_deletes_all_its_aggregates(running: LiveSite) -> None:
    """TRUNCATE of a root table leaves what was written after it, and later rows come back."""
    rows = running.query_legacy("select * from erp.stk_bal order by 1, 2")
    values = [", ".join("null" if one is None else f"'{one}'" for one in row) for row in rows]
    inserts = [f"insert into erp.stk_bal values ({row})" for row in values]
    running.legacy("truncate erp.stk_bal", *inserts[:3], "update erp.stk_bal set qty_oh = 700")
    running.wait_for_quiet()
    for region in running.settings.regions:
        assert running.store(region, "select count(*) from stock_levels") == [(3,)]
    running.check_whole()
    running.legacy(*inserts[3:])
    running.wait_for_quiet()
    assert running.store("eu", "select count(*) from stock_levels") == [(len(rows),)]
    running.check_whole()


def test_poison_does_not_hold_back_its_transaction(running: LiveSite) -> None:
    """Beside an order that can't be understood the same transaction's other order goes on."""
    running.legacy(*place(990000030), *place(990000031))
    running.wait_for_quiet()
    running.legacy(
        "update erp.ord_hdr set stat_cd = '?' where ord_no = 990000030",
        "update erp.ord_hdr set tot_amt = 31400 where ord_no = 990000031",
    )
    running.legacy("update erp.ord_hdr set tot_amt = 9 where ord_no = 990000030")
    running.wait_for_quiet()
    ((reason, payload, last_good, behind),) = running.hub(
        "select reason, d.payload, last_good is not null, d.sequence > e.sequence"
        " from hub.dead_letter d join hub.event e using (subject)"
        " where subject = '990000030' and state = 'open' and e.kind = 0"
    )
    assert "ord_hdr.stat_cd: unknown code '?'" in reason
    assert b'"tot_amt":9' in bytes(payload)
    assert (last_good, behind) == (True, True)
    code, document = running.run_json("reconcile", "--module", "sales")
    assert (code, document["verdict"]) == (1, "QUARANTINED")
    named = [
        (table["region"], table["table"], key["kind"], key["key"])
        for table in document["tables"]
        for key in table["keys"]
        if table["table"] == "orders"
    ]
    order = {"order_id": 990000030}
    assert named == [("eu", "orders", "quarantined", order), ("us", "orders", "quarantined", order)]
    for region in running.settings.regions:
        stored = "select order_id, total::text from orders where order_id in (990000030, 990000031)"
        assert sorted(running.store(region, stored)) == [(990000030, "1.50"), (990000031, "314.00")]
    running.legacy("update erp.ord_hdr set stat_cd = 'N' where ord_no = 990000030")
    running.wait_for_quiet()
    running.check_whole()


@pytest.fixture
def fixable(running: LiveSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveSite]:
    """Give the site with adapters that a test may replace; the repository's are back behind it."""
    monkeypatch.chdir(running.folder)  # a child finds the site's own modules there
    path = running.folder / SITE_FILE
    before = path.read_text()
    yield running
    path.write_text(before)
    assert running.stop("translate-sales") == 0
    running.start("translate-sales")


def test_a_letter_is_replayed_by_the_fixed_adapter(fixable: LiveSite) -> None:
    """Once the adapter knows the code, replaying emits the order under a new revision."""
    fixable.legacy(*place(990000040))
    fixable.wait_for_quiet()
    fixable.legacy("update erp.ord_hdr set stat_cd = 'Q', tot_amt = 4200 where ord_no = 990000040")
    fixable.wait_for_quiet()
    letter = "select 'h' || id, state from hub.dead_letter where subject = '990000040'"
    ((letter_id, state),) = fixable.hub(letter)
    assert state == "open"

    (fixable.folder / "fixed_adapters.py").write_text(FIXED_ADAPTERS)
    path = fixable.folder / SITE_FILE
    path.write_text(path.read_text().replace('"adapters.retail"', '"fixed_adapters"'))
    assert fixable.stop("translate-sales") == 0
    fixable.start("translate-sales")
    code, done = fixable.run_json("deadletters", "replay", letter_id)
    assert (code, [one["asked"] for one in done]) == (0, [True])
    fixable.wait_for_quiet()
    assert fixable.hub(letter) == [(letter_id, "replayed")]
    sequences = fixable.hub(
        "select sequence from hub.event where subject = '990000040' and kind = 0 order by number"
    )
    revisions = [int(sequence.split("-")[2], 16) for (sequence,) in sequences]
    assert revisions[0] == 0
    assert revisions[1] > 0
    assert sequences == sorted(sequences)
    for region in fixable.settings.regions:
        stored = "select status, total::text from orders where order_id = 990000040"
        assert fixable.store(region, stored) == [("new", "42.00")]
    fixable.legacy("update erp.ord_hdr set stat_cd = 'N' where ord_no = 990000040")
    fixable.wait_for_quiet()
    fixable.check_whole()


def test_rubbish_of_any_form_is_kept_with_its_offset(running: LiveSite) -> None:
    """Records that are no change events are letters in their order, and the next change comes."""
    rubbish = [b"rubbish", b"\xff\x00\xfe", b'{"op": 7}', b"[]", b'{"status": "PERHAPS"}']
    producer = Producer({"bootstrap.servers": running.settings.bootstrap_servers})
    for value in rubbish:
        producer.produce(running.settings.changes_topic("sales"), value, partition=0)
    assert producer.flush(30) == 0
    running.legacy(*place(990000050))
    running.wait_for_quiet()
    letters = running.hub(
        "select 'h' || id, payload, source_offset, reason from hub.dead_letter"
        " where state = 'open' and origin = 'change' order by source_offset"
    )
    assert [bytes(payload) for _, payload, _, _ in letters] == rubbish
    assert all(reason for *_, reason in letters)
    ids = [one[0] for one in letters]
    done = running.run("deadletters", "drop", *ids, "--reason", "made by a test")
    assert done.returncode == 0, done.stderr
    running.check_whole()


def test_all_killed_at_once_make_up_for_it(running: LiveSite) -> None:
    """When every process is killed under load, those that start again lose and double nothing."""
    run_workload(running.settings.legacy.owner_url, rate=200, seconds=0.5, seed=77, clients=3)
    running.end()
    run_workload(running.settings.legacy.owner_url, rate=200, seconds=0.5, seed=78, clients=3)
    running.start_all()
    running.wait_for_quiet()
    running.check_whole()


def test_what_follows_a_kill_in_an_emission_is_whole(running: LiveSite) -> None:
    """A translator killed while it emits again for a new name goes on with what is left."""
    running.wait_for_quiet()
    ((customer,),) = running.query_legacy(
        "select cust_no from erp.ord_hdr where cust_no in (select cust_no from erp.cust_mstr)"
        " group by 1 order by count(*) desc limit 1"
    )
    assert running.stop("translate-sales") == 0
    running.legacy(f"update erp.cust_mstr set cust_nm = 'Søren & Søn' where cust_no = {customer}")
    asked = "select 1 from hub.emission where module = 'sales'"
    running.wait(lambda: bool(running.hub(asked)), "the request to emit again")
    running.start("translate-sales", "translate.before_commit")
    assert running.wait_for_end("translate-sales") == -signal.SIGKILL
    running.start("translate-sales")
    running.wait_for_quiet()
    names = f"select distinct customer_name from orders where customer_id = {customer}"
    for region in running.settings.regions:
        assert running.store(region, names) == [("Søren & Søn",)]
    running.check_whole()
