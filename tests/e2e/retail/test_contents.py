"""What a change in the legacy database becomes in every region, also the awkward ones."""

from __future__ import annotations

import secrets

from live_site import LiveSite

from pipeline.publish.republish import republish

ORDER = (
    "insert into erp.ord_hdr values ({n}, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, "
    "{remark}, localtimestamp)"
)
LINE = "insert into erp.ord_lin values ({n}, {no}, 'A', 1, 1.5, 150, 'O')"


def place(running: LiveSite, number: int, remark: str | None = None) -> None:
    """Place an order of two lines in one transaction."""
    text = "null" if remark is None else f"'{remark}'"
    running.legacy(
        ORDER.format(n=number, remark=text),
        LINE.format(n=number, no=1),
        LINE.format(n=number, no=2),
    )


def event_count(running: LiveSite, subject: int, kind: int = 0) -> int:
    """Count the events of an order."""
    return int(
        running.hub(
            f"select count(*) from hub.event where aggregate = 'sales.Order' "
            f"and subject = '{subject}' and kind = {kind}"
        )[0][0]
    )


def test_one_transaction_is_one_whole_event_of_an_aggregate(running: LiveSite) -> None:
    """Placed and changed in one transaction, an order has one state with all its lines."""
    running.legacy(
        ORDER.format(n=7000001, remark="null"),
        LINE.format(n=7000001, no=1),
        "update erp.ord_hdr set tot_amt = 777 where ord_no = 7000001",
        LINE.format(n=7000001, no=2),
        ORDER.format(n=7000002, remark="null"),
    )
    running.wait_for_quiet()
    assert (event_count(running, 7000001), event_count(running, 7000002)) == (1, 1)
    assert event_count(running, 7000001, kind=1) == 1
    running.check_whole()


def test_repeated_events_of_living_and_deleted_aggregates_change_nothing(
    running: LiveSite,
) -> None:
    """Old states, also of an order that is gone by now, are passed over by their sequence."""
    place(running, 7000010)
    running.legacy("update erp.ord_hdr set tot_amt = 1 where ord_no = 7000010")
    running.wait_for_quiet()
    running.legacy(
        "delete from erp.ord_lin where ord_no = 7000010",
        "delete from erp.ord_hdr where ord_no = 7000010",
    )
    running.wait_for_quiet()
    numbers = [
        number
        for (number,) in running.hub(
            "select number from hub.event where module = 'sales' and kind < 3 order by number"
        )
    ]
    assert republish(running.settings, "sales", numbers) == len(numbers)
    running.wait_for_quiet()
    running.check_whole()
    assert running.store("eu", "select 1 from orders where order_id = 7000010") == []


def test_a_large_text_survives_updates_and_a_change_of_its_key(running: LiveSite) -> None:
    """A remark stored out of line is not sent again, and yet never lost."""
    remark = secrets.token_hex(30_000)
    place(running, 7000020, remark)
    running.legacy("update erp.ord_hdr set tot_amt = 5 where ord_no = 7000020")
    running.legacy(
        "update erp.ord_hdr set ord_no = 7000021 where ord_no = 7000020",
        "update erp.ord_lin set ord_no = 7000021 where ord_no = 7000020",
    )
    running.wait_for_quiet()
    assert running.store("us", "select remark from orders where order_id = 7000021") == [(remark,)]
    running.check_whole()


def test_a_changed_name_shows_in_all_orders_and_a_removed_customer_in_none(
    running: LiveSite,
) -> None:
    """Orders show the customer's name of another module, and follow it."""
    running.legacy("update erp.cust_mstr set cust_nm = 'Ægir Ångström' where cust_no = 2")
    running.wait_for_quiet()
    running.check_whole()
    running.legacy(
        "delete from erp.cust_addr where cust_no = 2",
        "delete from erp.cust_mstr where cust_no = 2",
    )
    running.wait_for_quiet()
    running.check_whole()


def test_a_truncated_table_is_empty_in_every_region(running: LiveSite) -> None:
    """TRUNCATE of a member's table within a transaction leaves what was written after it."""
    running.legacy(
        "update erp.ord_hdr set tot_amt = 6 where ord_no = 7000021",
        "truncate erp.shipmt",
        "insert into erp.shipmt values (7000001, 7000021, 20260102, 'DHL', 'T1', 'S')",
    )
    running.wait_for_quiet()
    running.check_whole()


