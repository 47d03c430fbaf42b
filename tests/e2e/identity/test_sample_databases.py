"""Databases that others made go the whole way into a region by identity adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_site import LiveSite
from sample_site import (
    CHINOOK,
    KEYLESS,
    NORTHWIND,
    SCHEMA,
    SampleDatabase,
    run_script,
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


@pytest.fixture
def make_site(site: Callable[[], Any]) -> Iterator[Callable[[SampleDatabase], LiveSite]]:
    """Give a factory of sites over a sample database, filled if there is to be a snapshot."""
    made: list[LiveSite] = []

    def make(sample: SampleDatabase) -> LiveSite:
        made.append(write_site(sample, site().folder))
        return made[-1]

    yield make
    for one in made:
        one.end()


def write_site(sample: SampleDatabase, folder: Path) -> LiveSite:
    """Make the sample database and its site in `folder`; skip where the script is not there."""
    if not sample.script.is_file():
        pytest.skip(f"{sample.script} is not there: it is not ours to carry")
    write_declarations(sample, folder / "connectors")
    write_site_file(sample, folder)
    for script in sample.read_script()[: 1 if sample.followed else 2]:
        run_script(script, load_settings(folder).legacy.owner_url)
    write_package(sample, folder)
    return LiveSite(folder, modules=tuple(sample.tables))


@pytest.mark.parametrize("sample", [NORTHWIND, CHINOOK], ids=lambda sample: sample.name)
def test_the_whole_way_by_identity_adapters(
    sample: SampleDatabase, make_site: Callable[[SampleDatabase], LiveSite]
) -> None:
    """Plan, apply, snapshot and changes: mirror and region MATCH, each table row by row."""
    live = make_site(sample)
    code, plan = live.run_json("connectors", "plan")
    assert code == 1
    assert {one["action"] for one in plan["changes"]} == {"create"}
    assert len(captured_tables(plan)) == TABLES[sample.name]
    begin(live)
    complete = "select count(*) from hub.module where snapshot = 'complete'"
    live.wait(lambda: live.hub(complete)[0][0] == len(live.modules), "the snapshots")
    change(live, sample)
    check_match(live, captured_tables(plan))


def test_followed_from_the_first_row_on(
    make_site: Callable[[SampleDatabase], LiveSite],
) -> None:
    """Without a snapshot, all that comes afterwards comes through; a declared key tells rows."""
    live = make_site(KEYLESS)
    _, plan = live.run_json("connectors", "plan")
    begin(live)
    run_script(KEYLESS.read_script()[1], live.settings.legacy.owner_url)
    change(live, KEYLESS)
    check_match(live, captured_tables(plan))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda text: f"{text}config: {{max.bacth.size: 10}}\n",
            "max.bacth.size: there is no such option: did you mean max.batch.size?",
        ),
        (lambda text: text.replace("playlist*", "play_*"), "'play_*' matches no table of erp"),
        (
            lambda text: text + "keys: {album: [album_id]}\n",
            "album has a primary key (album_id)",
        ),
    ],
    ids=["option", "pattern", "key"],
)
def test_mistakes_in_declarations_are_told_by_plan(
    planned: LiveSite, change: Callable[[str], str], words: str
) -> None:
    """What is wrong with a declaration is told by plan already, with exit code 2."""
    path = planned.folder / "connectors" / "music.yaml"
    right = path.read_text()
    path.write_text(change(right))
    try:
        done = planned.run("connectors", "plan")
    finally:
        path.write_text(right)
    assert done.returncode == 2, done.stdout
    assert words in " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def planned(module_site: Callable[[], Any]) -> LiveSite:
    """Give a site over Chinook that nothing was applied to."""
    return write_site(CHINOOK, module_site().folder)


def captured_tables(plan: dict[str, Any]) -> set[str]:
    """Give the names of all captured tables of a plan, without schema."""
    return {
        name.rpartition(".")[2]
        for one in plan["changes"]
        for field in one["fields"]
        if field["field"] == "table.include.list"
        for name in field["to"].split(",")
    }


def begin(live: LiveSite) -> None:
    """Apply what is declared, after which nothing is left to plan, and start all processes."""
    done = live.run("connectors", "apply")
    assert done.returncode == 0, done.stderr
    again = live.run("connectors", "plan")
    assert again.returncode == 0, again.stdout
    migrate_targets(live.settings, _ignore)
    register_site_contracts(live.settings, _ignore)
    live.start_all()


def change(live: LiveSite, sample: SampleDatabase) -> None:
    """Change the legacy database, a transaction at a time."""
    for statement in CHANGES[sample.name]:
        live.legacy(f"set search_path = {SCHEMA}", statement)


def check_match(live: LiveSite, tables: set[str]) -> None:
    """Assert that mirror and region match by their hashes, and the region row by row."""
    live.wait_for_quiet()
    code, found = live.run_json("reconcile")
    states = {(one["table"], one["region"]): one["state"] for one in found["tables"]}
    assert (code, found["verdict"]) == (0, "MATCH"), states
    assert len(states) == 2 * len(tables)
    assert live.hub("select * from hub.dead_letter") == []
    for table in tables:
        assert rows(live.query_legacy, f"{SCHEMA}.{table}") == rows(
            lambda statement: live.store("eu", statement), table
        )


def rows(query: Callable[[str], list[tuple[Any, ...]]], table: str) -> list[str]:
    """Read a table's rows as sorted text; whole numbers of any size look the same."""
    return sorted(map(str, query(f"select * from {table}")))


def _ignore(message: str) -> None:
    del message
