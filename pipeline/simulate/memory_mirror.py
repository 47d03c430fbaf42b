"""The mirror's tables on the model of a database.

Enters: net row images. Leaves: typed rows by key or by the aggregate that they belong to, as the
mirror in PostgreSQL gives them.
"""

# ruff: noqa: D102 - the protocol has the docstrings
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from adapters.aggregate import Key, Row
    from pipeline.simulate.database import Connection
    from pipeline.translate.rows import TableCodec


class MirrorRow(NamedTuple):
    """A row with the position of its last change and the snapshot that saw it."""

    row: Row
    epoch: int
    lsn: int
    snapshot: int


class MemoryMirror:
    """The mirror of one module through one connection."""

    def __init__(self, connection: Connection, codecs: Mapping[str, TableCodec]) -> None:
        self._connection = connection
        self.codecs = dict(codecs)

    def load_by_key(self, table: str, keys: Collection[Key]) -> dict[Key, Row]:
        self._connection.call("load")
        rows = self._connection.rows(f"mirror.{table}")
        return {key: self._row(table, rows[key]) for key in keys if key in rows}

    def load(self, table: str, columns: tuple[str, ...], values: Collection[Key]) -> list[Row]:
        if not values:
            return []
        self._connection.call("load")
        wanted = set(values)
        value_of = self.codecs[table].getter(columns)
        rows = self._connection.rows(f"mirror.{table}")
        found = [(key, self._row(table, rows[key])) for key in sorted(rows)]
        return [row for _, row in found if value_of(row) in wanted]

    def page_keys(
        self,
        table: str,
        columns: tuple[str, ...],
        after: Key | None,
        limit: int,
        *,
        where: tuple[tuple[str, ...], Collection[Key]] | None = None,
    ) -> list[Key]:
        self._connection.call("page keys")
        value_of = self.codecs[table].getter(columns)
        rows = [self._row(table, one) for one in self._connection.rows(f"mirror.{table}").values()]
        if where is not None:
            filter_of, wanted = self.codecs[table].getter(where[0]), set(where[1])
            rows = [row for row in rows if filter_of(row) in wanted]
        keys = sorted({value_of(row) for row in rows})
        return [key for key in keys if after is None or key > after][:limit]

    def merge(self, table: str, rows: Mapping[Key, Row | None], epoch: int, lsn: int) -> None:
        self._connection.call("merge")
        for key, row in rows.items():
            if row is None:
                self._connection.delete(f"mirror.{table}", key)
            else:
                self._connection.put(f"mirror.{table}", key, MirrorRow(row, epoch, lsn, 0))

    def merge_snapshot(
        self, table: str, rows: Mapping[Key, Row], epoch: int, lsn: int, run: int
    ) -> None:
        self._connection.call("merge snapshot")
        for key, row in rows.items():
            there = self._connection.get(f"mirror.{table}", key)
            if there is None or (there.epoch, there.lsn) <= (epoch, lsn):
                self._connection.put(f"mirror.{table}", key, MirrorRow(row, epoch, lsn, run))

    def truncate(self, table: str) -> None:
        for key in list(self._connection.rows(f"mirror.{table}")):
            self._connection.delete(f"mirror.{table}", key)

    def unseen_keys(self, table: str, columns: tuple[str, ...], run: int) -> list[Key]:
        value_of = self.codecs[table].getter(columns)
        rows = self._connection.rows(f"mirror.{table}").values()
        return sorted({value_of(self._row(table, one)) for one in rows if one.snapshot != run})

    def count_unseen(self, table: str, run: int) -> int:
        rows = self._connection.rows(f"mirror.{table}").values()
        return sum(one.snapshot != run for one in rows)

    def sweep(self, table: str, run: int) -> int:
        rows = self._connection.rows(f"mirror.{table}")
        unseen = [key for key, one in rows.items() if one.snapshot != run]
        for key in unseen:
            self._connection.delete(f"mirror.{table}", key)
        return len(unseen)

    def forget_stages(self) -> None:
        """Nothing is staged."""

    def _row(self, table: str, stored: MirrorRow) -> Row:
        """Return a row in the table's present columns, as an altered table gives it."""
        codec = self.codecs[table]
        row: Any = stored.row
        if type(row) is codec.row_type:
            return row
        values = msgspec.structs.asdict(row)
        return codec.row_type(**{name: values.get(name) for name in codec.attributes.values()})
