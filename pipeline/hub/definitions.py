"""Keeps the legacy tables' definitions in the hub: the one that is followed, and all before it.

Enters: definitions as the mirror follows them. Leaves: what a translator needs to start without the
source, and the versions by position that the registry gets and that changes are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from legacy_db.definition import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg

_KEEP = """
insert into hub.definition (module, table_name, document) values (%s, %s, %s)
on conflict (module, table_name) do update set document = excluded.document, read_at = now()
where hub.definition.document <> excluded.document
"""
_KEEP_VERSION = """
insert into hub.definition_version (module, table_name, version, epoch, lsn, document)
select %(module)s, %(table)s, coalesce(newest.version, 0) + 1, coalesce(m.epoch, 0),
  coalesce(m.lsn, 0), %(document)s
from (select 1) as one
left join hub.module m on m.module = %(module)s
left join lateral (
  select version, document from hub.definition_version
  where module = %(module)s and table_name = %(table)s order by version desc limit 1
) newest on true
where newest.document is distinct from %(document)s
"""


@dataclass(frozen=True, slots=True)
class DefinitionVersion:
    """One definition of a table and the position of the module when it began to be followed."""

    module: str
    table_name: str
    version: int
    epoch: int
    lsn: int
    document: dict[str, Any]
    recorded_at: datetime
    registered: bool

    @property
    def table(self) -> Table:
        """The definition itself."""
        return msgspec.convert(self.document, Table)

    @property
    def position(self) -> str:
        """The position as it is written in commands: `epoch/lsn`."""
        return f"{self.epoch}/{self.lsn}"


def keep_definitions(
    connection: psycopg.Connection[Any],
    module: str,
    tables: Iterable[Table],
    own: Iterable[str] | None = None,
) -> None:
    """Keep the definitions that the module's mirror follows now.

    A new version is kept of those tables that changed and are the module's `own` (all when None).
    """
    documents = {table.name: Jsonb(msgspec.to_builtins(table)) for table in tables}
    versioned = documents.keys() if own is None else documents.keys() & set(own)
    with connection.cursor() as cursor:
        cursor.executemany(_KEEP, [(module, name, one) for name, one in documents.items()])
        cursor.executemany(
            _KEEP_VERSION,
            [
                {"module": module, "table": name, "document": documents[name]}
                for name in sorted(versioned)
            ],
        )


def load_definitions(connection: psycopg.Connection[Any], module: str) -> dict[str, Table]:
    """Load the definitions that were kept last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, document from hub.definition where module = %s", (module,)
        )
        return {name: msgspec.convert(document, Table) for name, document in cursor}


def load_versions(connection: psycopg.Connection[Any]) -> list[DefinitionVersion]:
    """Load all definitions that the legacy tables of all modules had, oldest first."""
    with connection.cursor(row_factory=class_row(DefinitionVersion)) as cursor:
        return cursor.execute(
            "select * from hub.definition_version order by module, table_name, version"
        ).fetchall()


def mark_registered(connection: psycopg.Connection[Any], version: DefinitionVersion) -> None:
    """Note that the registry has a version."""
    connection.execute(
        "update hub.definition_version set registered = true"
        " where module = %s and table_name = %s and version = %s",
        (version.module, version.table_name, version.version),
    )


def load_former_names(
    connection: psycopg.Connection[Any], tables: Mapping[str, Table]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return, by table and column, the names that the column had before, newest first.

    A name that another column of the table has now is none of them.
    """
    rows = connection.execute(
        "select table_name, document from hub.definition_version where table_name = any(%s)"
        " order by recorded_at desc, version desc",
        (list(tables),),
    ).fetchall()
    former: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, document in rows:
        if not tables[name].numbered:
            continue
        now = {column.attnum: column.name for column in tables[name].columns}
        for column in msgspec.convert(document, Table).columns:
            current = now.get(column.attnum)
            if current is not None and column.name not in now.values():
                names = former.setdefault(name, {})
                held = names.get(current, ())
                names[current] = held if column.name in held else (*held, column.name)
    return former


def load_newest_definitions(
    connection: psycopg.Connection[Any], names: Iterable[str]
) -> dict[str, Table]:
    """Load the definitions of tables that any module kept last: it may be another one's table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct on (table_name) table_name, document from hub.definition "
            "where table_name = any(%s) order by table_name, read_at desc",
            (list(names),),
        )
        return {name: msgspec.convert(document, Table) for name, document in cursor}
