"""Rows of MariaDB as Debezium 3.5 was seen to write them, type by type."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from legacy_db.definition import Column, Table
from legacy_db.mariadb.column_types import mirror_type
from pipeline.translate.rows import TableCodec


def decode(native: str, value: Any, *, nullable: bool = True) -> Any:
    """Decode a value of a column of MariaDB's type `native`."""
    columns = (
        Column("k", "integer", nullable=False, attnum=1, native="int(11)"),
        Column("v", mirror_type(native), nullable=nullable, attnum=2, native=native),
    )
    codec = TableCodec(Table("erp", "t", columns, ("k",), numbered=False))
    image = json.dumps({"k": 1, "v": value}).encode()
    row = codec.decode(image)
    assert codec.decode_partly(image, lenient=True)[0] == row
    return row.v


@pytest.mark.parametrize(
    ("native", "value", "expected"),
    [
        ("tinyint(3) unsigned", 255, 255),
        ("tinyint(1)", 5, 5),
        ("int(10) unsigned", 4294967295, 4294967295),
        ("int(8) unsigned zerofill", 42, 42),
        ("bigint(20) unsigned", 18446744073709551615, Decimal(18446744073709551615)),
        ("decimal(20,6)", "12345678901234.567890", Decimal("12345678901234.567890")),
        ("float", 1.1, 1.1),
        ("float(7,2)", 12345.669921875, 12345.669921875),
        ("double", 1e300, 1e300),
        ("bit(1)", True, True),
        ("bit(5)", "Fg==", "10110"),
        ("bit(64)", "AQAAAAAAAAA=", f"{1:064b}"),
        ("char(5)", "ab", "ab"),
        ("varchar(20)", "Жук", "Жук"),
        ("binary(4)", "Af8AAA==", b"\x01\xff\x00\x00"),
        ("varbinary(9)", "", b""),
        ("longblob", "3q2+7w==", b"\xde\xad\xbe\xef"),
        ("date", "2026-02-03Z", date(2026, 2, 3)),
        ("datetime(6)", "9999-12-31T23:59:59.999999Z",
         datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
        ("datetime(3)", "2026-02-03T04:05:06.1Z", datetime(2026, 2, 3, 4, 5, 6, 100000, UTC)),
        ("timestamp(6)", "2026-02-03T04:05:06.120000Z",
         datetime(2026, 2, 3, 4, 5, 6, 120000, UTC)),
        ("time(6)", "04:05:06.5Z", "04:05:06.5"),
        ("year(4)", 2026, 2026),
        ("enum('a','b''c')", "b'c", "b'c"),
        ("set('x','y','z')", "x,z", "x,z"),
        ("longtext", '{"a": 1.50, "b":[null]}', '{"a": 1.50, "b":[null]}'),
    ],
)  # fmt: skip
def test_values(native: str, value: Any, expected: Any) -> None:
    """What the log holds is the value that was written."""
    assert decode(native, value) == expected
    assert decode(native, None) is None


def test_zero_timestamps_are_null_where_they_may_be() -> None:
    """A change tells 1970 where a snapshot of the same row tells null; a date is null in both."""
    zero, epoch = "1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)
    assert decode("timestamp", zero) is None
    assert decode("timestamp(3)", zero) is None
    assert decode("timestamp", "1970-01-01T00:00:01Z") is not None
    assert decode("timestamp", zero, nullable=False) == epoch
    assert decode("datetime", zero) == epoch  # such a column can hold it
