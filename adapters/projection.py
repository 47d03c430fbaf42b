"""Projections: how state events become rows of relational tables in a region's store.

A site's adapter package has `PROJECTIONS: tuple[Projection, ...]`. A column's name is the event
field's name; a child table is an array of records in the event.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.site_package import read_tuple


@dataclass(frozen=True, slots=True)
class ChildTable:
    """A table whose rows are the records of the array `field`.

    `key` begins with the parent's key columns; `columns` are the record's fields, without the
    parent's key.
    """

    table: str
    field: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Projection:
    """The tables of one type of state event; `columns` include `key`; a deleted state removes."""

    type: str
    aggregate: str
    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    children: tuple[ChildTable, ...] = ()


def load_projections(package: str) -> tuple[Projection, ...]:
    """Import a site's projections; Configuration when the package or its PROJECTIONS is missing."""
    return read_tuple(package, "PROJECTIONS", Projection)
