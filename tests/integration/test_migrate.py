"""Hub and stores are migrated when there is something to do, and cheaply seen when there is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipeline import upgrades
from pipeline.errors import Configuration
from pipeline.hub.migrate import migrate_hub
from pipeline.replicate.migrate import migrate_store

RETAIL = Path(__file__).resolve().parents[2] / "adapters" / "retail" / "store_migrations"
NEXT = """
from alembic import op

revision = "0002"
down_revision = "{before}"


def upgrade() -> None:
    op.execute("create table added (id integer primary key)")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the shop's own migrations."""
    return shutil.copytree(RETAIL, tmp_path / "migrations")


def refuse(*arguments: Any, **options: Any) -> None:
    """Stand where Alembic would be called."""
    raise AssertionError(f"called with {arguments} {options}")


def find_table(url: str, name: str) -> bool:
    """Say whether a table is there."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select to_regclass(%s) is not null", (name,)).fetchone()
    return row is not None and bool(row[0])


def test_what_is_up_to_date_is_left_alone(
    databases: Callable[[], dict[str, str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every start of a process after the first."""
    urls = databases()
    migrate_hub(urls["ISTHMUS_HUB_URL"])
    migrate_store(urls["ISTHMUS_STORE_EU_URL"], folder)
    assert find_table(urls["ISTHMUS_HUB_URL"], "hub.event")
    assert find_table(urls["ISTHMUS_STORE_EU_URL"], "replication.offset")
    monkeypatch.setattr(upgrades, "upgrade", refuse)
    migrate_hub(urls["ISTHMUS_HUB_URL"])
    migrate_store(urls["ISTHMUS_STORE_EU_URL"], folder)


def test_a_new_revision_is_brought_in(
    databases: Callable[[], dict[str, str]], folder: Path
) -> None:
    """A site adds a table to its projections: the next start makes it."""
    url = databases()["ISTHMUS_STORE_EU_URL"]
    migrate_store(url, folder)
    (folder / "versions" / "0002_next.py").write_text(NEXT.format(before="0001"))
    migrate_store(url, folder)
    assert find_table(url, "added")


def test_a_folder_that_is_not_in_order_is_said(
    databases: Callable[[], dict[str, str]], folder: Path
) -> None:
    """A revision that follows none there is names the folder, and the database stays as it was."""
    url = databases()["ISTHMUS_STORE_EU_URL"]
    (folder / "versions" / "0002_next.py").write_text(NEXT.format(before="0007"))
    with pytest.raises(Configuration, match=r"can't migrate by .*migrations: .*0007"):
        migrate_store(url, folder)
    assert not find_table(url, "replication.offset")
