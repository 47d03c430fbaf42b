"""The dead letters of a region: events that its replicator could not store.

Enters: a connection to the region's store. Leaves: letters, newest last. A letter whose aggregate
has got a newer state since is superseded, though nobody closed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from pipeline.deadletters.letter import DeadLetter, RegionId
from pipeline.reconcile.connections import Connection
from pipeline.settings import Settings

_COLUMNS = """
d.topic, d.partition, d.record_offset, d.aggregate, d.subject, d.sequence, d.reason, d.headers,
d.at, case when d.state = 'open' and a.sequence >= d.sequence then 'superseded' else d.state end
as state
"""
_FROM = "replication.dead_letter d left join replication.aggregate a using (aggregate, subject)"
_PLACE = "topic = %s and partition = %s and record_offset = %s"


@dataclass(frozen=True, slots=True)
class RegionLetters:
    """The letters of one region's store."""

    settings: Settings
    region: str
    connection: Connection

    def read(
        self, *, resolved: bool = False, modules: list[str] | None = None
    ) -> Iterator[DeadLetter]:
        """Yield the open letters, of `modules` when given; with `resolved` the others too."""
        topics = None if modules is None else [self.settings.events_topic(one) for one in modules]
        query = (
            f"select * from (select {_COLUMNS} from {_FROM}) as letter"
            " where (state = 'open' or %s) and (%s::text[] is null or topic = any(%s))"
            " order by at, topic, partition, record_offset"
        )
        with (
            self.connection.transaction(),
            self.connection.cursor("letters", row_factory=dict_row) as cursor,
        ):
            cursor.execute(query, (resolved, topics, topics))
            for row in cursor:
                yield self._make(row)

    def find(self, letter: RegionId) -> DeadLetter | None:
        """Return a letter with its payload, None when there is none of that id."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                f"select {_COLUMNS}, d.payload from {_FROM} where {_PLACE}", self._place(letter)
            ).fetchone()
        return None if row is None else self._make(row)

    def close(self, letter: RegionId, state: str, note: str | None = None) -> bool:
        """Close an open letter as `replayed` or `dropped`; False when it is not open."""
        suffix = "" if note is None else f" ({state}: {note})"
        cursor = self.connection.execute(
            "update replication.dead_letter set state = %s, reason = reason || %s"
            f" where {_PLACE} and state = 'open'",
            (state, suffix, *self._place(letter)),
        )
        return cursor.rowcount == 1

    def _place(self, letter: RegionId) -> tuple[str, int, int]:
        topic = letter.module
        if "." not in topic:
            topic = self.settings.events_topic(letter.module)
        return topic, letter.partition, letter.offset

    def _make(self, row: dict[str, Any]) -> DeadLetter:
        prefix, suffix = self.settings.events_topic("\n").split("\n")
        topic: str = row["topic"]
        module = topic.removeprefix(prefix).removesuffix(suffix)
        if self.settings.events_topic(module) != topic:
            module = topic
        headers = dict(row["headers"])
        return DeadLetter(
            id=RegionId(self.region, module, row["partition"], row["record_offset"]),
            origin="region",
            module=module,
            aggregate=row["aggregate"],
            subject=row["subject"],
            type=headers.get("ce_type"),
            sequence=row["sequence"],
            expectation=None,
            reason=row["reason"],
            state=row["state"],
            at=row["at"],
            place=f"{topic}[{row['partition']}] offset {row['record_offset']}",
            payload=row.get("payload"),
            headers=headers if "payload" in row else None,
        )
