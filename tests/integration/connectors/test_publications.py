"""What a real PostgreSQL's publications publish, however they name their tables."""

from __future__ import annotations

import psycopg
from connector_shop import Shop

from connectors.database import read_publications


def test_a_publication_of_a_schema_publishes_its_tables(shop: Shop) -> None:
    """FOR TABLES IN SCHEMA is no publication that lost its tables; filters are seen beside it."""
    # only a superuser may publish a whole schema
    with psycopg.connect(shop.admin_url(), autocommit=True) as connection:
        for statement in (
            "create table erp.part (id int primary key) partition by range (id)",
            "create table erp.part_1 partition of erp.part for values from (0) to (9)",
            """create publication whole for tables in schema erp
               with (publish_via_partition_root = true)""",
            "create publication named for table erp.account (id), erp.line, erp.part",
        ):
            connection.execute(statement)
        found = read_publications(connection, ["whole", "named", "none"])
    assert set(found) == {"whole", "named"}
    assert found["whole"].tables == ("erp.account", "erp.line", "erp.loose", "erp.part")
    assert found["whole"].filtered == ()
    assert found["named"].tables == ("erp.account", "erp.line", "erp.part")
    assert found["named"].filtered == ("erp.account",)
