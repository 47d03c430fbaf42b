"""What the packages to the right need of a legacy database, whatever its engine.

Enters: an engine and a URL. Leaves: a `LegacyDatabase`, whose values, texts and hashes of a row are
those of the same row in the mirror; all implementations pass the same contract tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from legacy_db.engine_names import BARRIER_TABLE, ENGINES, MARIADB_ENGINES
from legacy_db.errors import Configuration
from legacy_db.key_range import EVERYTHING
from legacy_db.mariadb.database import MariaDBDatabase
from legacy_db.postgresql_database import PostgreSQLDatabase
from legacy_db.reader import ROWS_PER_CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from legacy_db.definition import Table
    from legacy_db.key_range import Key, KeyRange
    from legacy_db.row_hash import ChunkHash


class LegacyDatabase(Protocol):
    """A connection to a legacy database; keys are given as values or as their canonical texts.

    Raises Configuration for what can't be, Unreachable for a lost connection, Retriable for a
    statement that failed.
    """

    def close(self) -> None:
        """Close the connection."""
        ...

    def list_tables(self, schema: str) -> list[str]:
        """List the tables of a schema (for MariaDB and MySQL: of a database) by name."""
        ...

    def read_tables(
        self, schema: str, names: Iterable[str], keys: Mapping[str, Sequence[str]] | None = None
    ) -> dict[str, Table]:
        """Read definitions; `keys` are declared ones of tables that have no primary key."""
        ...

    def read_sizes(self, schema: str, names: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Read about how many rows and bytes tables have, by their names."""
        ...

    def read_key_names(self, schema: str, names: Iterable[str]) -> dict[str, str]:
        """Read the names of the primary keys' constraints, by table; none of a table without."""
        ...

    def split_key_ranges(self, table: Table, rows_max: int) -> list[KeyRange]:
        """Split a table into adjoining ranges of `rows_max` rows; the outer ones are open."""
        ...

    def read_chunks(
        self,
        table: Table,
        *,
        columns: Sequence[str] = (),
        within: KeyRange = EVERYTHING,
        rows_max: int = ROWS_PER_CHUNK,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield rows in key order, at most `rows_max` at a time."""
        ...

    def read_unordered(
        self, table: Table, *, columns: Sequence[str] = (), rows_max: int = ROWS_PER_CHUNK
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows of any table in no order; nothing else is asked meanwhile."""
        ...

    def chunk_hashes(self, table: Table, ranges: Iterable[KeyRange]) -> Iterator[ChunkHash]:
        """Yield each range's number of rows and sum of hashes."""
        ...

    def row_hashes(self, table: Table, within: KeyRange) -> Iterator[tuple[Key, int]]:
        """Yield each row's key and hash in key order."""
        ...

    def hashes_by_key(self, table: Table, keys: Sequence[Key]) -> dict[Key, int]:
        """Read the hashes of the rows with these keys; an absent one is not in the answer."""
        ...

    def column_hashes(self, table: Table, keys: Iterable[Key]) -> dict[Key, dict[str, int]]:
        """Read the hash of each column of the rows with these keys."""
        ...

    def read_values(
        self, table: Table, keys: Iterable[Key], columns: Sequence[str] = ()
    ) -> dict[Key, dict[str, str | None]]:
        """Read the canonical texts of `columns` (all when empty); None is NULL."""
        ...

    def write_barrier(self, barrier: str) -> None:
        """Write a barrier of that id into the database's log, committed at once."""
        ...


def open_legacy_database(
    engine: str, url: str, *, barrier_tables: Iterable[str] = (BARRIER_TABLE,)
) -> LegacyDatabase:
    """Connect to a legacy database; `barrier_tables` are for engines without logical messages.

    Configuration for an engine that can't be read; Unreachable when it is not there.
    """
    if engine == "postgresql":
        return PostgreSQLDatabase.open(url)
    if engine in MARIADB_ENGINES:
        return MariaDBDatabase(url, barrier_tables)
    raise Configuration(
        f"a legacy database of engine {engine!r} can't be read yet: known are {', '.join(ENGINES)}"
    )
