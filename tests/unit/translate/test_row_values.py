"""Values without a type of Python's own come out as PostgreSQL prints them."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from pipeline.translate.row_values import (
    LegacyBits,
    LegacyDate,
    LegacyHstore,
    LegacyInterval,
    LegacyOpaque,
    LegacyShape,
    LegacyTime,
    LegacyZonedTime,
    OutlyingMoment,
    bits_type,
    decode_outlier,
    decode_special,
    interval_text,
)

YEAR_MONTHS, DAY, SECOND = 12, 1, 1_000_000
LINE = (1, 2, 3, 4)


def make_shape(name: str, kind: int, numbers: tuple[float, ...], **more: str) -> dict[str, object]:
    """Make a shape as Debezium writes it: a line string or a polygon in well-known binary."""
    rings = struct.pack("<I", 1) if kind == 3 else b""
    count = struct.pack("<I", len(numbers) // 2)
    points = struct.pack(f"<{len(numbers)}d", *numbers)
    wkb = b"\x01" + struct.pack("<I", kind) + rings + count + points
    extensions = {"type": name, **more}
    return {"wkb": base64.b64encode(wkb).decode(), "srid": None, "extensions": extensions}


@pytest.mark.parametrize(
    ("type_", "written", "text"),
    [
        (LegacyTime, "12:30:00.5Z", "12:30:00.5"),
        (LegacyTime, "12:30Z", "12:30:00"),
        (LegacyZonedTime, "10:00:00Z", "10:00:00+00"),
        (LegacyZonedTime, "24:00:00Z", "24:00:00+00"),
        (LegacyZonedTime, "10:00:00+00", "10:00:00+00"),
        (LegacyInterval, "P-1Y2M-3DT4H5M6.7S", "-10 mons -3 days +04:05:06.7"),
        (LegacyInterval, "P0Y0M0DT0H0M0S", "00:00:00"),
        (LegacyInterval, "P0Y0M0DT0H0M-0.000001S", "-00:00:00.000001"),
        (LegacyInterval, "-10 mons -3 days +04:05:06.7", "-10 mons -3 days +04:05:06.7"),
        (LegacyOpaque, base64.b64encode(b"{[1,2)}").decode(), "{[1,2)}"),
        (LegacyHstore, '{"bb":null,"a":"1"}', '{"a": "1", "bb": null}'),
        (LegacyShape, {"x": 1.5, "y": -2e300, "wkb": "AA==", "srid": None}, "(1.5,-2e+300)"),
        (LegacyShape, {"a": 1.0, "b": 2.0, "c": 3.0}, "{1,2,3}"),
        (LegacyShape, {"center": {"x": 1.0, "y": 2.0}, "radius": 3.0}, "<(1,2),3>"),
        (LegacyShape, make_shape("lseg", 2, LINE), "[(1,2),(3,4)]"),
        (LegacyShape, make_shape("path", 2, LINE, closed="true"), "((1,2),(3,4))"),
        (LegacyShape, make_shape("path", 2, LINE, closed="false"), "[(1,2),(3,4)]"),
        (LegacyShape, make_shape("box", 3, (3, 4, 3, 2, 1, 2, 1, 4, 3, 4)), "(3,4),(1,2)"),
        (LegacyShape, make_shape("polygon", 3, (0, 0, 1, 0, 1, 1, 0, 0)), "((0,0),(1,0),(1,1))"),
        (bits_type(1), True, "1"),
        (bits_type(8), base64.b64encode(b"\x0b").decode(), "00001011"),
        (bits_type(33), base64.b64encode(b"\x01").decode(), "0" * 32 + "1"),
        (bits_type(8), "", "00000000"),
        (bits_type(8), "00001011", "00001011"),
    ],
)
def test_what_debezium_writes_becomes_the_text_that_postgresql_prints(
    type_: type, written: object, text: str
) -> None:
    """Debezium's form of a value, or the text under which a key is kept, gives the same text."""
    assert decode_special(type_, written) == text


