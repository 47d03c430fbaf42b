"""A MariaDB or MySQL database as the packages to the right see it; see legacy_db.database.

Enters: a URL, and the names of the barrier tables. Leaves: definitions, rows and hashes that equal
those of the mirror in PostgreSQL, and barriers.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from legacy_db.engine_names import BARRIER_TABLE, MARIADB_KEY_NAME
from legacy_db.key_range import EVERYTHING, KeyRange
from legacy_db.mariadb import definition
from legacy_db.mariadb import hash as hashes
from legacy_db.mariadb.connection import MariaDBConnection
from legacy_db.mariadb.key import MariaDBKey
from legacy_db.mariadb.text import quote, relation_sql
from legacy_db.mariadb.values import make_reader, value_sql
from legacy_db.reader import ROWS_PER_CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from legacy_db.definition import Table
    from legacy_db.key_range import Key
    from legacy_db.row_hash import ChunkHash

BARRIER_HOURS_MAX = 24
"""How long a barrier's row stays: nobody reads it, but whoever looks may want to see the last."""


class MariaDBDatabase:
    """Implements `LegacyDatabase`; a barrier is written into each of `barrier_tables`."""

    def __init__(self, url: str, barrier_tables: Iterable[str] = (BARRIER_TABLE,)) -> None:
        self._connection = MariaDBConnection(url)
        self._barrier_tables = tuple(sorted(set(barrier_tables)))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def list_tables(self, schema: str) -> list[str]:
        """List the tables of a database by name."""
        return definition.list_tables(self._connection, schema)

    def read_tables(
        self, schema: str, names: Iterable[str], keys: Mapping[str, Sequence[str]] | None = None
    ) -> dict[str, Table]:
        """Read definitions; `keys` are declared ones of tables that have no primary key."""
        return definition.read_tables(self._connection, schema, names, keys)

    def read_sizes(self, schema: str, names: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Read about how many rows and bytes tables have, by their names."""
        return definition.read_sizes(self._connection, schema, names)

    def read_key_names(self, schema: str, names: Iterable[str]) -> dict[str, str]:
        """Name the primary keys' constraints, by table: all of them are called the same."""
        tables = self.read_tables(schema, names)
        return {name: MARIADB_KEY_NAME for name, table in tables.items() if table.key}

    def split_key_ranges(self, table: Table, rows_max: int) -> list[KeyRange]:
        """Split a table into adjoining ranges of its key."""
        if not table.key:
            return [EVERYTHING]
        key = MariaDBKey(table)
        rows = self._connection.fetch(
            f"select {', '.join(key.aliases)} from (select {key.selected}, row_number() over"
            f" (order by {key.order}) as row_no_ from {relation_sql(table)}) as numbered"
            " where row_no_ %% %s = 0 order by row_no_",
            (rows_max,),
        )
        bounds: list[Key | None] = [None, *map(key.read, rows), None]
        return [KeyRange(after, until) for after, until in pairwise(bounds)]

    def read_chunks(
        self,
        table: Table,
        *,
        columns: Sequence[str] = (),
        within: KeyRange = EVERYTHING,
        rows_max: int = ROWS_PER_CHUNK,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield rows in key order."""
        key = MariaDBKey(table)
        row = _RowReader(table, columns)
        after = within.after
        while True:
            condition, parameters = key.within(KeyRange(after, within.until))
            rows = self._connection.fetch(
                f"select {row.selected}, {key.selected} from {relation_sql(table)}"
                f" where {condition} order by {key.order} limit %s",
                [*parameters, rows_max],
            )
            if rows:
                yield [row.read(one) for one in rows]
                after = key.read(rows[-1][row.width :])
            if len(rows) < rows_max:
                return

    def read_unordered(
        self, table: Table, *, columns: Sequence[str] = (), rows_max: int = ROWS_PER_CHUNK
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows of any table in no order."""
        row = _RowReader(table, columns)
        statement = f"select {row.selected} from {relation_sql(table)}"
        for rows in self._connection.stream(statement, rows_max):
            yield [row.read(one) for one in rows]

    def chunk_hashes(self, table: Table, ranges: Iterable[KeyRange]) -> Iterator[ChunkHash]:
        """Yield each range's number of rows and sum of hashes."""
        return hashes.chunk_hashes(self._connection, table, ranges)

    def row_hashes(self, table: Table, within: KeyRange) -> Iterator[tuple[Key, int]]:
        """Yield each row's key and hash in key order."""
        return hashes.row_hashes(self._connection, table, within)

    def hashes_by_key(self, table: Table, keys: Sequence[Key]) -> dict[Key, int]:
        """Read the hashes of the rows with these keys (values or their texts)."""
        return hashes.hashes_by_key(self._connection, table, keys)

    def column_hashes(self, table: Table, keys: Iterable[Key]) -> dict[Key, dict[str, int]]:
        """Read the hash of each column of the rows with these keys."""
        return hashes.column_hashes(self._connection, table, keys)

    def read_values(
        self, table: Table, keys: Iterable[Key], columns: Sequence[str] = ()
    ) -> dict[Key, dict[str, str | None]]:
        """Read the canonical texts of the rows with these keys."""
        return hashes.read_values(self._connection, table, keys, columns)

    def write_barrier(self, barrier: str) -> None:
        """Insert a row into each barrier table, committed at once, and remove old ones."""
        for name in self._barrier_tables:
            table = quote(name)
            self._connection.fetch(
                f"insert into {table} (id, written_at) values (%s, utc_timestamp())", (barrier,)
            )
            self._connection.fetch(
                f"delete from {table} where written_at < utc_timestamp() - interval %s hour",
                (BARRIER_HOURS_MAX,),
            )


class _RowReader:
    """Selects columns of a table (all when empty) and reads their values."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        chosen = [table.column(name) for name in names] if names else table.columns
        self.selected = ", ".join(map(value_sql, chosen))
        self.width = len(chosen)
        self._readers = [make_reader(column) for column in chosen]

    def read(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Read a row; values behind its columns are passed over."""
        return tuple(read(value) for read, value in zip(self._readers, values, strict=False))
