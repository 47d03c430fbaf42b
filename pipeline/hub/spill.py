"""Keeps the rows of a huge transaction until its END comes, so that memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from adapters.envelope import RowChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

_decoder = msgspec.msgpack.Decoder(RowChange)


def spill_changes(
    connection: psycopg.Connection[Any], module: str, first: int, changes: Sequence[RowChange]
) -> None:
    """Keep changes under the ordinals from `first` on."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy hub.spill (module, ordinal, table_name, row_key, change) from stdin"
        ) as stream,
    ):
        for ordinal, change in enumerate(changes, first):
            stream.write_row(
                (module, ordinal, change.table, change.key, msgspec.msgpack.encode(change))
            )


def drop_spill(connection: psycopg.Connection[Any], module: str) -> None:
    """Forget the spilled rows of a module: they are translated, or void."""
    with connection.cursor() as cursor:
        cursor.execute("delete from hub.spill where module = %s", (module,))


def read_spill(
    connection: psycopg.Connection[Any], module: str, chunk_rows: int
) -> Iterator[list[RowChange]]:
    """Read the spilled rows in order, in chunks of `chunk_rows`."""
    after = -1
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "select ordinal, change from hub.spill where module = %s and ordinal > %s "
                "order by ordinal limit %s",
                (module, after, chunk_rows),
            )
            rows = cursor.fetchall()
        if not rows:
            return
        yield [_decoder.decode(change) for _, change in rows]
        after = rows[-1][0]


def make_touch_table(connection: psycopg.Connection[Any]) -> None:
    """Make the temporary table that says which rows concern which aggregate."""
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists pg_temp.touch")
        cursor.execute(
            "create temp table touch (aggregate text, root_key bytea, table_name text, "
            "row_key bytea) on commit drop"
        )


def add_touches(
    connection: psycopg.Connection[Any], touches: Iterable[tuple[str, bytes, str, bytes]]
) -> None:
    """Note (aggregate, root key, table, row key) of changed rows; doubles do no harm."""
    with (
        connection.cursor() as cursor,
        cursor.copy("copy touch (aggregate, root_key, table_name, row_key) from stdin") as stream,
    ):
        for touch in touches:
            stream.write_row(touch)


def read_touched(
    connection: psycopg.Connection[Any], part_size: int
) -> Iterator[list[tuple[str, bytes]]]:
    """Read the touched aggregates, (name, root key), in parts of `part_size`."""
    with connection.cursor() as cursor:
        cursor.execute("create index on touch (aggregate, root_key)")
        cursor.execute("analyze touch")
    after: tuple[str, bytes] = ("", b"")
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "select distinct aggregate, root_key from touch "
                "where (aggregate, root_key) > (%s, %s) order by aggregate, root_key limit %s",
                (*after, part_size),
            )
            part = [(aggregate, bytes(root_key)) for aggregate, root_key in cursor]
        if not part:
            return
        yield part
        after = part[-1]


def read_spill_of(
    connection: psycopg.Connection[Any], module: str, part: list[tuple[str, bytes]]
) -> list[RowChange]:
    """Read, in order, every spilled change that concerns these aggregates, and every TRUNCATE."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.change from hub.spill s where s.module = %(module)s and ("
            "s.row_key is null or (s.table_name, s.row_key) in (select t.table_name, t.row_key "
            "from touch t join unnest(%(names)s::text[], %(keys)s::bytea[]) as p(aggregate, "
            "root_key) on t.aggregate = p.aggregate and t.root_key = p.root_key)) "
            "order by s.ordinal",
            {"module": module, "names": [p[0] for p in part], "keys": [p[1] for p in part]},
        )
        return [_decoder.decode(change) for (change,) in cursor]