def test_bits_beyond_the_column_are_refused() -> None:
    """A value with more bits than its column has is no value of the column."""
    with pytest.raises(ValueError, match="more bits"):
        decode_special(bits_type(3), base64.b64encode(b"\x0f").decode())
    assert issubclass(bits_type(3), LegacyBits)


@pytest.mark.parametrize(
    ("type_", "written", "text"),
    [
        (LegacyDate, "+999999999-12-31Z", "infinity"),
        (LegacyDate, "-999999999-01-01Z", "-infinity"),
        (LegacyDate, "+292269055-12-02Z", "-infinity"),
        (LegacyDate, "+5874897-12-31Z", "5874897-12-31"),
        (LegacyDate, "+10000-01-01Z", "10000-01-01"),
        (LegacyDate, "-0043-03-15Z", "0044-03-15 BC"),
        (LegacyDate, "0000-02-29Z", "0001-02-29 BC"),
        (datetime, "infinity", "infinity"),
        (datetime, "+292278994-08-17T00:00:00Z", "infinity"),
        (datetime, "-292275055-05-16T16:47:04.192Z", "-infinity"),
        (datetime, "+12000-01-01T00:00:00.500Z", "12000-01-01 00:00:00.5+00"),
        (datetime, "-4712-01-01T00:00:01Z", "4713-01-01 00:00:01+00 BC"),
        (datetime, "+294276-12-31T23:59Z", "294276-12-31 23:59:00+00"),
        (datetime, "4713-01-01 00:00:01+00 BC", "4713-01-01 00:00:01+00 BC"),
    ],
)
def test_moments_that_python_cannot_hold_become_text(type_: type, written: str, text: str) -> None:
    """Infinities, years before Christ and from 10000 on come as PostgreSQL prints them."""
    assert decode_outlier(type_, written) == OutlyingMoment(text)


def test_numbers_that_are_not_finite_come_by_their_names() -> None:
    """Debezium names the infinite numerics in its own way, the floats as JSON readers do."""
    assert decode_outlier(Decimal, "NEGATIVE_INFINITY") == Decimal("-Infinity")
    assert decode_outlier(float, "-Infinity") == float("-inf")


def test_what_is_no_moment_is_refused() -> None:
    """A text that is neither a date nor an infinity is not taken for one."""
    for type_ in (datetime, LegacyDate, int):
        with pytest.raises(ValueError, match="not a"):
            decode_outlier(type_, "soon")


def test_outlying_moments_sort_with_those_of_python() -> None:
    """A key of dates sorts, whatever stands in it."""
    texts = ["-infinity", "4713-01-01 BC", "0044-03-15 BC", "10000-01-01", "infinity"]
    outlying = [OutlyingMoment(text) for text in texts]
    python = date(2026, 2, 2)
    assert sorted([*reversed(outlying), python]) == [*outlying[:3], python, *outlying[3:]]
    now = datetime(2026, 2, 2, tzinfo=UTC)
    assert sorted([now, *outlying])[3] == now
    assert OutlyingMoment("infinity") != python


@pytest.mark.parametrize(
    ("months", "days", "micros", "text"),
    [
        (14, 3, 14_706_700_000, "1 year 2 mons 3 days 04:05:06.7"),
        (-1, 0, 0, "-1 mons"),
        (1, -1, 1, "1 mon -1 days +00:00:00.000001"),
        (0, 0, -3_600 * 30 * SECOND, "-30:00:00"),
        (178_000_000 * YEAR_MONTHS, DAY, 0, "178000000 years 1 day"),
    ],
)
def test_intervals_are_written_as_postgresql_does(
    months: int, days: int, micros: int, text: str
) -> None:
    """The text is that of IntervalStyle postgres, with its signs."""
    assert interval_text(months, days, micros) == text
