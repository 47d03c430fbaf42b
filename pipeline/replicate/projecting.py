"""Turns decoded states into rows of a projection's tables.

Enters: decoded events and which of them count. Leaves: rows, as frames or tuples like the
decoded ones, each with the event's subject in front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from adapters.contract import Contract
from adapters.projection import Projection
from pipeline.errors import Configuration
from pipeline.replicate.batch import (
    DELETED_FIELD,
    Decoded,
    ProjectedRows,
    Rows,
    child_columns,
    root_columns,
)


def check_projection(projection: Projection, contracts: Mapping[str, Contract]) -> None:
    """Raise Configuration when a projection does not fit its contract, saying what is wrong."""
    contract = contracts.get(projection.type)
    if contract is None:
        raise Configuration(f"the projection of {projection.type} has no contract of that type")
    fields = {field["name"]: field["type"] for field in contract.schema["fields"]}
    wanted = {*projection.columns, *(one.field for one in projection.children), DELETED_FIELD}
    if missing := sorted(wanted - fields.keys()):
        raise Configuration(
            f"the projection of {projection.type} uses {', '.join(missing)}, "
            "which the contract does not have: correct one of them"
        )
    if not projection.key or not set(projection.key) <= set(projection.columns):
        raise Configuration(f"{projection.table}: columns must include key, which has a column")
    for child in projection.children:
        rest = child.key[len(projection.key) :]
        if not rest or not set(rest) <= set(child.columns):
            raise Configuration(
                f"{child.table}: key must be the parent's key and columns of its own"
            )


def project(
    projection: Projection, decoded: Decoded, chosen: Sequence[int], subjects: Sequence[str]
) -> ProjectedRows:
    """Make the rows of the `chosen` events, whose subjects are given in the same order."""
    if decoded.frame is None:
        return _project_values(projection, [decoded.values[index] for index in chosen], subjects)
    from pipeline.replicate import frame_projecting  # noqa: PLC0415 - polars is loaded when needed

    if frame_projecting.is_flat(projection, decoded.frame):
        return frame_projecting.project_frame(projection, decoded.frame, chosen, subjects)
    return _project_values(projection, decoded.frame[list(chosen)].to_dicts(), subjects)


def _project_values(
    projection: Projection, values: Sequence[dict[str, Any]], subjects: Sequence[str]
) -> ProjectedRows:
    root: list[tuple[Any, ...]] = []
    children: dict[str, list[tuple[Any, ...]]] = {one.table: [] for one in projection.children}
    for value, subject in zip(values, subjects, strict=True):
        deleted = value[DELETED_FIELD]
        root.append((subject, deleted, *(_cell(value[name]) for name in projection.columns)))
        if deleted:
            continue
        key = tuple(_cell(value[name]) for name in projection.key)
        for child in projection.children:
            children[child.table] += [
                (subject, *key, *(_cell(item[name]) for name in child.columns))
                for item in value[child.field] or ()
            ]
    return ProjectedRows(
        projection,
        Rows(root_columns(projection), tuples=tuple(root)),
        {
            one.table: Rows(child_columns(projection, one), tuples=tuple(children[one.table]))
            for one in projection.children
        },
    )


def _cell(value: Any) -> Any:
    """Return what a column takes: nested values as JSON text, the rest as it is."""
    if isinstance(value, (dict, list)):
        return msgspec.json.encode(value).decode()
    return str(value) if isinstance(value, UUID) else value
