"""Which aggregates are quarantined: those with an open dead letter, in the hub or in a region.

Enters: connections. Leaves: per region the letters by aggregate and subject. A quarantined
aggregate is known to be behind, so it is neither compared nor called a difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.reconcile.connections import Connection

_HUB_LETTERS = """
select aggregate, subject, root_key, reason from hub.dead_letter
where state = 'open' and aggregate is not null and subject is not null
"""
_REGION_LETTERS = "select aggregate, subject, null, reason from replication.quarantined"


@dataclass(frozen=True, slots=True)
class Letter:
    """An open dead letter: why, and the aggregate's root key as JSON values where it is known."""

    reason: str
    root_key: tuple[Any, ...] | None


class Quarantine:
    """The open letters, by region, aggregate and subject."""

    def __init__(self, letters: Mapping[str, Mapping[str, Mapping[str, Letter]]]) -> None:
        self._letters = letters

    def letters(self, region: str, aggregate: str) -> Mapping[str, Letter]:
        """Return the open letters of an aggregate type in a region, by subject."""
        return self._letters.get(region, {}).get(aggregate, {})

    def find(self, region: str, aggregate: str, subject: str) -> Letter | None:
        """Return an aggregate's letter that counts in that region, None when it has none."""
        return self.letters(region, aggregate).get(subject)


def read_quarantine(hub: Connection, stores: Mapping[str, Connection]) -> Quarantine:
    """Read the open letters; those of the hub count in every region."""
    of_hub = _read(hub, _HUB_LETTERS)
    letters: dict[str, dict[str, dict[str, Letter]]] = {}
    for region, store in stores.items():
        merged: defaultdict[str, dict[str, Letter]] = defaultdict(dict)
        for found in (_read(store, _REGION_LETTERS), of_hub):
            for (aggregate, subject), letter in found.items():
                merged[aggregate][subject] = letter
        letters[region] = dict(merged)
    return Quarantine(letters)


def _read(connection: Connection, statement: str) -> dict[tuple[str, str], Letter]:
    return {
        (aggregate, subject): Letter(reason, None if root_key is None else tuple(root_key))
        for aggregate, subject, root_key, reason in connection.execute(statement)
    }
