"""Keeps the legacy tables' definitions in the hub: a translator starts without the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from psycopg.types.json import Jsonb

from legacy_db.definition import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg


def keep_definitions(
    connection: psycopg.Connection[Any], module: str, tables: Iterable[Table]
) -> None:
    """Keep the definitions that the module's mirror follows now."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into hub.definition (module, table_name, document) values (%s, %s, %s) "
            "on conflict (module, table_name) do update set document = excluded.document, "
            "read_at = now() where hub.definition.document <> excluded.document",
            [(module, table.name, Jsonb(msgspec.to_builtins(table))) for table in tables],
        )


def load_definitions(connection: psycopg.Connection[Any], module: str) -> dict[str, Table]:
    """Load the definitions that were kept last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, document from hub.definition where module = %s", (module,)
        )
        return {name: msgspec.convert(document, Table) for name, document in cursor}