def test_poison_is_dead_lettered_and_heals(running: LiveSite) -> None:
    """What can't be understood or breaks an expectation is set apart; the rest goes on."""
    for number in (7000030, 7000031, 7000032, 7000033):
        place(running, number)
    running.wait_for_quiet()
    running.legacy("update erp.ord_hdr set stat_cd = '?' where ord_no = 7000030")
    running.legacy("update erp.ord_hdr set frt_amt = '12,x' where ord_no = 7000031")
    running.legacy("update erp.ord_hdr set disc_pct = -5 where ord_no = 7000032")
    running.legacy("update erp.ord_hdr set tot_amt = 9 where ord_no = 7000033")
    running.wait_for_quiet()
    letters = running.hub(
        "select subject, origin, reason, payload is not null from hub.dead_letter "
        "where state = 'open' order by subject"
    )
    assert [(subject, origin) for subject, origin, _, _ in letters] == [
        ("7000030", "adapter"), ("7000031", "adapter"), ("7000032", "quality"),
    ]  # fmt: skip
    assert "stat_cd" in letters[0][2]
    assert "frt_amt" in letters[1][2]
    assert "discount_percent" in letters[2][2]
    assert all(payload for *_, payload in letters)
    assert running.store("eu", "select total from orders where order_id = 7000033")
    code, document = running.run_json("reconcile", "--module", "sales")
    assert (code, document["verdict"]) == (1, "QUARANTINED")
    running.legacy(
        "update erp.ord_hdr set stat_cd = 'N', frt_amt = '1.50', disc_pct = 0 "
        "where ord_no between 7000030 and 7000032"
    )
    running.wait_for_quiet()
    running.check_whole()
    states = running.hub("select distinct state from hub.dead_letter where origin <> 'change'")
    assert states == [("superseded",)]


def test_a_letter_whose_cause_is_gone_is_replayed(running: LiveSite) -> None:
    """Replaying asks for the aggregate again, under a new revision, and closes the letter."""
    place(running, 7000040)
    running.wait_for_quiet()
    running.hub(
        "insert into hub.dead_letter (module, origin, aggregate, subject, root_key, type, reason) "
        "values ('sales', 'adapter', 'sales.Order', '7000040', '[7000040]', 'sales.Order.v1', "
        "'the adapter did not know this yet') returning id"
    )
    running.stop("translate-sales")
    running.start("translate-sales")
    done = running.run("deadletters", "replay", "--all")
    assert done.returncode == 0, done.stderr
    running.wait(
        lambda: running.hub(
            "select state from hub.dead_letter where subject = '7000040'"
        ) == [("replayed",)],
        "the replay",
    )  # fmt: skip
    running.wait_for_quiet()
    assert event_count(running, 7000040) == 2
    running.check_whole()


def test_reconcile_names_exactly_what_was_changed_by_hand(running: LiveSite) -> None:
    """One changed, one deleted and one added row of one store: these keys and columns, no other."""
    for number in (7000050, 7000051):
        place(running, number)
    running.wait_for_quiet()
    running.write_store("us", "update orders set total = 12345 where order_id = 7000050")
    running.write_store(
        "us", "delete from order_lines where order_id = 7000051 and line_number = 2"
    )
    running.write_store("us", "insert into customers (customer_id, name) values (987654, 'Nobody')")
    code, document = running.run_json("reconcile")
    assert (code, document["verdict"]) == (1, "DIFF")
    found = {
        (one["table"], one["region"], key["kind"], json_key(key["key"]), tuple(key["columns"]))
        for one in document["tables"]
        for key in one["keys"]
    }
    assert found == {
        ("orders", "us", "changed", (("order_id", "7000050"),), ("total",)),
        ("order_lines", "us", "missing", (("line_number", "2"), ("order_id", "7000051")), ()),
        ("customers", "us", "extra", (("customer_id", "987654"),), ()),
    }
    running.write_store("us", "update orders set total = 1.5 where order_id = 7000050")
    running.write_store("us", "delete from customers where customer_id = 987654")
    running.write_store(
        "us",
        "insert into order_lines select 7000051, 2, item_code, quantity, unit_price, amount, "
        "status from order_lines where order_id = 7000051 and line_number = 1",
    )
    code, document = running.run_json("reconcile")
    assert (code, document["verdict"]) == (0, "MATCH"), document


def json_key(key: dict[str, object]) -> tuple[tuple[str, str], ...]:
    """Make a key comparable, whatever the types of its values."""
    return tuple(sorted((name, str(value)) for name, value in key.items()))


def test_rubbish_in_the_change_log_stops_nothing(running: LiveSite) -> None:
    """Bytes that are no change event are kept as a dead letter with offset and payload."""
    from confluent_kafka import Producer  # noqa: PLC0415 - only here

    producer = Producer({"bootstrap.servers": running.settings.bootstrap_servers})
    producer.produce(running.settings.changes_topic("sales"), b"\xff rubbish", partition=0)
    assert producer.flush(30) == 0
    place(running, 7000060)
    running.wait_for_quiet()
    (letter,) = running.hub(
        "select id, payload, source_offset from hub.dead_letter "
        "where state = 'open' and origin = 'change'"
    )
    assert bytes(letter[1]) == b"\xff rubbish"
    assert letter[2] is not None
    done = running.run("deadletters", "drop", f"h{letter[0]}", "--reason", "made by a test")
    assert done.returncode == 0, done.stderr
    running.check_whole()


def test_columns_added_to_a_legacy_table_appear_in_the_mirror(running: LiveSite) -> None:
    """Each of two columns, added one after the other while running, is followed with its values."""
    for column in ("note_1", "note_2"):
        running.legacy(f"alter table erp.cust_addr add column {column} text")
        running.legacy(f"update erp.cust_addr set {column} = 'seen' where cust_no = 1")
        running.wait_for_quiet()
        seen = running.hub(f"select distinct {column} from mirror.cust_addr where cust_no = 1")
        assert seen == [("seen",)]
    running.check_whole()
