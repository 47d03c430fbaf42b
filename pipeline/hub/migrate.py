"""Brings a hub's schema to the newest revision."""

from __future__ import annotations

from pathlib import Path

import psycopg

from pipeline.errors import Unreachable
from pipeline.revisions import Migrations, bring_up_to_date

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", "alembic_version_hub")
_LOCK = 7_104_883


def migrate_hub(url: str) -> None:
    """Migrate the hub at `url` (`postgresql://...`); Unreachable when it can't be reached."""
    try:
        bring_up_to_date(url, [MIGRATIONS], lock=_LOCK)
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise Unreachable(
            f"can't reach the hub's database ({reason}): is it running, and is [hub] url right?"
        ) from error
