"""The SQL of a table's key on MariaDB: the same order and ranges as legacy_db.key_range has.

Enters: a `Table`. Leaves: conditions for PyMySQL with their parameters. MariaDB uses an index for
conditions on single columns, not for rows `(a, b) > (1, 2)`: those are written out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from legacy_db.errors import Configuration
from legacy_db.mariadb.text import quote
from legacy_db.mariadb.values import (
    bound_sql,
    make_parameter,
    make_reader,
    order_sql,
    value_sql,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from legacy_db.definition import Table
    from legacy_db.key_range import Key, KeyRange


class MariaDBKey:
    """The SQL of one table's key; Configuration for a keyless table."""

    def __init__(self, table: Table) -> None:
        if not table.key:
            raise Configuration(
                f"{table.schema}.{table.name} has no primary key: it can't be read or compared by "
                "ranges of it; read it as a whole, or give it a key"
            )
        self._columns = [table.column(name) for name in table.key]
        self._readers = [make_reader(column) for column in self._columns]

    @property
    def order(self) -> str:
        """What to ORDER BY."""
        return ", ".join(map(order_sql, self._columns))

    @property
    def selected(self) -> str:
        """The key's values as a select list, each under a name of its own."""
        return ", ".join(
            f"{value_sql(column)} as {alias}"
            for column, alias in zip(self._columns, self.aliases, strict=True)
        )

    @property
    def aliases(self) -> list[str]:
        """The names of `selected`, for a query around it."""
        return [f"key_{place}_" for place in range(len(self._columns))]

    def read(self, values: Sequence[Any]) -> Key:
        """Read a key that was selected."""
        return tuple(read(value) for read, value in zip(self._readers, values, strict=True))

    def within(self, key_range: KeyRange) -> tuple[str, list[Any]]:
        """Return the condition for the rows of `key_range` and its parameters."""
        conditions: list[str] = []
        parameters: list[Any] = []
        for bound, operator, last in ((key_range.after, ">", ">"), (key_range.until, "<", "<=")):
            if bound is None:
                continue
            values = self._parameters(bound)
            first = self._columns[0]
            # what an index can serve, then what is exact
            conditions.append(f"{order_sql(first)} {operator}= {bound_sql(first)}")
            conditions.append(self._compare(operator, last))
            parameters += [values[0], *self._spread(values)]
        return " and ".join(conditions) or "true", parameters

    def among(self, keys: Sequence[Key]) -> tuple[str, list[Any]]:
        """Return the condition for the rows with one of `keys` and its parameters.

        The columns' own collations decide: rows may come whose keys differ in case alone.
        """
        names = ", ".join(quote(column.name) for column in self._columns)
        row = f"({', '.join(['%s'] * len(self._columns))})"
        condition = f"({names}) in ({', '.join([row] * len(keys))})"
        return condition, [value for key in keys for value in self._parameters(key)]

    def _parameters(self, key: Key) -> list[Any]:
        return [
            make_parameter(column, value) for column, value in zip(self._columns, key, strict=True)
        ]

    def _compare(self, operator: str, last: str) -> str:
        """Write `(a, b) > (x, y)` as `(a > x or (a = x and b > y))`."""
        condition = ""
        for column in reversed(self._columns):
            name, bound = order_sql(column), bound_sql(column)
            if not condition:
                condition = f"{name} {last} {bound}"
            else:
                condition = f"({name} {operator} {bound} or ({name} = {bound} and {condition}))"
        return condition

    @staticmethod
    def _spread(values: Sequence[Any]) -> list[Any]:
        """Give each value but the last twice, as `_compare` names them."""
        return [value for place in values[:-1] for value in (place, place)] + [values[-1]]
