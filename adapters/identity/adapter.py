"""A table as an aggregate of its own: its one event says what the row is now.

Enters: a captured table's definition and its module. Leaves: the adapter, its contract's schema and
its projection, so that a site needs no Python beyond naming its tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

from adapters.aggregate import AggregateRows, DomainEvent, Key, Lookup, Member, Row
from adapters.errors import Configuration, Poison
from adapters.identity.fields import DELETED, Field, decimal_text, make_fields
from adapters.projection import Projection
from legacy_db.definition import Table


class IdentityAdapter:
    """Owns `<module>.<Table>`; a state is the row's values under the names of its columns."""

    domain_contracts: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    lookups: tuple[Lookup, ...] = ()

    def __init__(self, module: str, table: Table) -> None:
        if not table.key:
            raise Configuration(
                f"{table.schema}.{table.name} has no key: declare one under keys:, or leave the "
                "table out"
            )
        self.module = module
        self.root = table.name
        self.table = table
        self.aggregate = f"{module}.{name_aggregate(table.name)}"
        self.contract = f"{self.aggregate}.v1"
        self.fields = make_fields(table)
        by_column = {field.column: field for field in self.fields}
        self.key = tuple(by_column[name] for name in table.key)
        keys = {field.name for field in self.key}
        self._gone = {one.name: None for one in self.fields if one.name not in keys}
        self._getters: dict[type, Callable[[Row], tuple[Any, ...]]] = {}

    def subject(self, key: Key) -> str:
        """Return the key's parts, joined by colons; a colon within a part is `%3A`."""
        return ":".join(_subject_part(value) for value in key)

    def state(self, rows: AggregateRows) -> dict[str, Any]:
        """Return the row's values; Poison names the column of one that the contract can't hold."""
        values = self._getter(type(rows.root))(rows.root)
        return {DELETED: False, **self._convert(self.fields, values)}

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the key of the row that is gone."""
        return {DELETED: True, **self._convert(self.key, key), **self._gone}

    def domain_events(
        self,
        before: dict[str, Any] | None,  # noqa: ARG002 - the protocol's arguments
        after: dict[str, Any] | None,  # noqa: ARG002
    ) -> tuple[DomainEvent, ...]:
        """Return nothing: what happened is what the row is."""
        return ()

    def schema(self, site: str) -> dict[str, Any]:
        """Make the contract's schema: the key is always there, all else may be null."""
        keys = {field.name for field in self.key}
        fields: list[dict[str, Any]] = [{"name": DELETED, "type": "boolean"}]
        for one in self.fields:
            if one.name in keys:
                fields.append({"name": one.name, "type": one.avro})
            else:
                fields.append({"name": one.name, "type": ["null", one.avro], "default": None})
        return {
            "type": "record",
            "name": name_aggregate(self.root),
            "namespace": f"{re.sub(r'[^a-z0-9_]', '_', site)}.{self.module}.v1",
            "doc": f"A row of the table {self.table.name}, as it is.",
            "fields": fields,
        }

    def projection(self) -> Projection:
        """Make the projection: a table of the same name, with the same columns and key."""
        return Projection(
            type=self.contract,
            aggregate=self.aggregate,
            table=self.root,
            key=tuple(field.name for field in self.key),
            columns=tuple(field.name for field in self.fields),
        )

    def _getter(self, row_type: type[Row]) -> Callable[[Row], tuple[Any, ...]]:
        """Make what reads a row's values in the fields' order; rows tell their columns' names."""
        getter = self._getters.get(row_type)
        if getter is None:
            names = dict(
                zip(row_type.__struct_encode_fields__, row_type.__struct_fields__, strict=True)
            )
            absent = [one.column for one in self.fields if one.column not in names]
            if absent:
                raise Poison(
                    f"table {self.root} has no column {', '.join(absent)} any more: make the "
                    "site's package anew, its contract in a new major version"
                )
            getter = _read_attributes([names[one.column] for one in self.fields])
            self._getters[row_type] = getter
        return getter

    def _convert(self, fields: tuple[Field, ...], values: tuple[Any, ...]) -> dict[str, Any]:
        converted = {}
        for field, value in zip(fields, values, strict=True):
            try:
                converted[field.name] = None if value is None else field.convert(value)
            except Poison as error:
                raise Poison(f"{self.root}.{field.column}: {error}") from error
        return converted


def name_aggregate(table: str) -> str:
    """Name the aggregate of a table: `order_details` is `OrderDetails`."""
    words = re.findall(r"[A-Za-z0-9]+", table)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return f"T{name}" if not name or name[0].isdigit() else name


def _read_attributes(names: list[str]) -> Callable[[Row], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    (name,) = names
    return lambda row: (getattr(row, name),)


def _subject_part(value: Any) -> str:
    """Print a part of a key: equal values are equal, and different ones different."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat().replace(":", "%3A")
    return str(value).replace("%", "%25").replace(":", "%3A") or "%"
