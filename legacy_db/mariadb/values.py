"""Single values between MariaDB and Python: read as psycopg reads the mirror's, and given back.

Enters: a column, and values as PyMySQL has them. Leaves: values that equal those of the mirror's
row, and parameters for values or their texts: keys of both databases are compared in Python.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from legacy_db.float_text import shortest_real
from legacy_db.mariadb.text import dated_sql, quote, type_base, type_modifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from legacy_db.definition import Column

_DAY = timedelta(days=1)
_DATED = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
_WITHOUT_ORDER_OF_OURS = frozenset({"text", "character varying", "json"})


def value_sql(column: Column) -> str:
    """Build the expression that reads a value for `make_reader`."""
    name, base = quote(column.name), type_base(column.type)
    if base in _DATED:
        return dated_sql(column)
    if base in ("boolean", "bit"):
        return f"{name} + 0"
    if base in ("real", "double precision"):
        return f"cast({name} as double)"
    return name


def order_sql(column: Column) -> str:
    """Build the expression that sorts and bounds by the column: texts by their UTF-8 bytes."""
    name, base = quote(column.name), type_base(column.type)
    if base in _WITHOUT_ORDER_OF_OURS:
        return f"cast(convert({name} using utf8mb4) as binary)"
    return value_sql(column)


def bound_sql(column: Column) -> str:
    """Build the placeholder to compare with `order_sql`."""
    return "cast(%s as binary)" if type_base(column.type) in _WITHOUT_ORDER_OF_OURS else "%s"


def make_reader(column: Column) -> Callable[[Any], Any]:
    """Make the function from a value that PyMySQL read to the value of the mirror."""
    base = type_base(column.type)
    read = _READERS.get(base)
    if base == "bit":
        width = int(type_modifier(column.type))
        read = lambda value: format(value, f"0{width}b")  # noqa: E731 - one of several
    if read is None:
        return lambda value: value
    return lambda value: None if value is None else read(value)


def make_parameter(column: Column, value: Any) -> Any:
    """Make the parameter for a key's value, or for its text."""
    base = type_base(column.type)
    if base == "boolean":
        return int(value in (True, "true"))
    if base == "bit":
        return int(value, 2)
    if base == "bytea":
        return bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)
    if base == "timestamp with time zone":
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC).replace(tzinfo=None)
    if base in _NUMBERS:
        return _NUMBERS[base](value)
    return value


def _read_time(value: Any) -> Any:
    """Read a time of day; what is no time of day stays the text that MariaDB prints."""
    if isinstance(value, timedelta) and timedelta() <= value < _DAY:
        return (datetime.min.replace(tzinfo=UTC) + value).time()
    return value if isinstance(value, time) else str(value)


def _read_moment(value: Any) -> Any:
    return value.replace(tzinfo=UTC)


_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "smallint": int,
    "integer": int,
    "bigint": int,
    "numeric": Decimal,
    "real": float,
    "double precision": float,
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "real": shortest_real,
    "numeric": Decimal,  # bigint unsigned comes as a whole number
    "timestamp with time zone": _read_moment,
    "time without time zone": _read_time,
}
