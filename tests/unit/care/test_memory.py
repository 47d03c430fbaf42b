"""What the care remembers of a database that went back, or that is a standby for a while."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from health_facts import CONFIG, LIMITS, SLOT, WELL, source

from connectors.health.facts import Checkpoint, SeenSource
from connectors.health.finding import Kind
from connectors.health.rules import find
from pipeline.care.memory import Memory, dump_memories, load_memories, recall, remember
from pipeline.care.step import Watched

BEFORE = remember(replace(WELL, seen=None), [], Memory())


def test_a_database_that_went_back_stays_so_until_a_new_epoch() -> None:
    """Its position passes the old one again: by that it is not the one that was captured."""
    behind = recall(source(lsn=9_950), BEFORE, 0.0)
    memory = remember(behind, find(behind, LIMITS), BEFORE)
    beyond = recall(source(lsn=20_000), memory, 0.0)
    assert Kind.DATABASE_WENT_BACK in {one.kind for one in find(beyond, LIMITS)}
    fresh = replace(beyond, wanted={**CONFIG, "transforms.epoch.value.literal": "2"})
    assert remember(fresh, [], memory).seen == SeenSource("7", 1, 20_000)


def test_a_care_that_never_saw_the_database_before_remembers_it_too() -> None:
    """By the connector's offset alone it is known how far it had been."""
    behind = source(lsn=9_800)
    blind = replace(behind, seen=None)
    memory = remember(blind, find(blind, LIMITS), Memory())
    assert memory.seen == SeenSource("7", 1, 9_900, went_back=True)


def test_a_standby_under_the_address_changes_nothing_of_what_was_seen() -> None:
    """The primary that it becomes is compared with the one before, not with the standby."""
    standby = source(timeline=None, lsn=450)
    assert remember(standby, [], BEFORE).seen == BEFORE.seen


def test_a_failover_is_remembered_once_its_doubt_is_kept() -> None:
    """Where the hub could not be asked, the next look finds it again."""
    synced = replace(SLOT, synced=True)
    over = recall(source(timeline=2, slot=synced), BEFORE, 0.0)
    found = find(over, LIMITS)
    assert found[0].doubt
    memory = remember(over, found, BEFORE)
    assert memory.seen == BEFORE.seen
    doubted = replace(memory, watched=Watched(doubted=frozenset({found[0].kind})))
    seen = remember(over, found, doubted).seen
    assert seen is not None
    assert seen.timeline == 2


def test_the_last_checkpoint_survives_a_restart(tmp_path: Path) -> None:
    """It is written and read back; what an older version wrote has none."""
    seen = SeenSource("7", 1, 9_990, Checkpoint(9_000, 700), went_back=True, waited=True)
    memory = replace(BEFORE, seen=seen)
    path = tmp_path / "care.json"
    document = dump_memories({"sales": memory}, [], "now")
    path.write_text(json.dumps(document))
    assert load_memories(path)["sales"].seen == seen
    document["modules"]["sales"]["seen"] = ["7", 1, 9_990]
    path.write_text(json.dumps(document))
    assert load_memories(path)["sales"].seen == SeenSource("7", 1, 9_990)
