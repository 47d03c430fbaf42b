"""The rules about a database that went back in time and has passed its old position since."""

from __future__ import annotations

from dataclasses import replace

import pytest
from health_facts import CONFIG, CONNECTOR, LIMITS, SLOT, WELL, only, source

from connectors.health.facts import Checkpoint, ModuleFacts, SeenSource
from connectors.health.finding import Kind, Remedy
from connectors.health.rules import find

SEEN = SeenSource("7", 1, 9_990, Checkpoint(9_000, 700))


def look(seen: SeenSource = SEEN, **changes: object) -> ModuleFacts:
    """Give the facts of a database of which more was seen before than its position."""
    now = {"next_xid": 800, "checkpoint": Checkpoint(9_000, 700), **changes}
    return replace(source(**now), seen=seen)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (look(checkpoint=Checkpoint(8_999, 699)), "made its last checkpoint at 0/2327"),
        (look(next_xid=699, checkpoint=Checkpoint(9_100, 650)), "transaction 699, and was at 700"),
        (look(replace(SEEN, went_back=True)), "was behind 0/2706, where it had been before"),
    ],
)
def test_an_older_history_is_known_beyond_the_old_position(facts: ModuleFacts, words: str) -> None:
    """Checkpoints and transactions' numbers tell it, and once told it is not taken back."""
    found = only(facts)
    assert (found.kind, found.remedy, found.doubt) == (Kind.DATABASE_WENT_BACK, Remedy.STOP, True)
    assert words in found.text


def test_a_database_that_only_went_on_is_well() -> None:
    """Neither the same checkpoint again nor a later one is an older history."""
    assert find(look(), LIMITS) == []
    assert find(look(next_xid=900, checkpoint=Checkpoint(9_500, 750)), LIMITS) == []


def test_a_new_primary_may_have_an_older_checkpoint() -> None:
    """A standby makes restart points of its own: where its slot was kept, they say nothing."""
    older = Checkpoint(8_000, 600)
    kept = look(timeline=2, checkpoint=older, slot=replace(SLOT, synced=True))
    assert only(kept).kind is Kind.DATABASE_FAILED_OVER
    assert only(look(timeline=2, checkpoint=older)).kind is Kind.DATABASE_WENT_BACK
    assert find(look(timeline=None, checkpoint=older, lsn=8_000), LIMITS) == [], "a standby"


def test_a_slot_that_came_with_a_restored_copy_was_not_kept_in_step() -> None:
    """Recovered from a backup, a failover slot is one of the copy: only a standby's is synced."""
    restored = look(timeline=2, slot=replace(SLOT, failover=True))
    assert only(restored).kind is Kind.DATABASE_WENT_BACK


def test_a_failover_behind_a_primary_that_waited_for_nobody_is_doubted() -> None:
    """What was captured last may never have come to the new one; the connector goes on."""
    synced = replace(SLOT, synced=True)
    found = only(look(timeline=2, slot=synced))
    assert (found.kind, found.remedy, found.doubt) == (
        Kind.DATABASE_FAILED_OVER,
        Remedy.NONE,
        True,
    )
    assert "`isthmus reconcile --module sales`" in found.text
    assert not only(look(replace(SEEN, waited=True), timeline=2, slot=synced)).doubt


def test_a_failover_slot_that_waits_for_a_standby_that_is_gone_is_told() -> None:
    """Nothing else tells it: the connector is RUNNING, and its own heartbeats arrive."""
    slot = replace(SLOT, failover=True)
    found = only(look(slot=slot, waits_for=("standby",), standbys_gone=("standby",)))
    assert (found.kind, found.remedy) == (Kind.STANDBY_MISSING, Remedy.NONE)
    assert "waits for standby" in found.text
    assert find(look(slot=slot, waits_for=("standby",)), LIMITS) == []
    assert find(look(waits_for=("standby",), standbys_gone=("standby",)), LIMITS) == []


def test_offsets_of_an_old_epoch_are_not_compared() -> None:
    """Until the connector is applied under the new epoch, its offsets lie beyond a new history."""
    anew = {**CONFIG, "transforms.epoch.value.literal": "2"}
    restored = replace(source(lsn=9_800), seen=None, wanted=anew, agreed=anew)
    assert Kind.DATABASE_WENT_BACK not in {one.kind for one in find(restored, LIMITS)}
    begun = replace(restored, connector=replace(CONNECTOR, config=anew))
    assert only(begun).kind is Kind.DATABASE_WENT_BACK
    assert only(replace(source(lsn=9_800), seen=None)).kind is Kind.DATABASE_WENT_BACK
    assert WELL.epoch == CONNECTOR.epoch == "1"
