"""Databases that others made go the whole way into a region by identity adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_site import LiveSite
from sample_site import (
    CHINOOK,
    NORTHWIND,
    SCHEMA,
    SampleDatabase,
    fill_database,
    write_declarations,
    write_package,
    write_site_file,
)

from pipeline.demo.landscape import migrate_targets, register_site_contracts
from pipeline.settings import load_settings

CHANGES = {
    "northwind": (
        "update products set unit_price = unit_price * 1.1, discontinued = 1 where product_id < 20",
        "insert into categories values (100, 'Tools', null, '\\x00ff')",
        "update categories set category_id = 101 where category_id = 100",
        "delete from order_details where order_id < 10260",
        "insert into customers (customer_id, company_name) values ('ZO:%', 'Zoë & Söhne')",
        "update orders set shipped_date = null, freight = 0.1 where order_id % 7 = 0",
    ),
    "chinook": (
        "update track set unit_price = 1.29, composer = null where genre_id = 2",
        "insert into playlist values (900, 'Morgen')",
        "insert into playlist_track select 900, track_id from track where album_id < 9",
        "delete from playlist_track where playlist_id = 1 and track_id % 3 = 0",
        "update invoice set invoice_date = invoice_date + interval '1.5 s' where invoice_id < 50",
        "update employee set birth_date = null where employee_id = 3",
    ),
}
"""Statements of one transaction each: all operations, a changed key, nulls, bytes, fractions."""
TABLES = {"northwind": 14, "chinook": 11}


@pytest.fixture(params=[NORTHWIND, CHINOOK], ids=lambda sample: sample.name)
def sample(request: pytest.FixtureRequest) -> SampleDatabase:
    """Give a sample database whose script is there."""
    chosen: SampleDatabase = request.param
    if not chosen.script.is_file():
        pytest.skip(f"{chosen.script} is not there: it is not ours to carry")
    return chosen


@pytest.fixture
def live(sample: SampleDatabase, site: Callable[[], Any]) -> Iterator[LiveSite]:
    """Give a site over the sample database: filled and declared, nothing applied yet."""
    folder = site().folder
    write_declarations(sample, folder / "connectors")
    write_site_file(sample, folder)
    fill_database(sample, load_settings(folder).legacy.owner_url)
    write_package(sample, folder)
    running = LiveSite(folder, modules=tuple(sample.tables))
    yield running
    running.end()


def test_the_whole_way_by_identity_adapters(sample: SampleDatabase, live: LiveSite) -> None:
    """Plan, apply, snapshot and changes: mirror and region MATCH, each table row by row."""
    code, plan = live.run_json("connectors", "plan")
    assert code == 1
    assert {one["action"] for one in plan["changes"]} == {"create"}
    captured = {
        name
        for one in plan["changes"]
        for field in one["fields"]
        if field["field"] == "table.include.list"
        for name in field["to"].split(",")
    }
    assert len(captured) == TABLES[sample.name]
    assert live.run("connectors", "apply").returncode == 0
    assert live.run("connectors", "plan").returncode == 0
    migrate_targets(live.settings, _ignore)
    register_site_contracts(live.settings, _ignore)
    live.start_all()
    complete = "select count(*) from hub.module where snapshot = 'complete'"
    live.wait(lambda: live.hub(complete)[0][0] == len(live.modules), "the snapshots")
    for statement in CHANGES[sample.name]:
        live.legacy(f"set search_path = {SCHEMA}", statement)
    live.wait_for_quiet()
    code, found = live.run_json("reconcile")
    states = {(one["table"], one["region"]): one["state"] for one in found["tables"]}
    assert (code, found["verdict"]) == (0, "match"), states
    assert len(states) == 2 * TABLES[sample.name]
    for name in captured:
        table = name.rpartition(".")[2]
        assert rows(live.query_legacy, f"{SCHEMA}.{table}") == rows(
            lambda statement: live.store("eu", statement), table
        )


def rows(query: Callable[[str], list[tuple[Any, ...]]], table: str) -> list[str]:
    """Read a table's rows as sorted text; whole numbers of any size look the same."""
    return sorted(map(str, query(f"select * from {table}")))


def _ignore(message: str) -> None:
    del message
