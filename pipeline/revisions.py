"""Brings a database to the newest revision of its migrations, and sees when it already is there.

Enters: a URL and folders of Alembic migrations. Leaves: a migrated database. Alembic and SQLAlchemy
take most of a second to load, and nearly every start of a process finds nothing to do: whether
there is something is seen from the files and by one query, and Alembic is loaded only then.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from pipeline.connection import open_connection

NEWEST = "head"


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder with `env.py` and `versions`, and the table (`schema.table`) of its revision."""

    folder: Path
    version_table: str


def bring_up_to_date(
    url: str, wanted: Sequence[Migrations], *, lock: int, schema: str | None = None
) -> None:
    """Migrate the database at `url` in one transaction; nothing when it is up to date.

    Of processes that start beside each other one migrates, under the advisory lock `lock`, and the
    others wait. `schema` is made first when it is absent. Raises psycopg.OperationalError when the
    server does not answer, and Configuration for a folder that is not in order.
    """
    with open_connection(url, "migrate") as connection:
        if all(is_newest(connection, one) for one in wanted):
            return
    from pipeline import upgrades  # noqa: PLC0415 - see above

    upgrades.upgrade(url, wanted, lock=lock, schema=schema)


def is_newest(connection: psycopg.Connection[Any], migrations: Migrations) -> bool:
    """Say whether the database is at the newest revision; False also when that can't be seen."""
    heads = find_heads(migrations.folder)
    if heads is None:
        return False
    known = connection.execute("select to_regclass(%s)", (migrations.version_table,)).fetchone()
    if known is None or known[0] is None:
        return False
    schema, _, table = migrations.version_table.rpartition(".")
    name = sql.Identifier(*(part for part in (schema, table) if part))
    statement = sql.SQL("select version_num from {}").format(name)
    return {version for (version,) in connection.execute(statement)} == heads


def find_heads(folder: Path) -> frozenset[str] | None:
    """Return the revisions that no other follows; None when a file does not say its own plainly."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for path in sorted((folder / "versions").glob("*.py")):
        said = _read_plain_values(path)
        if not isinstance(said.get("revision"), str) or "down_revision" not in said:
            return None
        revisions.add(said["revision"])
        before = said["down_revision"]
        followed.update((before,) if isinstance(before, str) else before or ())
    return frozenset(revisions - followed)


def _read_plain_values(path: Path) -> dict[str, Any]:
    """Return what a module assigns to names as plain values, without running it."""
    values = {}
    for statement in ast.parse(path.read_bytes()).body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and statement.value is not None:
                try:
                    values[target.id] = ast.literal_eval(statement.value)
                except ValueError:
                    continue  # computed: whoever needs it will miss it
    return values
