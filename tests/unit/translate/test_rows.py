"""A table's codec: rows of every type, odd names, unchanged values, columns that came and went."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest

from adapters.envelope import UNAVAILABLE
from legacy_db.definition import Column, Table
from pipeline.errors import Configuration, Poison
from pipeline.translate.row_values import OutlyingMoment
from pipeline.translate.rows import COLUMNS_MAX, TableCodec, encode_json_key


def make_codec(
    types: dict[str, str], *, generated: tuple[str, ...] = (), missing: dict[str, Any] | None = None
) -> TableCodec:
    """Make the codec of a table whose first column is the key."""
    columns = tuple(
        Column(name, type_, nullable=True, attnum=number)
        for number, (name, type_) in enumerate(types.items(), 1)
    )
    return TableCodec(Table("erp", "thing", columns, (columns[0].name,), generated), missing)


def encode(**values: Any) -> bytes:
    """Encode an image."""
    return json.dumps(values).encode()


def test_arrays_have_elements_of_their_type() -> None:
    """An array is a list; NULL elements, NaN and infinite dates stand in it as in a column."""
    codec = make_codec({"k": "integer", "n": "numeric(8,2)[]", "t": "text[]", "d": "date[]"})
    row = codec.decode(
        encode(k=1, n=["1.50", None], t=["a", None, 'q"'], d=["2026-02-02Z", "+999999999-12-31Z"])
    )
    assert row.n == [Decimal("1.50"), None]
    assert row.t == ["a", None, 'q"']
    assert row.d == [date(2026, 2, 2), OutlyingMoment("infinity")]
    assert codec.has_moment_arrays


def test_a_moment_that_python_cannot_hold_does_not_hide_the_others() -> None:
    """The other columns of a row with an infinite date have their own types."""
    codec = make_codec({"k": "date", "at": "timestamp without time zone", "x": "real"})
    row = codec.decode(encode(k="+999999999-12-31Z", at="2026-02-02T00:00:00Z", x="NaN"))
    assert row.k == "infinity"
    assert row.at == datetime(2026, 2, 2, tzinfo=UTC)
    assert row.x != row.x
    assert codec.decode_key(encode(k="+999999999-12-31Z")) == ("infinity",)
    assert codec.decode_json_key(b'["infinity"]') == ("infinity",)


def test_keys_of_every_type_are_kept_as_json() -> None:
    """Requests and letters keep keys as JSON: the codec reads back what it decoded."""
    written = {
        "d": ("date", "2026-02-02Z"),
        "o": ("date", "+999999999-12-31Z"),
        "t": ("time without time zone", "12:00:00Z"),
        "z": ("timestamp with time zone", "2026-02-02T00:00:00.5Z"),
        "n": ("numeric(5,2)", "1.50"),
        "b": ("bytea", "AP8="),
        "i": ("interval", "P0Y0M1DT0H0M0S"),
        "f": ("bit(4)", "BQ=="),
        "u": ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    }
    columns = tuple(
        Column(name, type_, nullable=False, attnum=number)
        for number, (name, (type_, _)) in enumerate(written.items(), 1)
    )
    codec = TableCodec(Table("erp", "thing", columns, tuple(written)))
    key = codec.decode_key(encode(**{name: value for name, (_, value) in written.items()}))
    assert codec.decode_json_key(encode_json_key(key)) == key


def test_a_value_that_does_not_fit_names_its_column_and_nothing_of_it() -> None:
    """What is in no way a value of the type is Poison, without the value."""
    codec = make_codec({"k": "integer", "d": "date"})
    with pytest.raises(Poison, match="column d: not a value of type date") as caught:
        codec.decode(encode(k=1, d="secret"))
    assert "secret" not in str(caught.value)


def test_every_column_has_an_attribute_of_its_own() -> None:
    """Keywords, blanks, dots and digits give names of Python, and no two the same."""
    names = ["id", "class", "Up Case.dot", "Up_Case_dot", "1st", "naïve"]
    codec = make_codec(dict.fromkeys(names, "integer"))
    assert list(codec.attributes.values()) == [
        "id",
        "class_",
        "Up_Case_dot_",
        "Up_Case_dot",
        "c_1st",
        "naïve",
    ]
    row = codec.decode(encode(**dict(zip(names, range(6), strict=True))))
    assert (row.class_, row.Up_Case_dot_, row.Up_Case_dot, row.c_1st) == (1, 2, 3, 4)


@pytest.mark.parametrize("name", ["_lsn", "50%", 'quo"te', "back\\slash"])
def test_names_that_cannot_be_mirrored_are_refused_by_name(name: str) -> None:
    """A column that would clash with the mirror's own, or break a statement, is named."""
    with pytest.raises(Configuration, match=r"column\.exclude\.list"):
        make_codec({"id": "integer", name: "integer"})


