"""Turns a frame of decoded states into frames of rows of a projection's tables.

Enters: a frame with one state a row. Leaves: frames with the events' subjects in front; children
are exploded by polars, never row by row.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from adapters.projection import ChildTable, Projection
from pipeline.replicate.batch import (
    DELETED,
    DELETED_FIELD,
    SUBJECT,
    ProjectedRows,
    Rows,
    child_columns,
    root_columns,
)


def is_flat(projection: Projection, frame: pl.DataFrame) -> bool:
    """Say whether every column of the root is a plain value."""
    return not any(frame.schema[name].is_nested() for name in projection.columns)


def project_frame(
    projection: Projection, frame: pl.DataFrame, chosen: Sequence[int], subjects: Sequence[str]
) -> ProjectedRows:
    """Make the rows of the `chosen` events, whose subjects are given in the same order."""
    if len(chosen) < frame.height:
        frame = frame[list(chosen)]
    frame = frame.with_columns(pl.Series(SUBJECT, subjects, dtype=pl.String))
    root = frame.select(
        SUBJECT, pl.col(DELETED_FIELD).alias(DELETED), *(pl.col(one) for one in projection.columns)
    )
    children = {}
    alive = frame.filter(~pl.col(DELETED_FIELD)) if projection.children else frame
    for child in projection.children:
        children[child.table] = Rows(
            child_columns(projection, child), frames=(_explode(projection, child, alive),)
        )
    return ProjectedRows(projection, Rows(root_columns(projection), frames=(root,)), children)


def _explode(projection: Projection, child: ChildTable, frame: pl.DataFrame) -> pl.DataFrame:
    parents = zip(projection.key, child.key, strict=False)
    array = pl.col(child.field)
    filled = frame.filter(array.list.len() > 0)  # neither null nor empty
    return (
        filled.select(
            SUBJECT, *(pl.col(name).alias(f"p_{alias}") for name, alias in parents), array
        )
        .explode(child.field)
        .select(
            SUBJECT,
            *(pl.col(f"p_{name}").alias(name) for name in child.key[: len(projection.key)]),
            *(pl.col(child.field).struct.field(name) for name in child.columns),
        )
    )
