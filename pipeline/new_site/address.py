"""How Debezium reaches a legacy database whose URL is given.

Enters: the URL by which our own programs reach it. Leaves: engine, host, port, database and role,
and the connector's properties for an encrypted connection; Configuration for any other URL.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from legacy_db.mariadb.connection import is_mariadb_url, parse_url
from pipeline.errors import Configuration

PORT = 5432


@dataclass(frozen=True, slots=True)
class Address:
    """A legacy database as a connector sees it.

    `config` are the connector's properties of an encrypted connection; `left_out` names what the
    URL says beyond that, and only our own programs follow.
    """

    engine: str
    host: str
    port: int
    database: str
    user: str
    password: str
    config: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()


def parse_address(url: str) -> Address:
    """Take a URL apart: postgresql://user:password@host:port/database, or mysql:// for MariaDB."""
    address = _take_apart(url)
    if {",", ":"} & set(address.host):
        raise Configuration(
            f"--legacy-url: the host {address.host} must be one name, or an IPv4 address: Debezium "
            "puts it before the port"
        )
    texts = (url, address.host, address.database, address.user, address.password)
    if any(ord(character) < ord(" ") for text in texts for character in text):
        raise Configuration("--legacy-url: holds a control character, which site.env can't")
    return address


def _take_apart(url: str) -> Address:
    if is_mariadb_url(url):
        parts = parse_url(url)
        encrypted = "ssl_ca" in parts
        return Address(
            "mariadb",
            parts["host"],
            parts["port"],
            parts["database"],
            parts["user"],
            parts["password"],
            # to verify, Debezium wants a store of Java's
            (("database.ssl.mode", "trust"),) if encrypted else (),
            ("ssl_ca",) if encrypted else (),
        )
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        port = int(given.get("port", PORT))
    except (psycopg.Error, ValueError) as error:
        raise Configuration(f"--legacy-url: {_EXPECTED}") from error
    if not url.startswith(("postgresql://", "postgres://")) or given.get("host", "").startswith(
        "/"
    ):
        raise Configuration(f"--legacy-url: {_EXPECTED}; Debezium reaches it by TCP alone")
    if missing := [name for name in ("user", "host", "dbname") if not given.get(name)]:
        raise Configuration(f"--legacy-url: {_EXPECTED}; {', '.join(missing)} is missing")
    return Address(
        "postgresql",
        given["host"],
        port,
        given["dbname"],
        given["user"],
        given.get("password", ""),
        tuple((f"database.{name}", given[name]) for name in _ENCRYPTION if name in given),
        tuple(sorted(given.keys() - {*_ENCRYPTION, *_PLACE})),
    )


_PLACE = ("host", "port", "dbname", "user", "password")
_ENCRYPTION = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_EXPECTED = "must be postgresql://user:password@host:port/database, or mysql:// for MariaDB"
