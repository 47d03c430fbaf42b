"""What another source offset would lose, double or read again, said beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.errors import Configuration
from connectors.health.facts import SlotFacts
from connectors.offset_change import (
    Surroundings,
    describe_reset,
    describe_set,
    dump_offsets,
    load_offsets,
)
from connectors.plan import Severity

SLOT = SlotFacts("isthmus_retail_sales", None, restart_lsn=400, confirmed_lsn=500)
AROUND = Surroundings("sales", SLOT, ends=[300, 450, 500, 520, 540, 560], oldest=None)


def set_to(lsn: int, around: Surroundings = AROUND) -> list[tuple[Severity, str]]:
    """Describe setting the position to `lsn`."""
    effects = describe_set([{"partition": {}, "offset": {"lsn_commit": lsn}}], around)
    return [(effect.severity, effect.text) for effect in effects]


def test_a_position_within_the_log_is_sent_again_and_counted() -> None:
    """What lies behind it in the change log comes twice, which harms nothing."""
    (effect,) = set_to(520)
    assert effect[0] is Severity.INFO
    assert effect[1].startswith("2 transactions would be sent again (they are recognised as dup")


def test_a_position_beyond_the_log_loses_what_lies_between() -> None:
    """Nobody has sent what lies between the last position in the log and the new one."""
    (effect,) = set_to(600)
    assert effect[0] is Severity.WARNING
    assert "0/230" in effect[1]
    assert "0/258" in effect[1]
    assert "LOST" in effect[1]


@pytest.mark.parametrize("lsn", [300, 450, 499])
def test_a_position_before_what_was_confirmed_is_refused(lsn: int) -> None:
    """Nothing would be sent again, and the change log would seem to have a hole."""
    (effect,) = set_to(lsn)
    assert effect[0] is Severity.REFUSED
    assert "0/1F4, which the slot has confirmed" in effect[1]


def test_a_confirmed_position_behind_no_further_transaction_harms_nothing() -> None:
    """The slot confirms places between transactions, too: the last one before it is as good."""
    (effect,) = set_to(500, replace(AROUND, slot=replace(SLOT, confirmed_lsn=510)))
    assert effect[1].startswith("3 transactions would be sent again")


def test_the_last_position_of_the_log_changes_nothing() -> None:
    """Nothing is sent again and nothing is lost."""
    (effect,) = set_to(560)
    assert effect[1].startswith("0 transactions would be sent again")


@pytest.mark.parametrize("slot", [None, replace(SLOT, wal_status="lost")])
def test_without_a_slot_no_position_is_any_good(slot: SlotFacts | None) -> None:
    """It is refused, and what helps instead is named."""
    (effect,) = set_to(520, replace(AROUND, slot=slot))
    assert effect[0] is Severity.REFUSED
    assert "snapshot --again sales" in effect[1]


def test_where_only_the_end_of_the_log_was_looked_at_an_older_position_is_refused() -> None:
    """What stands before that may have been confirmed."""
    around = replace(AROUND, ends=[520, 540], oldest=520)
    (effect,) = set_to(490, around)
    assert effect[0] is Severity.REFUSED
    (effect,) = set_to(520, around)
    assert effect[1].startswith("1 transactions")


def test_a_reset_reads_all_again_and_leaves_the_slot() -> None:
    """Both are told, and the command that does all of it in order."""
    texts = [effect.text for effect in describe_reset(AROUND)]
    assert "every row is read again" in texts[0]
    assert "snapshot --again sales" in texts[1]


def test_offsets_are_read_as_they_were_written(tmp_path: Path) -> None:
    """What `export` writes is what `set` reads; another connector's file is refused."""
    entries = [{"partition": {"server": "retail.sales"}, "offset": {"lsn": 7}}]
    path = tmp_path / "offsets.json"
    path.write_text(dump_offsets("retail.sales", entries))
    assert load_offsets(path, "retail.sales") == entries
    with pytest.raises(Configuration, match=r"offsets of 'retail\.sales', not of retail\.x"):
        load_offsets(path, "retail.x")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"offsets": []}', '{"offsets": [{"offset": 1}]}']
)
def test_a_file_that_holds_no_offsets_is_refused(text: str, tmp_path: Path) -> None:
    """The message names the file and says what it must hold."""
    path = tmp_path / "offsets.json"
    path.write_text(text)
    with pytest.raises(Configuration, match=r"offsets\.json"):
        load_offsets(path, "retail.sales")
