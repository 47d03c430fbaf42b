"""Which tables a schema of PostgreSQL has: names only, for whoever declares tables by patterns.

A partition is not listed: its rows are told under the name of the partitioned table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""


def list_tables(connection: psycopg.Connection[Any], schema: str) -> list[str]:
    """List the tables of a schema, whether the asker may read them or not."""
    return [name for (name,) in connection.execute(_TABLES, (schema,))]
