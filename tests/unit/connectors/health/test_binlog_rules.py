"""A binary log that was purged, or that begins anew under a connector, is named and stops it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from health_facts import CONNECTOR, LIMITS, WELL, only

from connectors.health.facts import (
    NO_EVENT,
    BinlogFacts,
    BinlogPlace,
    ModuleFacts,
    SeenBinlog,
    TranslatorFacts,
)
from connectors.health.finding import Kind, Remedy
from connectors.health.rules import find

BINLOG = BinlogFacts(
    (("bin.000004", 1_000), ("bin.000005", 300)), "0-7-40", "0-7-90,3-8-2",
    is_exact=True, server_id=7,
)  # fmt: skip
SEEN = SeenBinlog(7, BinlogPlace("bin.000004", 900), "0-7-60,3-8-2")


def on_mariadb(
    file: str = "bin.000004",
    *,
    gtids: str = "0-7-59",
    binlog: BinlogFacts = BINLOG,
    at_seen: str | None = "0-7-61",
    seen: SeenBinlog | None = SEEN,
) -> ModuleFacts:
    """Give the facts of a module whose connector goes on in a file of a binary log."""
    reading = replace(CONNECTOR, offset={"file": file, "pos": 400, "gtids": gtids})
    return replace(
        WELL, source=None, seen=None, connector=reading, binlog=binlog, seen_binlog=seen,
        at_seen=at_seen, translator=replace(translator(4, 800)),
    )  # fmt: skip


def translator(file: int, offset: int, epoch: int = 1) -> TranslatorFacts:
    """Give a translator that has translated up to a place in an epoch."""
    lsn = (file << 40) + offset
    return TranslatorFacts(epoch, lsn, 499, "complete", incremental=False, emissions=0)


@pytest.mark.parametrize("at_seen", ["0-7-61", "3-7-3", "5-7-1", None])
def test_a_log_that_goes_on_is_well(at_seen: str | None) -> None:
    """The next number of a domain, a new domain's or nothing yet stands where it ended."""
    assert find(on_mariadb(at_seen=at_seen), LIMITS) == []


def test_a_purged_binary_log_stops_the_connector() -> None:
    """The file that it would go on in is gone: nothing that follows could be whole."""
    found = only(on_mariadb("bin.000003", gtids="0-7-39"))
    assert (found.kind, found.remedy, found.doubt) == (Kind.BINLOG_PURGED, Remedy.STOP, True)
    assert "behind the oldest binary log (bin.000004)" in found.text


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            on_mariadb(binlog=replace(BINLOG, gtids="0-7-59,3-8-2")),
            "ends with GTID 0-7-59,3-8-2, and had 0-7-60,3-8-2",
        ),
        (on_mariadb(binlog=replace(BINLOG, gtids="")), "ends with GTID none"),
        (on_mariadb(binlog=replace(BINLOG, gtids="0-7-90")), "and had 0-7-60,3-8-2"),
        (on_mariadb(gtids="0-7-91"), "ends with GTID 0-7-90,3-8-2, and had 0-7-91"),
        (
            on_mariadb(seen=replace(SEEN, place=BinlogPlace("bin.000005", 301))),
            "ends at bin.000005:300, and was read up to bin.000005:301",
        ),
        (on_mariadb("bin.000006", seen=None), "and was read up to bin.000006:400"),
        (
            replace(on_mariadb(), translator=translator(5, 301)),
            "ends at bin.000005:300, before what was translated",
        ),
        (on_mariadb(at_seen=NO_EVENT), "no event begins at bin.000004:900"),
        (on_mariadb(at_seen="0-7-3"), "0-7-3 stands at bin.000004:900, where 0-7-60,3-8-2"),
        (on_mariadb(at_seen="0-7-62"), "0-7-62 stands at bin.000004:900"),
    ],
)
def test_a_log_that_begins_anew_stops_the_connector(facts: ModuleFacts, words: str) -> None:
    """Its end lies before what was read, or it has grown past that with other transactions."""
    found = only(facts)
    assert (found.kind, found.remedy, found.doubt) == (Kind.DATABASE_WENT_BACK, Remedy.STOP, True)
    assert words in found.text
    assert "snapshot --again sales" in found.text


def test_another_server_that_has_the_transactions_takes_over() -> None:
    """Behind a failover files and places say nothing, as long as the GTIDs go on."""
    promoted = replace(BINLOG, files=(("bin.000001", 500),), server_id=8)
    facts = on_mariadb("bin.000001", binlog=promoted, at_seen=NO_EVENT)
    assert find(facts, LIMITS) == []
    behind = replace(promoted, gtids="0-7-59,3-8-2")
    assert only(replace(facts, binlog=behind)).kind is Kind.DATABASE_WENT_BACK


def test_in_a_new_epoch_only_what_it_has_read_counts() -> None:
    """What the epoch before had translated stands in no way of a log that was reset."""
    reset = BinlogFacts((("bin.000001", 700),), "", "0-7-2", is_exact=True, server_id=7)
    facts = on_mariadb("bin.000001", gtids="0-7-1", binlog=reset, seen=None, at_seen=None)
    assert only(facts).kind is Kind.DATABASE_WENT_BACK
    config = {**(WELL.wanted or {}), "transforms.epoch.value.literal": "2"}
    anew = replace(facts.connector, config=config)
    assert find(replace(facts, wanted=config, agreed=config, connector=anew), LIMITS) == []


def test_without_gtids_only_places_are_compared() -> None:
    """MySQL tells of no such GTIDs: what lies before a place that was read is found, too."""
    plain = BinlogFacts(BINLOG.files)
    facts = replace(on_mariadb(gtids="", binlog=plain, seen=None, at_seen=None))
    assert find(facts, LIMITS) == []
    shorter = replace(plain, files=(("bin.000004", 399),))
    assert "ends at bin.000004:399" in only(replace(facts, binlog=shorter)).text


def test_lag_in_a_binary_log_is_what_lies_behind_the_place_in_it() -> None:
    """The rest of its file and the files after it."""
    assert on_mariadb().lag_bytes == 600 + 300
