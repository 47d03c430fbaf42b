"""Values that no change tells after an ALTER are a doubt of the hub until tables were equal."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from legacy_db.postgresql_database import PostgreSQLDatabase
from pipeline.connection import open_connection
from pipeline.hub.doubts import list_open_doubts, refute_doubts
from pipeline.hub.migrate import migrate_hub
from pipeline.hub.module_hub import PostgresModuleHub
from pipeline.simulate.site import SALES
from pipeline.translate.mirror_tables import MirrorTables

OWNER = "ISTHMUS_LEGACY_OWNER_URL"


@pytest.fixture
def variables(databases: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Give a legacy table and an empty hub."""
    urls = databases()
    with psycopg.connect(urls[OWNER]) as legacy:
        legacy.execute("create table erp.thing (id integer primary key, name text)")
    migrate_hub(urls["ISTHMUS_HUB_URL"])
    return urls


def test_values_that_no_change_tells_are_doubted_until_a_later_barrier(
    variables: dict[str, str],
) -> None:
    """Two columns are one doubt behind what was translated; a barrier before refutes nothing."""
    tables = MirrorTables(
        open_legacy=lambda: PostgreSQLDatabase.open(variables[OWNER]),
        schema="erp",
        module=SALES,
        tables=["thing"],
        adapters=[],
    )
    with open_connection(variables["ISTHMUS_HUB_URL"], "test") as connection:
        hub = PostgresModuleHub(connection, SALES, tables)
        hub.take()
        hub.open_mirror()
        connection.execute("insert into mirror.thing values (1, 'x')")
        connection.execute("update hub.module set epoch = 1, lsn = 100, source_offset = 7")
        assert list_open_doubts(connection, [SALES]) == []
        with psycopg.connect(variables[OWNER]) as legacy:
            legacy.execute(
                "alter table erp.thing add a double precision default random(),"
                " add b double precision default random()"
            )
        hub.open_mirror()
        hub.open_mirror()
        (doubt,) = list_open_doubts(connection, [SALES])
        assert (doubt.module, doubt.epoch, doubt.offset) == (SALES, 1, 7)
        assert all(f"mirror.thing.{name} was added" in doubt.text for name in "ab")
        for barrier, lsn, left in (("before", 100, 1), ("after", 101, 0)):
            with hub.transaction():
                hub.add_barrier(barrier, (1, lsn), 1)
            refute_doubts(connection, barrier, [SALES])
            assert len(list_open_doubts(connection, [SALES])) == left
