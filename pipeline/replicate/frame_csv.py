"""Writes a frame as PostgreSQL's CSV.

Enters: a frame. Leaves: bytes for COPY, or None when the server might not read them as meant.
"""

from __future__ import annotations

import polars as pl

_CSV_END_MARK = b"\n\\."
"""Servers before PostgreSQL 18 take a line of a backslash and a dot as the end, even in quotes."""


def write_csv(frame: pl.DataFrame) -> bytes | None:
    """Write a frame as PostgreSQL's CSV; None when the server might not read it as meant."""
    binary = [name for name, dtype in frame.schema.items() if dtype == pl.Binary]
    if binary:
        frame = frame.with_columns(
            (pl.lit("\\x") + pl.col(name).bin.encode("hex")).alias(name) for name in binary
        )
    data = frame.write_csv(include_header=False).encode()
    return None if _CSV_END_MARK in data else data
