"""Copies rows into a staging table, by COPY.

Enters: frames and tuples. Leaves: nothing; frames go as CSV that polars writes, tuples as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from pipeline.replicate.batch import Rows

_CHUNK_BYTES = 1 << 20


def copy_rows(connection: psycopg.Connection[Any], table: str, rows: Rows) -> None:
    """Copy all rows into a (staging) table, in the open transaction."""
    tuples: list[Sequence[Any]] = list(rows.tuples)
    if rows.frames:
        tuples += _copy_frames(connection, table, rows)
    if tuples:
        with connection.cursor().copy(_copy_statement(table, rows.columns, csv=False)) as copy:
            for row in tuples:
                copy.write_row(row)


def _copy_frames(
    connection: psycopg.Connection[Any], table: str, rows: Rows
) -> list[Sequence[Any]]:
    """Copy the frames; return the rows of those that CSV can't carry."""
    from pipeline.replicate.frame_csv import write_csv  # noqa: PLC0415 - polars, when needed

    left: list[Sequence[Any]] = []
    for frame in rows.frames:
        data = write_csv(frame) if frame.height else b""
        if data is None:
            left += frame.rows()
        elif data:
            with connection.cursor().copy(_copy_statement(table, rows.columns, csv=True)) as copy:
                for start in range(0, len(data), _CHUNK_BYTES):
                    copy.write(data[start : start + _CHUNK_BYTES])
    return left


def _copy_statement(table: str, columns: Sequence[str], *, csv: bool) -> sql.Composed:
    return sql.SQL("copy {} ({}) from stdin{}").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(" with (format csv)") if csv else sql.SQL(""),
    )
