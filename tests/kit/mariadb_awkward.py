"""Awkward values of every MariaDB type that has one in the mirror, and how both servers take them.

Enters: nothing. Leaves: a table's columns with a strategy for the values of each, as PyMySQL and
psycopg both write them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001
_STAMPS = st.datetimes(datetime(1971, 1, 1), datetime(2037, 12, 31))  # noqa: DTZ001 - UTC below
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True, slots=True)
class AwkwardColumn:
    """A column of MariaDB, and the values to try."""

    name: str
    native: str
    values: st.SearchStrategy[Any]


def _whole(low: int, high: int) -> st.SearchStrategy[int]:
    return st.sampled_from([low, high, 0]) | st.integers(low, high)


def _decimals(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(low, high, places=places).map(lambda value: value + 0)  # no minus zero


def _without_minus_zero(value: float) -> float:
    return value + 0.0


AWKWARD = (
    AwkwardColumn("tiny", "tinyint(1)", _whole(-128, 127)),
    AwkwardColumn("tiny_u", "tinyint unsigned", _whole(0, 255)),
    AwkwardColumn("small_u", "smallint unsigned", _whole(0, 2**16 - 1)),
    AwkwardColumn("medium", "mediumint", _whole(-(2**23), 2**23 - 1)),
    AwkwardColumn("int_z", "int(10) unsigned zerofill", _whole(0, 2**32 - 1)),
    AwkwardColumn("big", "bigint", _whole(-(2**63), 2**63 - 1)),
    AwkwardColumn("big_u", "bigint unsigned", _whole(0, 2**64 - 1)),
    AwkwardColumn("dec_0", "decimal(12,0)", _whole(-(10**11), 10**11)),
    AwkwardColumn("dec_4", "decimal(18,4)", _decimals(-(10**12), 10**12, 4)),
    AwkwardColumn("dec_z", "decimal(12,3) unsigned zerofill", _decimals(0, 10**8, 3)),
    AwkwardColumn("dec_long", "decimal(65,30)", _decimals(-(10**30), 10**30, 30)),
    AwkwardColumn("dbl", "double", _FLOATS.map(_without_minus_zero)),
    AwkwardColumn("flag", "bit(1)", st.booleans()),
    AwkwardColumn("bits", "bit(11)", _whole(0, 2**11 - 1)),
    AwkwardColumn("chr", "char(12)", _TEXTS.map(lambda value: value.rstrip(" "))),
    AwkwardColumn("vchr", "varchar(20)", _TEXTS),
    AwkwardColumn(
        "latin", "varchar(20) character set latin1",
        st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20),
    ),
    AwkwardColumn("ltext", "longtext", _TEXTS),
    AwkwardColumn("doc", "json", st.dictionaries(_TEXTS, st.integers()).map(json.dumps)),
    AwkwardColumn("kind", "enum('b','A','it''s, \\\\ 100%%','')", st.sampled_from(["b", "A", ""])),
    AwkwardColumn("many", "set('x','y','z z')", st.sampled_from(["", "x", "x,z z", "x,y,z z"])),
    AwkwardColumn("bin", "binary(8)", st.binary(min_size=8, max_size=8)),
    AwkwardColumn("vbin", "varbinary(20)", st.binary(max_size=20)),
    AwkwardColumn("lob", "longblob", st.binary(max_size=40)),
    AwkwardColumn("day", "date", st.dates(date(1000, 1, 1), date(9999, 12, 31))),
    AwkwardColumn("at_0", "datetime", _MOMENTS.map(lambda value: value.replace(microsecond=0))),
    AwkwardColumn("at_6", "datetime(6)", _MOMENTS),
    AwkwardColumn("stamp", "timestamp(6)", _STAMPS.map(lambda value: value.replace(tzinfo=UTC))),
    AwkwardColumn("clock", "time(6)", st.times() | st.just(time(23, 59, 59, 999_999))),
    AwkwardColumn("yr", "year", st.integers(1901, 2155)),
)  # fmt: skip


def single_floats() -> st.SearchStrategy[float]:
    """Draw what a `float` holds; written as a double, or the driver would print too few digits."""
    return st.floats(allow_nan=False, allow_infinity=False, width=32).map(_without_minus_zero)
