"""MariaDB's URLs and the SQL of its keys, without a server."""

from __future__ import annotations

import pytest

from legacy_db.definition import Column, Table
from legacy_db.errors import Configuration
from legacy_db.key_range import EVERYTHING, KeyRange
from legacy_db.mariadb.connection import is_mariadb_url, parse_url
from legacy_db.mariadb.key import MariaDBKey

TABLE = Table(
    "erp",
    "line",
    (
        Column("ord", "bigint", nullable=False, attnum=1, native="bigint(20)"),
        Column("code", "character varying(9)", nullable=False, attnum=2, native="char(9)"),
        Column("done", "boolean", nullable=True, attnum=3, native="bit(1)"),
    ),
    ("ord", "code"),
)


def test_a_url_has_parts() -> None:
    """Names and passwords are decoded; the port has a default."""
    assert parse_url("mysql://us%40er:p%2Fw@db.example/e%20rp?ssl_ca=/ca.pem") == {
        "host": "db.example", "port": 3306, "user": "us@er", "password": "p/w",
        "database": "e rp", "ssl_ca": "/ca.pem",
    }  # fmt: skip
    assert parse_url("mariadb://a:b@h:3307/d")["port"] == 3307


@pytest.mark.parametrize(
    "url", ["postgresql://a:b@h/d", "mysql://a:secret@h", "mysql:///d", "mysql://h/d"]
)
def test_another_url_is_refused_without_its_password(url: str) -> None:
    """What lacks a part, or is another engine's, is refused; the message holds no password."""
    with pytest.raises(Configuration, match="mysql://user:password@host") as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)
    assert is_mariadb_url(url) is url.startswith("mysql")


def test_an_unknown_option_is_named() -> None:
    """Only ssl_ca may stand behind the question mark."""
    with pytest.raises(Configuration, match="charset"):
        parse_url("mysql://a:b@h/d?charset=latin1")


def test_bounds_are_written_out_for_the_index() -> None:
    """The first column is bounded alone, then the whole key; texts compare by their bytes."""
    condition, parameters = MariaDBKey(TABLE).within(KeyRange((1, "a"), (5, "b")))
    code = "cast(convert(`code` using utf8mb4) as binary)"
    text = "cast(%s as binary)"
    assert condition == (
        f"`ord` >= %s and (`ord` > %s or (`ord` = %s and {code} > {text}))"
        f" and `ord` <= %s and (`ord` < %s or (`ord` = %s and {code} <= {text}))"
    )
    assert parameters == [1, 1, 1, "a", 5, 5, 5, "b"]
    assert MariaDBKey(TABLE).within(EVERYTHING) == ("true", [])


def test_keys_are_given_as_values_or_texts() -> None:
    """A key's texts, as a report names them, find what its values find."""
    key = MariaDBKey(TABLE)
    assert key.among([(7, "x"), ("8", "y")]) == (
        "(`ord`, `code`) in ((%s, %s), (%s, %s))", [7, "x", 8, "y"],
    )  # fmt: skip


def test_a_keyless_table_is_refused() -> None:
    """It can't be read by ranges."""
    with pytest.raises(Configuration, match="no primary key"):
        MariaDBKey(Table("erp", "log", TABLE.columns, ()))
