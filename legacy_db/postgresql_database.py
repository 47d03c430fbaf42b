"""A PostgreSQL database as the packages to the right see it; see legacy_db.database.

Enters: a URL or an open connection (the hub's, for the mirror). Leaves: definitions, rows, hashes
and barriers; psycopg's errors leave as Unreachable or Retriable.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from legacy_db import catalogue, definition, key_range, reader, row_hash
from legacy_db.errors import Retriable, Unreachable
from legacy_db.keepalive import KEEPALIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from legacy_db.definition import Table
    from legacy_db.key_range import Key, KeyRange
    from legacy_db.row_hash import ChunkHash

BARRIER_PREFIX = "isthmus.barrier"
CONNECT_SECONDS_MAX = 10
_OUTPUT_FORMATS = (
    "-c DateStyle=ISO,YMD -c TimeZone=UTC -c IntervalStyle=postgres"
    " -c extra_float_digits=1 -c bytea_output=hex"
)
"""What the text of a value depends on; as legacy_db.row_hash sets it."""
_SIZES = """
select c.relname, greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = any(%s) and c.relkind in ('r', 'p')
"""
_KEY_NAMES = """
select c.relname, k.conname
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = any(%s) and k.contype = 'p'
"""


class PostgreSQLDatabase:
    """Implements `LegacyDatabase`; `close` closes the connection, whoever opened it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    def open(cls, url: str) -> PostgreSQLDatabase:
        """Connect; Unreachable says why it can't be."""
        try:
            connection = psycopg.connect(
                url,
                autocommit=True,
                options=_OUTPUT_FORMATS,
                connect_timeout=CONNECT_SECONDS_MAX,
                application_name="isthmus",
                **KEEPALIVE,
            )
        except psycopg.OperationalError as error:
            raise Unreachable(
                f"can't reach the legacy database ({_explain(error)}): is it running, and is "
                "[legacy] url right?"
            ) from error
        return cls(connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def list_tables(self, schema: str) -> list[str]:
        """List the tables of a schema; a partitioned one once, by its root."""
        with _wrapped():
            return catalogue.list_tables(self._connection, schema)

    def read_tables(
        self, schema: str, names: Iterable[str], keys: Mapping[str, Sequence[str]] | None = None
    ) -> dict[str, Table]:
        """Read definitions; `keys` are declared ones of tables that have no primary key."""
        with _wrapped():
            return definition.read_tables(self._connection, schema, names, keys)

    def read_sizes(self, schema: str, names: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Read about how many rows and bytes tables have, by their names."""
        with _wrapped(), self._connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(_SIZES, (schema, list(names)))
            return {name: (rows, size) for name, rows, size in cursor}

    def read_key_names(self, schema: str, names: Iterable[str]) -> dict[str, str]:
        """Read the names of the primary keys' constraints, by table; none of a table without."""
        with _wrapped(), self._connection.cursor(row_factory=tuple_row) as cursor:
            return dict(cursor.execute(_KEY_NAMES, (schema, list(names))))

    def split_key_ranges(self, table: Table, rows_max: int) -> list[KeyRange]:
        """Split a table into adjoining ranges of its key."""
        with _wrapped():
            return key_range.split_key_ranges(self._connection, table, rows_max)

    def read_chunks(
        self,
        table: Table,
        *,
        columns: Sequence[str] = (),
        within: KeyRange = key_range.EVERYTHING,
        rows_max: int = reader.ROWS_PER_CHUNK,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield rows in key order."""
        with _wrapped():
            yield from reader.read_chunks(
                self._connection, table, columns=columns, key_range=within, rows_max=rows_max
            )

    def read_unordered(
        self, table: Table, *, columns: Sequence[str] = (), rows_max: int = reader.ROWS_PER_CHUNK
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows of any table in no order."""
        with _wrapped():
            yield from reader.read_unordered(
                self._connection, table, columns=columns, rows_max=rows_max
            )

    def chunk_hashes(self, table: Table, ranges: Iterable[KeyRange]) -> Iterator[ChunkHash]:
        """Yield each range's number of rows and sum of hashes."""
        with _wrapped():
            yield from row_hash.chunk_hashes(self._connection, table, ranges)

    def row_hashes(self, table: Table, within: KeyRange) -> Iterator[tuple[Key, int]]:
        """Yield each row's key and hash in key order."""
        with _wrapped():
            yield from row_hash.row_hashes(self._connection, table, within)

    def hashes_by_key(self, table: Table, keys: Sequence[Key]) -> dict[Key, int]:
        """Read the hashes of the rows with these keys (values or their texts)."""
        if not keys:
            return {}
        with _wrapped(), self._connection.cursor(row_factory=tuple_row) as cursor:
            key = key_range.read_key_sql(self._connection, table)
            condition, parameters = key.among(keys)
            statement = sql.SQL("select {}, {} from {} where {}").format(
                key.selected, row_hash.row_hash_sql(table), key.relation, condition
            )
            return {row[:-1]: row[-1] for row in cursor.execute(statement, parameters)}

    def column_hashes(self, table: Table, keys: Iterable[Key]) -> dict[Key, dict[str, int]]:
        """Read the hash of each column of the rows with these keys."""
        with _wrapped():
            return row_hash.column_hashes(self._connection, table, keys)

    def read_values(
        self, table: Table, keys: Iterable[Key], columns: Sequence[str] = ()
    ) -> dict[Key, dict[str, str | None]]:
        """Read the canonical texts of the rows with these keys."""
        with _wrapped():
            return row_hash.read_values(self._connection, table, keys, columns=columns)

    def write_barrier(self, barrier: str) -> None:
        """Write a logical message, committed at once."""
        with _wrapped():
            self._connection.execute(
                "select pg_logical_emit_message(true, %s, %s)",
                (BARRIER_PREFIX, json.dumps({"id": barrier})),
            )


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"a PostgreSQL database went away ({_explain(error)}): is it running?"
        ) from error
    except psycopg.Error as error:
        raise Retriable(f"a PostgreSQL database refuses a statement: {_explain(error)}") from error


def _explain(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
