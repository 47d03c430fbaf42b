"""Replays dead letters: asks the owning module's translator to emit the aggregates again.

Enters: letters. Leaves: an emission request per aggregate type, and for each letter what was done
or why nothing can be done. The cause has to be repaired first: a replay only tries again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.aggregate import Adapter, Key
from pipeline.deadletters.letter import DeadLetter, LetterId, RegionId
from pipeline.deadletters.region_letters import RegionLetters
from pipeline.hub.dead_letters import REPLAY
from pipeline.hub.emissions import request_keys
from pipeline.reconcile.aggregates import AggregateReader
from pipeline.reconcile.connections import Connection

ROWS_PER_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one letter: `asked` whether its aggregate is going to be emitted again."""

    id: LetterId
    asked: bool
    message: str


def explain_refusal(letter: DeadLetter, adapters: Mapping[str, Adapter]) -> str | None:
    """Return why a letter can't be replayed, and what can be done instead; None when it can."""
    if letter.state != "open":
        return f"it is {letter.state} already"
    if letter.origin == "change":
        return (
            f"a record of the change log ({letter.place}) that can't be decoded holds no aggregate "
            "to emit again: update its row in the legacy database, or take a new snapshot of the "
            "table, so that it is captured anew; then drop this letter"
        )
    if letter.aggregate is None or letter.subject is None:
        return (
            "it belongs to no aggregate with a state (a domain event, or headers that can't be "
            "read): read it with `isthmus deadletters show ID --payload`, then drop it"
        )
    if letter.aggregate not in adapters:
        return f"the site has no adapter of {letter.aggregate} (any more): drop it"
    return None


def replay_letters(
    letters: Iterable[DeadLetter],
    *,
    hub: Connection,
    regions: Mapping[str, RegionLetters],
    adapters: Sequence[Adapter],
) -> list[Replayed]:
    """Ask for the aggregates of `letters` and close the regions' ones; the hub's close themselves.

    A hub letter is closed by the translator when the event could be made. A region's letter is
    closed here: when the new event fails again it gets a letter of its own.
    """
    by_name = {adapter.aggregate: adapter for adapter in adapters}
    done: list[Replayed] = []
    wanted: dict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        refusal = explain_refusal(letter, by_name)
        if refusal is not None:
            done.append(Replayed(letter.id, asked=False, message=refusal))
        else:
            wanted[letter.aggregate or ""].append(letter)
    for aggregate, group in wanted.items():
        done += _replay_group(by_name[aggregate], group, hub, regions)
    return done


def _replay_group(
    adapter: Adapter,
    letters: Sequence[DeadLetter],
    hub: Connection,
    regions: Mapping[str, RegionLetters],
) -> list[Replayed]:
    keys = _find_root_keys(adapter, letters, hub)
    found = [letter for letter in letters if letter.subject in keys]
    request_keys(
        hub,
        adapter.module,
        adapter.aggregate,
        {keys[letter.subject or ""] for letter in found},
        reason=REPLAY,
    )
    done = []
    for letter in letters:
        if letter.subject not in keys:
            done.append(
                Replayed(
                    letter.id,
                    asked=False,
                    message=f"the mirror has no row of {letter.aggregate} with that id (any more), "
                    "so it can't be emitted again: drop it",
                )
            )
            continue
        if isinstance(letter.id, RegionId):
            regions[letter.id.region].close(letter.id, "replayed")
        done.append(
            Replayed(letter.id, asked=True, message=f"{adapter.module} is asked to emit it again")
        )
    return done


def _find_root_keys(
    adapter: Adapter, letters: Sequence[DeadLetter], hub: Connection
) -> dict[str, Key]:
    """Return the root key of each subject: the letter's own, or the mirror's row with that id."""
    keys: dict[str, Key] = {}
    unknown: set[str] = set()
    for letter in letters:
        if letter.root_key is not None:
            keys[letter.subject or ""] = letter.root_key
        else:
            unknown.add(letter.subject or "")
    unknown -= keys.keys()
    if unknown:
        keys |= _search_mirror(adapter, unknown, hub)
    return keys


def _search_mirror(adapter: Adapter, subjects: set[str], hub: Connection) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for chunk in AggregateReader(hub, adapter).root_keys(ROWS_PER_CHUNK):
        for key in chunk:
            subject = adapter.subject(key)
            if subject in subjects:
                found[subject] = key
        if len(found) == len(subjects):
            break
    return found
