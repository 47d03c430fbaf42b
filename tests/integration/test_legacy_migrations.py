"""The ERP's schema grows by migrations from nothing to the tables that the code knows."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from legacy_db.errors import Unreachable
from legacy_db.retail.migrations import migrate, migrate_down
from legacy_db.retail.tables import METADATA, MODULE_TABLES, SCHEMA, SYSTEM_TABLES

EVERY_TABLE = {name for names in MODULE_TABLES.values() for name in names} | set(SYSTEM_TABLES)
REVISIONS = [f"{number:04d}" for number in range(1, 8)]


@pytest.fixture
def owner_url(databases: Callable[[], dict[str, str]]) -> str:
    """Give an empty legacy database's owner."""
    return databases()["ISTHMUS_LEGACY_OWNER_URL"]


def _tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select tablename from pg_tables where schemaname = %s", (SCHEMA,)
        ).fetchall()
    return {name for (name,) in found} - {"alembic_version"}


def test_migrations_make_the_tables_that_the_code_knows(owner_url: str) -> None:
    """From empty to head nothing differs from the SQLAlchemy tables, and again changes nothing."""
    migrate(owner_url)
    migrate(owner_url)
    assert _tables(owner_url) == EVERY_TABLE
    engine = create_engine(
        make_url(owner_url).set(drivername="postgresql+psycopg"), poolclass=NullPool
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: (
                    name == SCHEMA if kind == "schema" else name != "alembic_version"
                ),
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_every_revision_goes_up_and_down(owner_url: str) -> None:
    """Each year's revision can be reached and left, down to nothing and up again."""
    for revision in REVISIONS:
        migrate(owner_url, revision=revision)
    for revision in [*reversed(REVISIONS[:-1]), "base"]:
        migrate_down(owner_url, revision=revision)
    assert _tables(owner_url) == set()
    migrate(owner_url)
    assert _tables(owner_url) == EVERY_TABLE


def test_a_row_of_2005_lives_through_all_revisions(owner_url: str) -> None:
    """Old rows get the defaults of the columns that came later."""
    migrate(owner_url, revision="0001")
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "insert into erp.cust_mstr values (1, 'Müller', 'P', 'A', null, 5000, '555-1')"
        )
    migrate(owner_url)
    with psycopg.connect(owner_url) as connection:
        row = connection.execute(
            "select rtrim(cust_nm), crd_lim, cre_dt, del_flg, notes from erp.cust_mstr"
        ).fetchone()
    assert row == ("Müller", 5000, 20050101, "N", None)


def test_codes_are_explained_nowhere_but_in_cod_tab(owner_url: str) -> None:
    """The table of codes says what the letters of a status mean."""
    migrate(owner_url)
    with psycopg.connect(owner_url) as connection:
        meanings = connection.execute(
            "select rtrim(cod), descr from erp.cod_tab where dom_cd = 'ORDSTAT' order by cod"
        ).fetchall()
    assert meanings == [("N", "new"), ("S", "shipped"), ("X", "cancelled")]


def test_no_server_is_told_without_a_password() -> None:
    """An unreachable database is Unreachable; the message names the place, not the password."""
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1/legacy") as raised:
        migrate("postgresql://erp_owner:secret-word@127.0.0.1:1/legacy")
    assert "secret-word" not in str(raised.value)
