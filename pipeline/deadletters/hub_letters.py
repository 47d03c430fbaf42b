"""The dead letters of the hub: what a translator could not make an event of.

Enters: a connection to the hub. Leaves: letters, newest last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg.rows import dict_row

from pipeline.deadletters.letter import DeadLetter, HubId
from pipeline.reconcile.connections import Connection

_COLUMNS = (
    "id, module, origin, aggregate, subject, root_key, type, sequence, source_offset,"
    " expectation, reason, state, occurred_at"
)


def read_hub_letters(
    connection: Connection, *, resolved: bool = False, modules: list[str] | None = None
) -> Iterator[DeadLetter]:
    """Yield the open letters, of `modules` when given; with `resolved` the others too."""
    with connection.transaction(), connection.cursor("letters", row_factory=dict_row) as cursor:
        cursor.execute(
            f"select {_COLUMNS} from hub.dead_letter where (state = 'open' or %s)"
            " and (%s::text[] is null or module = any(%s)) order by id",
            (resolved, modules, modules),
        )
        for row in cursor:
            yield _make(row)


def read_hub_letter(connection: Connection, letter: HubId) -> DeadLetter | None:
    """Return a letter with its payload, None when there is none of that id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            f"select {_COLUMNS}, payload from hub.dead_letter where id = %s", (letter.number,)
        ).fetchone()
    return None if row is None else _make(row)


def drop_hub_letter(connection: Connection, letter: HubId, reason: str) -> bool:
    """Close an open letter for good; False when it is not open."""
    cursor = connection.execute(
        "update hub.dead_letter set state = 'dropped', resolved_at = now(),"
        " reason = reason || ' (dropped: ' || %s || ')' where id = %s and state = 'open'",
        (reason, letter.number),
    )
    return cursor.rowcount == 1


def _make(row: dict[str, Any]) -> DeadLetter:
    offset = row["source_offset"]
    return DeadLetter(
        id=HubId(row["id"]),
        origin=row["origin"],
        module=row["module"],
        aggregate=row["aggregate"],
        subject=row["subject"],
        type=row["type"],
        sequence=row["sequence"],
        expectation=row["expectation"],
        reason=row["reason"],
        state=row["state"],
        at=row["occurred_at"],
        place=None if offset is None else f"change log of {row['module']}, offset {offset}",
        root_key=None if row["root_key"] is None else tuple(row["root_key"]),
        payload=row.get("payload"),
    )
