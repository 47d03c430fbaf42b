"""Runs Alembic's upgrade from code, without an ini file, in one transaction under a lock.

Enters: a URL and folders of migrations, whose `env.py` runs on the connection that it is given.
Leaves: all of them at their newest revision, or the database as it was.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from pipeline.connection import CONNECT_SECONDS_MAX
from pipeline.errors import Configuration
from pipeline.revisions import NEWEST, Migrations


def upgrade(url: str, wanted: Sequence[Migrations], *, lock: int, schema: str | None) -> None:
    """Upgrade in order; Configuration for a folder that is not in order.

    Raises psycopg.OperationalError when the server goes away meanwhile.
    """
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=sqlalchemy.pool.NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS_MAX},
    )
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"select pg_advisory_xact_lock({lock:d})"))
            if schema is not None:
                connection.execute(sqlalchemy.schema.CreateSchema(schema, if_not_exists=True))
            for one in wanted:
                config = Config()
                config.set_main_option("script_location", str(one.folder).replace("%", "%%"))
                config.attributes["connection"] = connection
                config.attributes["version_table"] = one.version_table
                _upgrade_one(config, one)
    except sqlalchemy.exc.OperationalError as error:
        raise psycopg.OperationalError(str(error.orig)) from error


def _upgrade_one(config: Config, migrations: Migrations) -> None:
    try:
        with warnings.catch_warnings():
            # a revision that follows one that is not there is a mere warning to Alembic
            warnings.filterwarnings("error", category=UserWarning, module=r"alembic\.script")
            command.upgrade(config, NEWEST)
    except (CommandError, UserWarning) as error:
        raise Configuration(f"can't migrate by {migrations.folder}: {error}") from error
