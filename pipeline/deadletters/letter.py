"""A dead letter and its id: `h12` in the hub, `eu:sales.0.17` in a region; pure.

Enters: rows of hub.dead_letter and replication.dead_letter, ids that a person typed. Leaves: values
that look alike wherever the letter lies.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.errors import Configuration

HUB = "hub"
_HUB_ID = re.compile(r"h([0-9]+)")
_REGION_ID = re.compile(r"([^:]+):(.+)\.([0-9]+)\.([0-9]+)")


@dataclass(frozen=True, slots=True)
class HubId:
    """A letter of hub.dead_letter."""

    number: int

    def __str__(self) -> str:
        return f"h{self.number}"


@dataclass(frozen=True, slots=True)
class RegionId:
    """A letter of a region: the record's partition and offset in a module's events topic.

    `module` is a whole topic's name where that is not one of this site's.
    """

    region: str
    module: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.region}:{self.module}.{self.partition}.{self.offset}"


LetterId = HubId | RegionId


def parse_id(text: str) -> LetterId:
    """Read an id; Configuration says what one looks like."""
    if match := _HUB_ID.fullmatch(text):
        return HubId(int(match[1]))
    if match := _REGION_ID.fullmatch(text):
        return RegionId(match[1], match[2], int(match[3]), int(match[4]))
    raise Configuration(
        f"{text!r} is not the id of a dead letter: `isthmus deadletters list` shows them, "
        "e.g. h12 (hub) or eu:sales.0.17 (region:module.partition.offset)"
    )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be translated (hub) or stored (region), and why.

    `origin` is change, adapter or quality in the hub, and region elsewhere; `state` is open,
    replayed, dropped or superseded; `root_key` is known in the hub only; `place` says where the
    record stands. `payload` is only there when it was asked for.
    """

    id: LetterId
    origin: str
    module: str
    aggregate: str | None
    subject: str | None
    type: str | None
    sequence: str | None
    expectation: str | None
    reason: str
    state: str
    at: datetime
    place: str | None
    root_key: tuple[Any, ...] | None = None
    payload: bytes | None = None
    headers: dict[str, str] | None = None

    @property
    def where(self) -> str:
        """Where the letter lies: `hub` or the region's name."""
        return self.id.region if isinstance(self.id, RegionId) else HUB

    def document(self) -> dict[str, Any]:
        """Return the letter as it stands in JSON, without payload."""
        return {
            "id": str(self.id),
            "where": self.where,
            "origin": self.origin,
            "state": self.state,
            "module": self.module,
            "aggregate": self.aggregate,
            "subject": self.subject,
            "type": self.type,
            "sequence": self.sequence,
            "expectation": self.expectation,
            "reason": self.reason,
            "at": self.at.isoformat(),
            "place": self.place,
        }

    def payload_document(self) -> dict[str, Any]:
        """Return the payload and headers: rows' values, shown only when asked for."""
        document: dict[str, Any] = {}
        if self.headers is not None:
            document["headers"] = self.headers
        if self.payload is None:
            return {**document, "payload": None}
        try:
            return {**document, "payload": self.payload.decode()}
        except UnicodeDecodeError:
            return {**document, "payload_base64": base64.b64encode(self.payload).decode()}
