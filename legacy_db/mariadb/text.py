"""The canonical text of MariaDB's values, in its SQL: what PostgreSQL prints for the mirror's.

Enters: a `Table` with the mirror's types. Leaves: expressions for PyMySQL, whose texts and hashes
are those of legacy_db.row_hash for the same row; a test holds both equal on real servers.
A zero date is what Debezium makes of it: NULL, or 1970-01-01 where the column takes no NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from legacy_db.definition import Column, Table

_FIXED_MIN, _FIXED_MAX = "1e-4", "1e15"
"""PostgreSQL prints doubles of this size as plain decimals, smaller and larger ones with an
exponent; MariaDB begins at the same 1e15, but only below 1e-15."""


def quote(name: str) -> str:
    """Quote a column's or table's name; a percent sign is doubled, as PyMySQL wants it."""
    return f"`{name.replace('`', '``').replace('%', '%%')}`"


def relation_sql(table: Table) -> str:
    """Return the table's qualified name."""
    return f"{quote(table.schema)}.{quote(table.name)}"


def type_base(type_: str) -> str:
    """Strip length, precision and scale: `timestamp(6) with time zone` loses its `(6)`."""
    head, opened, tail = type_.partition("(")
    return head + tail.partition(")")[2] if opened else head


def type_modifier(type_: str) -> str:
    """Return what stands in a type's parentheses, or nothing."""
    return type_.partition("(")[2].partition(")")[0]


def dated_sql(column: Column) -> str:
    """Return the column of dates or times, its zero dates replaced as Debezium does."""
    name = quote(column.name)
    kind = "date" if type_base(column.type) == "date" else "datetime"
    instead = "null" if column.nullable else f"cast('1970-01-01' as {kind})"
    return f"if(month({name}) = 0 or dayofmonth({name}) = 0, {instead}, {name})"


def text_sql(column: Column) -> str:
    """Build the expression for a value's canonical text."""
    build = _TEXTS.get(type_base(column.type), _character_text)
    return build(column)


def token_sql(column: Column) -> str:
    """Build the expression for `<characters>:<text>`, or `-` for NULL."""
    text = text_sql(column)
    return f"coalesce(concat(char_length({text}), ':', {text}), '-')"


def row_text_sql(table: Table, columns: Sequence[str] = ()) -> str:
    """Build the expression for a row's canonical text over `columns` (all when empty), in order."""
    names = columns or tuple(column.name for column in table.columns)
    return f"concat({', '.join(token_sql(table.column(name)) for name in names)})"


def hash_sql(text: str) -> str:
    """Build the expression for the signed 64 bits of the md5 of a text's UTF-8 bytes."""
    digest = f"left(md5(convert({text} using utf8mb4)), 16)"
    return f"cast(conv({digest}, 16, -10) as signed)"


def row_hash_sql(table: Table, columns: Sequence[str] = ()) -> str:
    """Build the expression for a row's hash; NULL where its text is above max_allowed_packet."""
    return hash_sql(row_text_sql(table, columns))


def _character_text(column: Column) -> str:
    return f"convert({quote(column.name)} using utf8mb4)"


def _integer_text(column: Column) -> str:
    return f"cast({quote(column.name)} + 0 as char)"  # + 0: or ZEROFILL would print its zeros


def _numeric_text(column: Column) -> str:
    scale = type_modifier(column.type).partition(",")[2]
    text = _integer_text(column)
    return text if scale in ("", "0") else _without_zeros(text)


def _float_text(column: Column) -> str:
    return _double_text(f"cast({quote(column.name)} as double)")


def _boolean_text(column: Column) -> str:
    name = quote(column.name)
    return f"if({name} is null, null, if({name} + 0 = 0, 'false', 'true'))"


def _bits_text(column: Column) -> str:
    return f"lpad(bin({quote(column.name)} + 0), {type_modifier(column.type)}, '0')"


def _bytes_text(column: Column) -> str:
    return f"concat('\\\\x', lower(hex({quote(column.name)})))"


def _date_text(column: Column) -> str:
    return f"date_format({dated_sql(column)}, '%%Y-%%m-%%d')"


def _moment_text(column: Column) -> str:
    return _without_zeros(f"date_format({dated_sql(column)}, '%%Y-%%m-%%d %%H:%%i:%%s.%%f')")


def _moment_with_zone_text(column: Column) -> str:
    return f"concat({_moment_text(column)}, '+00')"  # the session is in UTC


def _time_text(column: Column) -> str:
    return _without_zeros(f"cast(cast({quote(column.name)} as time(6)) as char)")


def _without_zeros(text: str) -> str:
    return f"trim(trailing '.' from trim(trailing '0' from {text}))"


def _double_text(value: str) -> str:
    """Print a double as PostgreSQL does.

    The shortest digits are the same but for a decimal in the very middle between two doubles, which
    PostgreSQL does not take: hash.py reads such tables' texts once more.
    """
    text = f"cast({value} as char)"
    size = f"abs({value})"
    sign = f"if({value} < 0, '-', '')"
    fraction = f"substring_index({text}, '.', -1)"
    small_digits = f"trim(leading '0' from {fraction})"
    small_exponent = f"char_length({fraction}) - char_length({small_digits}) + 1"
    exponent = f"substring_index({text}, 'e', -1)"
    written = f"concat(substring_index({text}, 'e', 1), 'e+', {_two_digits(exponent)})"
    whole = f"substring_index(cast({size} as char), '.', 1)"
    large_digits = f"replace(cast({size} as char), '.', '')"
    large_exponent = f"char_length({whole}) - 1"
    return (
        f"case when {value} = 0 or ({size} >= {_FIXED_MIN} and {size} < {_FIXED_MAX}) then {text}"
        f" when {size} < {_FIXED_MIN} and locate('e', {text}) > 0 then {text}"
        f" when {size} < {_FIXED_MIN}"
        f" then concat({sign}, {_scientific(small_digits, '-', small_exponent)})"
        f" when locate('e', {text}) > 0 then {written}"
        f" when {value} is not null"
        f" then concat({sign}, {_scientific(large_digits, '+', large_exponent)}) end"
    )


def _scientific(digits: str, sign: str, exponent: str) -> str:
    point = f"if(char_length({digits}) > 1, '.', '')"
    return (
        f"concat(left({digits}, 1), {point}, substr({digits}, 2), 'e{sign}',"
        f" {_two_digits(exponent)})"
    )


def _two_digits(exponent: str) -> str:
    return f"lpad({exponent}, greatest(char_length({exponent}), 2), '0')"


_TEXTS: dict[str, Callable[[Column], str]] = {
    "smallint": _integer_text,
    "integer": _integer_text,
    "bigint": _integer_text,
    "numeric": _numeric_text,
    "real": _float_text,
    "double precision": _float_text,
    "boolean": _boolean_text,
    "bit": _bits_text,
    "bytea": _bytes_text,
    "date": _date_text,
    "timestamp without time zone": _moment_text,
    "timestamp with time zone": _moment_with_zone_text,
    "time without time zone": _time_text,
}
