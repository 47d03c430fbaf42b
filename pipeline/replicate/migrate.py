"""Brings a region's store to the newest revision: the replicator's tables, then the site's own.

Enters: the store's URL and the folder of the site's projections (Alembic, called from code).
"""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pipeline.errors import Configuration, Unreachable
from pipeline.revisions import Migrations, bring_up_to_date

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", "replication.alembic_version")
PROJECTIONS_VERSION = "alembic_version_projections"
"""The table of the revision of the site's own tables, as its env.py is told."""
_LOCK = 7_104_884


def migrate_store(url: str, projections_folder: Path | None) -> None:
    """Migrate the store at `url` (`postgresql://...`); None migrates our own tables only.

    Unreachable when the store does not answer; Configuration when the folder is no migrations.
    """
    wanted = [MIGRATIONS]
    if projections_folder is not None:
        wanted.append(Migrations(projections_folder, PROJECTIONS_VERSION))
    for one in wanted:
        if not (one.folder / "env.py").is_file():
            raise Configuration(f"no env.py in {one.folder}: correct [site] store_migrations")
    try:
        bring_up_to_date(url, wanted, lock=_LOCK, schema="replication")
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise Unreachable(
            f"can't reach the store {_name(url)} ({reason}): "
            "is it running, and is the region's url right?"
        ) from error


def _name(url: str) -> str:
    place = conninfo_to_dict(url)
    return f"{place.get('dbname')} at {place.get('host')}:{place.get('port')}"
