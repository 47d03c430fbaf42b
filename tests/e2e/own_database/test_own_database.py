"""A database of one's own: `isthmus init`, a local stack beside it, and the whole way."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from live_site import LiveSite

from legacy_db.mariadb.connection import is_mariadb_url, parse_url
from pipeline.cli.app import run
from pipeline.local_stack.databases import drop_databases
from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.stack import LocalStack
from pipeline.settings import load_settings

MODULES = ("sales", "customers")
NUMBERS = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)"
STATEMENTS = (
    "create table customer (id bigint primary key, name varchar(40))",
    (
        "create table orders (no integer primary key, customer bigint references customer (id),"
        " total numeric(12,2), placed date)"
    ),
    "create table order_line (no integer, line smallint, sku varchar(20), primary key (no, line))",
    "create table audit (what varchar(40))",
    f"insert into customer {NUMBERS} select i, concat('n', i) from n",
    f"insert into orders {NUMBERS} select i, i, i * 1.25, '2026-02-28' from n",
    f"insert into order_line {NUMBERS} select i, 1, concat('s', i) from n",
)
CHANGES = (
    "update orders set total = total + 1 where no % 3 = 0",
    "delete from order_line where no < 50",
    "insert into customer values (1000, 'Zoë')",
)


@dataclass(frozen=True, slots=True)
class OwnDatabase:
    """A database on a server that the new site knows nothing of."""

    url: str

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in one transaction and give the last one's rows."""
        connection: Any = (
            pymysql.connect(**parse_url(self.url), charset="utf8mb4")
            if is_mariadb_url(self.url)
            else psycopg.connect(self.url)
        )
        with closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
            return rows


@pytest.fixture
def postgresql(stack: LocalStack) -> Iterator[OwnDatabase]:
    """Give a database of PostgreSQL whose owner may replicate, as a small shop has it."""
    admin_url = stack.variables()["ISTHMUS_POSTGRES_ADMIN_URL"]
    name, password = f"shop_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"create role {name} login replication password '{password}'".encode())
        admin.execute(f"create database {name} owner {name}".encode())
        place = admin_url.rpartition("@")[2].rpartition("/")[0]
        database = OwnDatabase(f"postgresql://{name}:{password}@{place}/{name}")
        try:
            database.execute(*STATEMENTS)
            yield database
        finally:
            drop_databases(admin_url, [name])
            admin.execute(f"drop role {name}".encode())


@pytest.fixture
def mariadb(mariadb_url: str) -> OwnDatabase:
    """Give a database of MariaDB."""
    database = OwnDatabase(mariadb_url)
    database.execute(*STATEMENTS)
    return database


@contextmanager
def running(folder: Path) -> Iterator[LiveSite]:
    """Give the site with a stack of its own, and end all that was started of it."""
    try:
        assert run(["up", "--site", str(folder)]) == 0
        live = LiveSite(folder, modules=MODULES)
        live.arguments = {"run": ("run",)}
        try:
            yield live
        finally:
            live.end()
    finally:
        LocalStack(folder).wipe()


def has_snapshots(live: LiveSite) -> bool:
    """Tell whether both modules' snapshots are complete; the hub's tables come with `run`."""
    try:
        return live.hub("select count(*) from hub.module where snapshot = 'complete'") == [(2,)]
    except psycopg.errors.UndefinedTable:
        return False


@pytest.mark.parametrize("engine", ["postgresql", pytest.param("mariadb", marks=pytest.mark.long)])
def test_the_whole_way_from_a_database_of_ones_own(
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The commands that `init` prints lead to a MATCH; changes come through."""
    database: OwnDatabase = request.getfixturevalue(engine)
    folder = tmp_path / "shop"
    asked = ("--module", "sales=order*", "--module", "customers=customer")
    assert run(["init", str(folder), *asked, "--legacy-url", database.url]) == 0
    told = capfd.readouterr()
    assert "module sales: order_line, orders" in told.err
    steps = [line.partition("#")[0].split()[1:] for line in told.out.splitlines()]
    assert steps[:2] == [[str(folder)], ["up"]]
    with running(folder) as live:
        for step in steps[2:5]:
            done = live.run(*step)
            assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
        assert steps[5:] == [["run"], ["reconcile"]]
        live.start("run")
        live.wait(lambda: has_snapshots(live), "the snapshots")
        database.execute(*CHANGES)
        code, document = live.run_json("reconcile")
        assert (code, document["verdict"]) == (0, "MATCH"), document
        assert {one["table"] for one in document["tables"]} == {"orders", "order_line", "customer"}
        for table in ("orders", "order_line", "customer"):
            expected = sorted(database.execute(f"select * from {table}"))
            for region in load_settings(folder).regions:
                assert sorted(live.store(region, f"select * from {table}")) == expected
        assert live.stop("run") == 0


def test_mistakes_change_nothing(
    postgresql: OwnDatabase, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One message, exit code 2 or 3, and no folder."""
    folder = tmp_path / "shop"
    place = postgresql.url.rpartition("@")[2].partition("/")[0]
    gone = postgresql.url.replace(place, f"{HOST}:{find_free_port(())}")
    for code, words, *options in (
        (2, "there is no table in erp of shop_", "--schema", "erp"),
        (2, "'odr*' matches no table (there are audit, customer,", "--module", "sales=odr*"),
        (2, "module log has no table to capture: audit: it has no", "--module", "log=audit"),
        (2, "must be postgresql://", "--legacy-url", "oracle://a"),
        (3, "can't reach the legacy database", "--legacy-url", gone),
    ):
        assert run(["init", str(folder), "--legacy-url", postgresql.url, *options]) == code
        message = " ".join(capfd.readouterr().err.split())
        assert words in message, message
        assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == []
