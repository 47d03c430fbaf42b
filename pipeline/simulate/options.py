"""What a simulation run may do: chosen by its seed, or narrowed to find the smallest failing run.

Enters: a seed. Leaves: which faults occur and how long the run is; and the stages' limits, made so
small that few rows pass them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from adapters import change_log
from pipeline.hub import emissions
from pipeline.publish import publisher
from pipeline.translate import emission, huge_transaction, landing, translator

FAULTS = {
    "kill": "a process of ours is killed at any of its calls, and started again later",
    "zombie": "a process stands still while its successor takes over, and wakes up",
    "cut": "a process can't reach hub, store, broker or registry for a while",
    "rebalance": "a second replicator joins a region's group, or leaves it",
    "connect_kill": "Connect is killed, also inside an open transaction, and started again",
    "repeat": "a connector without exactly-once repeats records after a restart",
    "begin_again": "a connector restarted inside a transaction begins its rest as one (MariaDB)",
    "duplicate": "events that were published before, in any order, are published again",
    "offsets_lost": "the consumer groups forget their offsets",
    "restore": "the legacy database is restored to an earlier moment, under a new epoch",
    "snapshot_again": "a connector takes a new snapshot under a new epoch",
    "poison": "rows that the adapter or an expectation does not accept, healed or not",
    "rubbish": "a record of the change log that is no change event",
    "ddl": "a column is added to a captured table",
    "huge": "a transaction of more rows than are kept in memory",
    "truncate": "a table is truncated",
    "retention": "the change log or events topic no longer holds what is needed next",
    "incremental": "an incremental snapshot of some tables is asked for, while all else goes on",
    "inexact": "a connector restarted inside a transaction leaves out or repeats rows of it",
}


@dataclass(frozen=True, slots=True)
class Options:
    """One run: its seed, the kinds of faults and the number of turns before everything heals."""

    seed: int
    faults: frozenset[str]
    turns: int

    @classmethod
    def draw(cls, seed: int) -> Options:
        """Draw a run from its seed: some kinds of faults, not all, so that each can dominate."""
        random = Random(f"options {seed}")  # noqa: S311 - not for secrets
        wanted = random.choice((0.15, 0.4, 0.7))
        faults = {name for name in FAULTS if random.random() < wanted}
        if random.random() < 0.9:  # noqa: PLR2004 - it ends a run early
            faults.discard("retention")
        return cls(seed, frozenset(faults), random.choice((80, 150, 300)))


@contextlib.contextmanager
def small_limits(random: Random) -> Iterator[None]:
    """Make the stages' batches and chunks small for the time of a run."""
    limits: dict[tuple[Any, str], int] = {
        (change_log, "SPILL_ROWS"): random.choice((4, 8, 30)),
        (translator, "BATCH_RECORDS"): random.choice((1, 5, 20, 100)),
        (emission, "CHUNK_AGGREGATES"): random.choice((1, 3, 50)),
        (huge_transaction, "CHUNK_ROWS"): random.choice((2, 5)),
        (huge_transaction, "PART_AGGREGATES"): random.choice((1, 3)),
        (landing, "_PAGE_KEYS"): random.choice((2, 20)),
        (emissions, "KEYS_PER_REQUEST"): random.choice((1, 2, 50)),
        (publisher, "BATCH_ROWS_MAX"): random.choice((1, 4, 20, 100)),
    }
    before = {place: getattr(*place) for place in limits}
    for (module, name), value in limits.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)
