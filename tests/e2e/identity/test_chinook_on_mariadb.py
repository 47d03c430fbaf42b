"""Chinook's script for MySQL, on a real MariaDB: the whole way into both regions, and MATCH."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB, find_mariadb
from mariadb_server import MariaDBServer
from mariadb_site import PASSWORD, MariaDBSite
from sample_site import SCRIPTS

from pipeline.local_stack.stack import LocalStack

pytestmark = pytest.mark.long

SCRIPT = SCRIPTS / "chinook-mysql.sql"
TABLES = 11
CHANGES = (
    "update Track set UnitPrice = 1.29, Composer = null where GenreId = 2",
    "insert into Playlist values (900, 'Grüße')",
    "insert into PlaylistTrack select 900, TrackId from Track where AlbumId < 9",
    "delete from PlaylistTrack where PlaylistId = 1 and TrackId % 3 = 0",
    "insert into Genre values (90, 'Old')",
    "update Genre set GenreId = 91 where GenreId = 90",
    "update Invoice set InvoiceDate = InvoiceDate + interval 90 second where InvoiceId < 50",
    "update Employee set BirthDate = null where EmployeeId = 3",
)


@pytest.fixture
def chinook(
    stack: LocalStack,
    databases: Callable[[], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MariaDBSite]:
    """Give a site over a filled database; skip where script or MariaDB can't be had."""
    if not SCRIPT.is_file():
        pytest.skip(f"{SCRIPT} is not there: it is not ours to carry")
    try:
        programs = find_mariadb()
        server = MariaDBServer(programs, tmp_path_factory.mktemp("mariadb"))
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    try:
        folder = tmp_path_factory.mktemp("mariadb_connect")
        own = {PASSWORD: server.password}
        connect = MariaDBConnect(stack.variables(), folder, own_secrets=own)
        try:
            name = f"chinook_{secrets.token_hex(4)}"
            script = SCRIPT.read_text(encoding="utf-8").partition("USE `Chinook`;")[2]
            live = MariaDBSite(
                tmp_path_factory.mktemp("chinook"), databases(), server, connect,
                name=name, ddl=(script.strip().removesuffix(";"),),
            )  # fmt: skip
            try:
                yield live
            finally:
                live.close()
        finally:
            connect.close()
    finally:
        server.close()


def test_chinook_comes_from_mariadb(chinook: MariaDBSite) -> None:
    """After a snapshot and changes of every kind, mirror and both regions match."""
    code, plan = chinook.run_json("connectors", "plan")
    assert code == 1
    assert {one["action"] for one in plan["changes"]} == {"create"}
    chinook.set_up()
    assert chinook.run("connectors", "plan").returncode == 0
    chinook.start_all()
    complete = "select count(*) from hub.module where snapshot = 'complete'"
    chinook.wait(lambda: chinook.hub(complete)[0][0] == 1, "the snapshot")
    for statement in CHANGES:
        chinook.legacy(statement)
    chinook.wait_for_quiet()
    code, found = chinook.reconcile()
    states = {(one["table"], one["region"]): one["state"] for one in found["tables"]}
    assert (code, found["verdict"]) == (0, "MATCH"), states
    assert len(states) == 3 * TABLES
    assert chinook.hub("select reason from hub.dead_letter") == []
    assert chinook.store("eu", 'select "Name" from "Playlist" where "PlaylistId" = 900') == [
        ("Grüße",)
    ]
