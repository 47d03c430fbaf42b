"""Which tables a legacy database has: names only, for whoever declares tables by patterns.

Enters: an engine, a URL, a schema (for MariaDB and MySQL the database's name). Leaves: names,
sorted. A partition is not listed: its rows are told under the name of the partitioned table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from legacy_db.errors import Configuration, Unreachable

if TYPE_CHECKING:
    from typing import Any

CONNECT_SECONDS_MAX = 10
_POSTGRESQL = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p') and not c.relispartition order by 1
"""
_BINLOG = """
select table_name from information_schema.tables
where table_schema = %s and table_type = 'BASE TABLE' order by 1
"""


def list_tables(connection: psycopg.Connection[Any], schema: str) -> list[str]:
    """List the tables of a schema of PostgreSQL, whether the asker may read them or not."""
    return [name for (name,) in connection.execute(_POSTGRESQL, (schema,))]


def list_tables_at(engine: str, url: str, schema: str) -> list[str]:
    """Connect, list the tables of a schema and disconnect; Unreachable says what did not answer."""
    try:
        if engine == "postgresql":
            with psycopg.connect(url, connect_timeout=CONNECT_SECONDS_MAX) as legacy:
                return list_tables(legacy, schema)
        return _list_by_binlog_engine(url, schema)
    except (psycopg.OperationalError, pymysql.err.OperationalError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Unreachable(
            f"can't reach the legacy database for the names of its tables ({reason}): is it "
            "running, and is [legacy] url right?"
        ) from error


def _list_by_binlog_engine(url: str, schema: str) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme != "mysql" or not parts.hostname:
        raise Configuration("the legacy database's URL is none of mysql://user:password@host/name")
    with (
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            connect_timeout=CONNECT_SECONDS_MAX,
            charset="utf8mb4",
        ) as legacy,
        legacy.cursor() as cursor,
    ):
        cursor.execute(_BINLOG, (schema,))
        return [name for (name,) in cursor.fetchall()]
