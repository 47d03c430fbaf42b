"""Makes and alters the reference ERP's schema, by Alembic, called from code with no ini file.

Enters: the owner's URL. Leaves: the schema at the wanted revision; Alembic's version table stands
inside that schema. Unreachable when there is no server.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from legacy_db.errors import Unreachable
from legacy_db.mariadb.connection import is_mariadb_url
from legacy_db.retail.tables import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOCK_SECONDS_MAX = 60
_LOCK_KEY = 0x6973_7468_6572_7000
"""Advisory lock that keeps two migrations of one database apart; any constant does."""


def migrate(owner_url: str, schema: str = SCHEMA, revision: str = "head") -> None:
    """Bring `schema` up to `revision`, making the schema when it is not there."""
    with _engine(owner_url).begin() as connection:
        _lock(connection)
        _create_schema(connection, schema)
        command.upgrade(_config(connection, schema), revision)


def migrate_down(owner_url: str, schema: str = SCHEMA, revision: str = "base") -> None:
    """Take `schema` back to `revision`; the empty schema and Alembic's version table stay."""
    with _engine(owner_url).begin() as connection:
        _lock(connection)
        command.downgrade(_config(connection, schema), revision)


def _engine(owner_url: str) -> Engine:
    url = make_url(owner_url)
    driver = "mysql+pymysql" if is_mariadb_url(owner_url) else "postgresql+psycopg"
    engine = create_engine(url.set(drivername=driver), poolclass=NullPool)
    try:
        engine.connect().close()
    except OperationalError as error:
        raise Unreachable(
            f"no legacy database at {url.host}:{url.port}/{url.database} for {url.username}: "
            f"start it with `isthmus up`, or correct the owner's URL ({error.orig})"
        ) from error
    return engine


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    else:  # it ends with the connection
        statement = text("select get_lock(:key, :seconds)")
        connection.execute(statement, {"key": str(_LOCK_KEY), "seconds": LOCK_SECONDS_MAX})


def _create_schema(connection: Connection, schema: str) -> None:
    """Ask first: CREATE SCHEMA IF NOT EXISTS needs a right that an owner of the schema may lack."""
    if schema in inspect(connection).get_schema_names():
        return
    quoted = connection.dialect.identifier_preparer.quote(schema)
    charset = "" if connection.dialect.name == "postgresql" else " character set utf8mb4"
    connection.execute(text(f"create schema {quoted}{charset}"))


def _config(connection: Connection, schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config
