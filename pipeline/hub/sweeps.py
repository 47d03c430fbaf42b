"""The bound of a module's next sweep: how many rows a new snapshot may take for deleted.

Enters: what a person allowed. Leaves: the bound, kept until a sweep was made within it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

DELETES_MAX = 1_000
"""How many rows a new snapshot may delete unless a person allows more."""


def read_deletes_max(connection: psycopg.Connection[Any], module: str) -> int | None:
    """Read the bound; None where nobody has set one: then DELETES_MAX holds."""
    row = connection.execute(
        "select deletes_max from hub.module where module = %s", (module,)
    ).fetchone()
    return None if row is None else row[0]


def set_deletes_max(
    connection: psycopg.Connection[Any], module: str, deletes_max: int | None
) -> None:
    """Set or clear the bound of a module, also of one whose translator has not run yet."""
    connection.execute(
        "insert into hub.module (module, deletes_max) values (%s, %s)"
        " on conflict (module) do update set deletes_max = excluded.deletes_max",
        (module, deletes_max),
    )
