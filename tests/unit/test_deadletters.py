"""Ids of dead letters, and which letters can be replayed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.retail import ADAPTERS
from pipeline.deadletters.letter import DeadLetter, HubId, RegionId, parse_id
from pipeline.deadletters.replay import explain_refusal
from pipeline.errors import Configuration

BY_NAME = {adapter.aggregate: adapter for adapter in ADAPTERS}
LETTER = DeadLetter(
    id=HubId(12),
    origin="adapter",
    module="sales",
    aggregate="sales.Order",
    subject="7",
    type="sales.Order.v1",
    sequence=None,
    expectation=None,
    reason="unknown code",
    state="open",
    at=datetime(2026, 11, 23, tzinfo=UTC),
    place=None,
    payload=b"{}",
)


@pytest.mark.parametrize("text", ["h12", "eu:sales.0.17", "eu:other.topic.events.3.4"])
def test_id_reads_back(text: str) -> None:
    """An id is read as it is written."""
    assert str(parse_id(text)) == text


def test_id_names_the_record() -> None:
    """A region's id has region, module, partition and offset."""
    assert parse_id("eu:sales.0.17") == RegionId("eu", "sales", 0, 17)
    assert parse_id("h1") == HubId(1)


@pytest.mark.parametrize("text", ["", "12", "h", "h1x", "eu:sales.1", "eu:7", "hub"])
def test_nonsense_is_refused(text: str) -> None:
    """Anything else is refused with the way to see the ids."""
    with pytest.raises(Configuration, match="deadletters list"):
        parse_id(text)


def test_open_letter_of_an_aggregate_can_be_replayed() -> None:
    """A letter of a known aggregate is no refusal."""
    assert explain_refusal(LETTER, BY_NAME) is None


@pytest.mark.parametrize(
    ("letter", "word"),
    [
        (replace(LETTER, state="dropped"), "dropped already"),
        (replace(LETTER, origin="change", aggregate=None, subject=None), "snapshot"),
        (replace(LETTER, origin="region", aggregate=None), "domain event"),
        (replace(LETTER, aggregate="sales.Basket"), "no adapter"),
    ],
)
def test_other_letters_say_what_can_be_done(letter: DeadLetter, word: str) -> None:
    """What can't be replayed says why, and what to do instead."""
    refusal = explain_refusal(letter, BY_NAME)
    assert refusal is not None
    assert word in refusal


def test_document_has_no_values() -> None:
    """A letter's document has no payload; that is another one."""
    assert "payload" not in LETTER.document()
    assert LETTER.payload_document() == {"payload": "{}"}
    assert replace(LETTER, payload=None).payload_document() == {"payload": None}
