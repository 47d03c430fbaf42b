"""However the events of a site arrive, a region ends up the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from replicate_shop import (
    ALL_PARTITIONS,
    CONTRACTS,
    ITEM,
    ORDER,
    PLACED,
    PROJECTIONS,
    KnownSchemas,
    Log,
    contents,
    item,
    order,
    placed,
)

from adapters.contract import Contract
from pipeline.replicate.core import Planner
from pipeline.replicate.loop import write_records
from pipeline.replicate.memory import MemoryStore
from pipeline.replicate.record import Record

Event = tuple[Contract, str, int, dict[str, Any] | None]


@st.composite
def _histories(draw: st.DrawFn) -> list[Event]:
    """Draw the events of a few aggregates; each position is used once by an aggregate."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 4))):
        subject = str(number)
        for position in range(1, draw(st.integers(1, 5)) + 1):
            kind = draw(st.sampled_from(["state", "state", "deleted", "item", "placed"]))
            if kind == "item":
                events.append((ITEM, f"I{number}", position, item(f"I{number}", position)))
            elif kind == "placed":
                events.append((PLACED, subject, position, placed(number)))
            else:
                state = order(number, position, deleted=kind == "deleted", lines=position % 3)
                events.append((ORDER, subject, position, state))
                if kind == "deleted":
                    events.append((ORDER, subject, position, None))
    return events


def _replicate(events: list[Event], sizes: list[int]) -> MemoryStore:
    """Replicate events in batches of the given sizes, round and round."""
    log, store = Log(), MemoryStore()
    records = [log.event(*event) for event in events]
    epochs = {place: owned.epoch for place, owned in store.take_over(ALL_PARTITIONS).items()}
    planner = Planner(PROJECTIONS, CONTRACTS, KnownSchemas())
    turn = 0
    while records:
        size = sizes[turn % len(sizes)]
        batch: list[Record] = records[:size]
        write_records(planner, store, batch, epochs)
        records, turn = records[size:], turn + 1
    return store


@settings(max_examples=150, deadline=None)
@given(_histories(), st.data())
def test_any_order_and_any_repetition_gives_the_same_store(
    events: list[Event], data: st.DataObject
) -> None:
    """Shuffled, repeated and cut in any batches, the events give what they give in order."""
    expected = contents(_replicate(events, [1]))
    again = data.draw(st.lists(st.sampled_from(events), max_size=len(events)))
    shuffled = data.draw(st.permutations(events + again))
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    assert contents(_replicate(list(shuffled), sizes)) == expected


def test_the_vectorised_way_gives_the_same_store_as_the_other() -> None:
    """A batch that polars decodes leaves what the same events leave one by one."""
    events: list[Event] = []
    for position in range(1, 6):
        for number in range(120):
            gone = (number + position) % 11 == 0
            state = order(number, position, deleted=gone, lines=(number + position) % 4)
            events.append((ORDER, str(number), position, state))
            events.append((ITEM, f"I{number}", position, item(f"I{number}", position)))
            events.append((PLACED, str(number), position, placed(number)))
    assert contents(_replicate(events, [1000])) == contents(_replicate(events, [1]))
