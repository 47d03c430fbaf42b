"""Notices partitions that stand still although the broker has more of them.

Enters: how far each assigned partition was read, and where the broker says that it ends. Leaves:
the partitions of which nothing comes. A client that lost track of a partition would not notice it
by itself, and a region would fall behind without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipeline.replicate.batch import TopicPartition as Place

SILENT_SECONDS = 45.0
"""After so long without a record the broker is asked; after twice that the partition is stalled.

Twice that is longer than a client waits for one answer of the broker (60 s).
"""


@dataclass(slots=True)
class _Progress:
    """Up to where a partition was read, since when, and whether the broker had more by then."""

    reached: int
    since: float
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Stalled:
    """A partition that stands still at `reached`, though the broker has all before `end`."""

    place: Place
    reached: int
    end: int


class StallWatch:
    """Watches the partitions of one member; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._partitions: dict[Place, _Progress] = {}

    def restart(self, offsets: Mapping[Place, int]) -> None:
        """Watch these partitions from these offsets, and no others."""
        now = self._clock()
        self._partitions = {place: _Progress(offset, now) for place, offset in offsets.items()}

    def note(self, place: Place, reached: int) -> None:
        """Note that a partition was read up to `reached`: the offset to come next, or its end."""
        progress = self._partitions.get(place)
        if progress is not None and reached >= progress.reached:
            progress.reached, progress.since, progress.behind = reached, self._clock(), False

    def list_silent(self) -> list[Place]:
        """List the partitions whose end is to be asked for now."""
        latest = self._clock() - SILENT_SECONDS
        return [place for place, one in self._partitions.items() if one.since <= latest]

    def postpone(self) -> None:
        """Ask for no ends before the time is over once more: the broker did not answer."""
        for progress in self._partitions.values():
            progress.since = self._clock()

    def judge(self, ends: Iterable[tuple[Place, int]]) -> list[Stalled]:
        """Compare with the ends that the broker tells; return what was behind twice in a row."""
        stalled = []
        for place, end in ends:
            progress = self._partitions.get(place)
            if progress is None:
                continue
            if progress.behind and end > progress.reached:
                stalled.append(Stalled(place, progress.reached, end))
            progress.behind, progress.since = end > progress.reached, self._clock()
        return stalled
