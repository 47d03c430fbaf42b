"""From MariaDB's column types to the mirror's."""

from __future__ import annotations

import pytest

from legacy_db.mariadb.column_types import is_supported, mirror_type


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        ("tinyint(1)", "smallint"),
        ("tinyint(3) unsigned", "smallint"),
        ("smallint(6)", "smallint"),
        ("smallint(5) unsigned", "integer"),
        ("mediumint(8) unsigned", "integer"),
        ("int(11)", "integer"),
        ("int(10) unsigned", "bigint"),
        ("int(10) unsigned zerofill", "bigint"),
        ("bigint(20)", "bigint"),
        ("bigint(20) unsigned", "numeric(20,0)"),
        ("decimal(65,30)", "numeric(65,30)"),
        ("decimal(12,2) unsigned", "numeric(12,2)"),
        ("float", "real"),
        ("float unsigned", "real"),
        ("float(7,4)", "double precision"),
        ("double", "double precision"),
        ("double(16,2)", "double precision"),
        ("bit(1)", "boolean"),
        ("bit(12)", "bit(12)"),
        ("char(15)", "character varying(15)"),
        ("varchar(191)", "character varying(191)"),
        ("longtext", "text"),
        ("json", "json"),
        ("enum('a','it''s (b)')", "text"),
        ("set('x','y, z')", "text"),
        ("binary(16)", "bytea"),
        ("varbinary(255)", "bytea"),
        ("longblob", "bytea"),
        ("date", "date"),
        ("datetime", "timestamp(0) without time zone"),
        ("datetime(6)", "timestamp(6) without time zone"),
        ("timestamp(3)", "timestamp(3) with time zone"),
        ("time(2)", "time(2) without time zone"),
        ("year(4)", "integer"),
    ],
)
def test_each_type_has_one_in_the_mirror(native: str, expected: str) -> None:
    """Each of MariaDB's types is mirrored in one that holds all its values."""
    assert mirror_type(native) == expected
    assert is_supported(mirror_type(native))


@pytest.mark.parametrize(
    "native", ["geometry", "point", "multipolygon", "inet6", "uuid", "vector(3)"]
)
def test_a_type_without_one_names_itself(native: str) -> None:
    """A type that can't be mirrored says so and keeps MariaDB's own name."""
    assert mirror_type(native) == f"unsupported {native}"
    assert not is_supported(mirror_type(native))
