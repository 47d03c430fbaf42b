"""Chinook's script for MySQL on MariaDB: what others made is read, hashed and copied as it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from mariadb_server import MariaDBServer
from psycopg import sql
from sample_site import SCRIPTS

from legacy_db.database import open_legacy_database
from legacy_db.key_range import EVERYTHING
from legacy_db.postgresql_database import PostgreSQLDatabase

SCRIPT = SCRIPTS / "chinook-mysql.sql"
ROWS = {
    "Album": 347, "Artist": 275, "Customer": 59, "Employee": 8, "Genre": 25, "Invoice": 412,
    "InvoiceLine": 2240, "MediaType": 5, "Playlist": 18, "PlaylistTrack": 8715, "Track": 3503,
}  # fmt: skip


@pytest.mark.skipif(not SCRIPT.exists(), reason=f"no {SCRIPT.name} beside the project")
def test_chinook_is_read_and_equals_its_copy(
    mariadb_server: MariaDBServer, mariadb_url: str, databases: Callable[[], dict[str, str]]
) -> None:
    """Definitions, chunks and hashes agree with each other, and with a copy in PostgreSQL."""
    schema = mariadb_url.rpartition("/")[2]
    hub_url = databases()["ISTHMUS_HUB_URL"]
    text = SCRIPT.read_text()
    _, _, script = text.replace("`Chinook`", f"`{schema}`").partition(f"USE `{schema}`;")
    with closing(mariadb_server.open_session(schema)) as session:
        session.execute(script.strip().removesuffix(";"))
    with (
        closing(open_legacy_database("mariadb", mariadb_url)) as legacy,
        psycopg.connect(hub_url, autocommit=True) as hub,
        closing(PostgreSQLDatabase.open(hub_url)) as mirror,
    ):
        hub.execute("create schema mirror")
        tables = legacy.read_tables(schema, legacy.list_tables(schema))
        assert tables["PlaylistTrack"].key == ("PlaylistId", "TrackId")
        assert tables["Track"].column("UnitPrice").type == "numeric(10,2)"
        found = {}
        for name, table in tables.items():
            ranges = legacy.split_key_ranges(table, 100)
            (whole,) = legacy.chunk_hashes(table, [EVERYTHING])
            hashes = list(legacy.chunk_hashes(table, ranges))
            assert sum(one.hash for one in hashes) == whole.hash
            columns = tuple(replace(column, native=None) for column in table.columns)
            copy = replace(table, schema="mirror", columns=columns)
            made = ", ".join(f'"{one.name}" {one.type}' for one in columns)
            hub.execute(sql.SQL(f'create table mirror."{name}" ({made})'))  # type: ignore[arg-type]
            places = ", ".join(["%s"] * len(columns))
            for rows in legacy.read_chunks(table, rows_max=300):
                with hub.cursor() as cursor:
                    cursor.executemany(f'insert into mirror."{name}" values ({places})', rows)  # type: ignore[arg-type]
            assert list(mirror.chunk_hashes(copy, ranges)) == hashes
            found[name] = whole.rows
        assert found == ROWS