def test_a_table_may_have_as_many_columns_as_the_mirror_can() -> None:
    """The limit is PostgreSQL's, less the mirror's own columns."""
    widest = {f"c{number}": "integer" for number in range(COLUMNS_MAX)}
    assert make_codec(widest).decode(encode(**dict.fromkeys(widest, 7))).c1500 == 7
    with pytest.raises(Configuration, match="1596 at most"):
        make_codec({**widest, "more": "integer"})


def test_a_type_that_cannot_be_mirrored_is_named_with_its_column() -> None:
    """The message says which column, which type and what to do."""
    with pytest.raises(
        Configuration, match=r"erp.thing.x is of type bit varying.* leave the column"
    ):
        make_codec({"id": "integer", "x": "bit varying(3)"})


def test_generated_columns_may_stand_in_an_image() -> None:
    """A snapshot has them, a change has not: both give the same row."""
    codec = make_codec({"k": "integer", "t": "text"}, generated=("g",))
    assert codec.decode(encode(k=1, t="x", g=5)) == codec.decode(encode(k=1, t="x"))
    with pytest.raises(Poison):
        codec.decode(encode(k=1, t="x", other=5))


def test_unchanged_values_are_known_in_every_form() -> None:
    """Debezium marks an unchanged text, bytea, hstore and array of each kind in its own way."""
    mark = UNAVAILABLE.encode()
    uuid = str(UUID(bytes=md5(mark, usedforsecurity=False).digest(), version=3))
    unchanged = {
        "t": UNAVAILABLE,
        "b": base64.b64encode(mark).decode(),
        "ta": [UNAVAILABLE],
        "ia": list(mark),
        "ua": [uuid],
        "q": base64.b64encode(mark).decode(),
    }
    types = ("integer", "text", "bytea", "text[]", "integer[]", "uuid[]", "tsquery")
    codec = make_codec(dict(zip(("k", *unchanged), types, strict=True)))
    row, gaps = codec.decode_partly(encode(k=1, **unchanged), lenient=False)
    assert gaps.unavailable == set(unchanged)
    assert (row.k, row.t, row.ia) == (1, None, None)


def test_a_row_older_than_a_column_has_what_the_legacy_database_gives_it() -> None:
    """A constant default fills older rows without a change that tells it."""
    codec = make_codec({"k": "integer", "t": "text", "n": "integer"}, missing={"n": 7})
    row, gaps = codec.decode_partly(encode(k=1, t="x"), lenient=True)
    assert codec.complete(row, gaps, None).n == 7
    newer = codec.decode(encode(k=1, t="x", n=8))
    assert codec.complete(row, gaps, newer).n == 8


def test_an_image_of_an_earlier_definition_gives_the_renamed_column_its_value() -> None:
    """A change from before the renaming is not lost for the column's new name."""
    table = make_codec({"k": "integer", "amount": "numeric"}).table
    codec = TableCodec(table, None, {"amount": ("sum", "total")})
    row, gaps = codec.decode_partly(encode(k=1, total="2.50"), lenient=True)
    assert (row.amount, gaps.absent) == (Decimal("2.50"), frozenset())
    with pytest.raises(Poison, match="other columns"):
        codec.decode_partly(encode(k=1, total="2.50"), lenient=False)


@pytest.mark.parametrize(
    ("type_", "before", "value"),
    [
        ("text", 12, "12"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("integer", "12", 12),
        ("numeric", 12, Decimal(12)),
    ],
)
def test_an_image_of_an_earlier_type_is_cast_as_the_database_casts(
    type_: str, before: Any, value: Any
) -> None:
    """A change from before the ALTER arrives when the column has its new type already."""
    codec = make_codec({"k": "integer", "x": type_})
    row, _ = codec.decode_partly(encode(k=1, x=before), lenient=True)
    assert row.x == value
