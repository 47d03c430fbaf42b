"""How a reconciliation is done: bounds, and what is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds of one reconciliation.

    `timeout_s` is how long each barrier is waited for; `rounds` how often keys that differ are
    looked at again behind another barrier; `keys_max` how many keys a table lists at most.
    `show_values` puts rows' values into the result: leave it off where they are confidential.
    """

    timeout_s: float = 120.0
    rounds: int = 3
    keys_max: int = 1_000
    rows_per_chunk: int = 5_000
    candidates_per_batch: int = 500
    show_values: bool = False
