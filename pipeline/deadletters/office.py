"""All dead letters of a site: the hub's and every region's, behind one door.

Enters: the settings. Leaves: letters by id or all of them; Configuration when an id is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from adapters.aggregate import load_adapters
from pipeline.deadletters.hub_letters import drop_hub_letter, read_hub_letter, read_hub_letters
from pipeline.deadletters.letter import HUB, DeadLetter, HubId, LetterId, parse_id
from pipeline.deadletters.region_letters import RegionLetters
from pipeline.deadletters.replay import Replayed, replay_letters
from pipeline.errors import Configuration
from pipeline.reconcile.connections import Connection, connect_hub, connect_store, has_table
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class DeadLetterOffice:
    """The dead letters of a site; regions whose store was never migrated have none."""

    settings: Settings
    hub: Connection
    regions: dict[str, RegionLetters]

    def read(
        self, *, resolved: bool = False, modules: list[str] | None = None, where: str | None = None
    ) -> Iterator[DeadLetter]:
        """Yield open letters (and others with `resolved`), the hub's first, oldest first."""
        if where in {None, HUB}:
            yield from read_hub_letters(self.hub, resolved=resolved, modules=modules)
        for region, letters in self.regions.items():
            if where in {None, region}:
                yield from letters.read(resolved=resolved, modules=modules)

    def find(self, text: str) -> DeadLetter:
        """Return the letter of an id with its payload; Configuration when there is none."""
        wanted = parse_id(text)
        if isinstance(wanted, HubId):
            letter = read_hub_letter(self.hub, wanted)
        else:
            letters = self._region(wanted.region)
            letter = None if letters is None else letters.find(wanted)
        if letter is None:
            raise Configuration(f"no dead letter {text}: `isthmus deadletters list` shows them")
        return letter

    def replay(self, letters: Iterable[DeadLetter]) -> list[Replayed]:
        """Ask for the letters' aggregates to be emitted again; say what became of each."""
        return replay_letters(
            letters,
            hub=self.hub,
            regions=self.regions,
            adapters=load_adapters(self.settings.adapters),
        )

    def drop(self, letter: LetterId, reason: str) -> bool:
        """Close an open letter for good, with the reason; False when it is not open."""
        if isinstance(letter, HubId):
            return drop_hub_letter(self.hub, letter, reason)
        letters = self._region(letter.region)
        return letters is not None and letters.close(letter, "dropped", reason)

    def _region(self, name: str) -> RegionLetters | None:
        return self.regions.get(self.settings.region(name).name)


@contextmanager
def open_office(settings: Settings) -> Iterator[DeadLetterOffice]:
    """Connect to the hub and all stores; Unreachable when one is not there."""
    with ExitStack() as stack:
        hub = stack.enter_context(connect_hub(settings))
        regions = {}
        for name in settings.regions:
            store = stack.enter_context(connect_store(settings, name))
            if has_table(store, "replication.dead_letter"):
                regions[name] = RegionLetters(settings, name, store)
        yield DeadLetterOffice(settings, hub, regions)
