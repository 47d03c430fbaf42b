"""Hashes of rows and chunks of rows inside MariaDB, equal to legacy_db.row_hash's of the mirror.

Enters: a connection, a `Table`, ranges or keys. Leaves: hashes and texts. Rows of a table with
floats are hashed in Python: of a decimal in the very middle between two doubles MariaDB's text is
not PostgreSQL's. A chunk's hash may differ for that, the hashes of its rows don't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from legacy_db.errors import Configuration
from legacy_db.float_text import double_text
from legacy_db.key_range import EVERYTHING, KeyRange
from legacy_db.mariadb.key import MariaDBKey
from legacy_db.mariadb.text import (
    hash_sql,
    relation_sql,
    row_hash_sql,
    text_sql,
    token_sql,
    type_base,
)
from legacy_db.row_hash import KEYS_PER_STATEMENT, ROWS_PER_FETCH, ChunkHash, hash_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from legacy_db.definition import Table
    from legacy_db.key_range import Key
    from legacy_db.mariadb.connection import MariaDBConnection

_FLOATS = frozenset({"real", "double precision"})


def chunk_hashes(
    connection: MariaDBConnection, table: Table, key_ranges: Iterable[KeyRange]
) -> Iterator[ChunkHash]:
    """Yield the hash of each range; a keyless table is hashed as a whole, whatever the range."""
    key = MariaDBKey(table) if table.key else None
    row_hash = row_hash_sql(table)
    for key_range in key_ranges:
        condition, parameters = key.within(key_range) if key else ("true", [])
        rows, total, unknown = connection.fetch(
            f"select count(*), coalesce(sum(row_hash_), 0), coalesce(sum(row_hash_ is null), 0)"
            f" from (select {row_hash} as row_hash_ from {relation_sql(table)}"
            f" where {condition}) as hashed",
            parameters,
        )[0]
        if unknown:
            _refuse_large(table)
        yield ChunkHash(key_range, int(rows), int(total))


def row_hashes(
    connection: MariaDBConnection, table: Table, key_range: KeyRange = EVERYTHING
) -> Iterator[tuple[Key, int]]:
    """Yield (key, hash) of each row of `key_range` in key order, with bounded memory."""
    key = MariaDBKey(table)
    after = key_range.after
    while True:
        condition, parameters = key.within(KeyRange(after, key_range.until))
        rows = connection.fetch(
            f"select {key.selected}, {_hash_columns(table)} from {relation_sql(table)}"
            f" where {condition} order by {key.order} limit %s",
            [*parameters, ROWS_PER_FETCH],
        )
        for one, values in _split_keys(key, table, rows):
            after = one
            yield one, _read_hash(table, values)
        if len(rows) < ROWS_PER_FETCH:
            return


def hashes_by_key(
    connection: MariaDBConnection, table: Table, keys: Iterable[Key]
) -> dict[Key, int]:
    """Read the hash of each row with one of `keys`; one that is not there is not in the answer."""
    found = _read_by_keys(connection, table, keys, _hash_columns(table))
    return {key: _read_hash(table, values) for key, values in found}


def column_hashes(
    connection: MariaDBConnection, table: Table, keys: Iterable[Key]
) -> dict[Key, dict[str, int]]:
    """Read the hash of each column of the rows with `keys`."""
    names = [column.name for column in table.columns]
    selected = [
        text_sql(column) if type_base(column.type) in _FLOATS else hash_sql(token_sql(column))
        for column in table.columns
    ]
    hashes = {}
    for key, values in _read_by_keys(connection, table, keys, ", ".join(selected)):
        hashes[key] = {
            name: hash_texts([text]) if _is_float(table, name) else _known(table, value)
            for name, value, text in zip(names, values, _repair(table, names, values), strict=True)
        }
    return hashes


def read_values(
    connection: MariaDBConnection, table: Table, keys: Iterable[Key], columns: Sequence[str] = ()
) -> dict[Key, dict[str, str | None]]:
    """Read the canonical texts of `columns` (all when empty) of the rows with `keys`."""
    names = list(columns) or [column.name for column in table.columns]
    selected = ", ".join(text_sql(table.column(name)) for name in names)
    return {
        key: dict(zip(names, _repair(table, names, values), strict=True))
        for key, values in _read_by_keys(connection, table, keys, selected)
    }


def _read_by_keys(
    connection: MariaDBConnection, table: Table, keys: Iterable[Key], selected: str
) -> Iterator[tuple[Key, Sequence[Any]]]:
    key = MariaDBKey(table)
    wanted = list(keys)
    for start in range(0, len(wanted), KEYS_PER_STATEMENT):
        condition, parameters = key.among(wanted[start : start + KEYS_PER_STATEMENT])
        rows = connection.fetch(
            f"select {key.selected}, {selected} from {relation_sql(table)} where {condition}",
            parameters,
        )
        yield from _split_keys(key, table, rows)


def _split_keys(
    key: MariaDBKey, table: Table, rows: Iterable[Sequence[Any]]
) -> Iterator[tuple[Key, Sequence[Any]]]:
    width = len(table.key)
    for row in rows:
        yield key.read(row[:width]), row[width:]


def _is_float(table: Table, name: str) -> bool:
    return type_base(table.column(name).type) in _FLOATS


def _hash_columns(table: Table) -> str:
    """Select the row's hash, or the texts of which Python makes it."""
    if any(_is_float(table, column.name) for column in table.columns):
        return ", ".join(map(text_sql, table.columns))
    return row_hash_sql(table)


def _read_hash(table: Table, values: Sequence[Any]) -> int:
    if len(values) == 1 and not _is_float(table, table.columns[0].name):
        return _known(table, values[0])
    return hash_texts(_repair(table, [column.name for column in table.columns], values))


def _repair(table: Table, names: Sequence[str], values: Sequence[Any]) -> list[str | None]:
    """Print the floats among texts as PostgreSQL does."""
    return [
        double_text(float(value)) if value is not None and _is_float(table, name) else value
        for name, value in zip(names, values, strict=True)
    ]


def _known(table: Table, value: Any) -> int:
    if value is None:
        _refuse_large(table)
    return int(value)


def _refuse_large(table: Table) -> None:
    raise Configuration(
        f"a row of {table.schema}.{table.name} is larger than the server's max_allowed_packet and "
        "can't be compared: raise it (set global max_allowed_packet = 1073741824)"
    )
