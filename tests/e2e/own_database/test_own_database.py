"""A database of one's own: `isthmus init`, a local stack beside it, and the whole way."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pymysql
import pytest
from live_site import LiveSite

from legacy_db.mariadb.connection import parse_url
from pipeline.cli.app import run
from pipeline.local_stack.databases import drop_databases
from pipeline.local_stack.ports import HOST, find_free_port
from pipeline.local_stack.stack import LocalStack
from pipeline.settings import load_settings

MODULES = ("sales", "customers")
TABLES = (
    "create table customer (id bigint generated always as identity primary key, name text)",
    (
        "create table orders (no integer primary key, customer bigint references customer,"
        " total numeric(12,2), placed timestamptz default now())"
    ),
    "create table order_line (no integer, line smallint, sku varchar(20), primary key (no, line))",
    "create table audit (at timestamptz, what text)",
    "insert into customer (name) select 'n' || i from generate_series(1, 300) i",
    "insert into orders select i, i % 300 + 1, i * 1.25 from generate_series(1, 1000) i",
    (
        "insert into order_line select i, j, 's' || j from generate_series(1, 1000) i,"
        " generate_series(1, 3) j"
    ),
)


@pytest.fixture
def database_url(stack: LocalStack) -> Iterator[str]:
    """Give a database on a server that the new site knows nothing of, owned by a role alone."""
    admin_url = stack.variables()["ISTHMUS_POSTGRES_ADMIN_URL"]
    name, password = f"shop_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        # its own owner, who may replicate, as a small shop has it
        admin.execute(f"create role {name} login replication password '{password}'".encode())
        admin.execute(f"create database {name} owner {name}".encode())
        place = admin_url.rpartition("@")[2].rpartition("/")[0]
        url = f"postgresql://{name}:{password}@{place}/{name}"
        try:
            with psycopg.connect(url) as owner:
                for statement in TABLES:
                    owner.execute(statement.encode())
            yield url
        finally:
            drop_databases(admin_url, [name])
            admin.execute(f"drop role {name}".encode())


@contextmanager
def running(folder: Path) -> Iterator[LiveSite]:
    """Run the site's own stack, and `isthmus run` on it once `start` is called."""
    own = LocalStack(folder)
    live = LiveSite(folder, modules=MODULES)
    live.arguments = {"run": ("run",)}
    try:
        yield live
    finally:
        live.end()
        own.wipe()


def has_snapshots(live: LiveSite) -> bool:
    """Tell whether both modules' snapshots are complete; the hub's tables come with `run`."""
    try:
        return live.hub("select count(*) from hub.module where snapshot = 'complete'") == [(2,)]
    except psycopg.errors.UndefinedTable:
        return False


def test_the_whole_way_from_a_database_of_ones_own(
    database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The commands that `init` prints lead to a MATCH; changes come through."""
    folder = tmp_path / "shop"
    asked = ("--module", "sales=order*", "--module", "customers=customer", "--legacy-url")
    assert run(["init", str(folder), *asked, database_url]) == 0
    told = capfd.readouterr()
    assert "module sales: order_line, orders" in told.err
    steps = [line.partition("#")[0].split() for line in told.out.splitlines()]
    assert steps[0] == ["cd", str(folder)]
    assert run([*steps[1][1:], "--site", str(folder)]) == 0, "isthmus up"
    with running(folder) as live:
        for step in steps[2:5]:
            done = live.run(*step[1:])
            assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
        assert steps[5:] == [["isthmus", "run"], ["isthmus", "reconcile"]]
        live.start("run")
        live.wait(lambda: has_snapshots(live), "the snapshots")
        live.legacy(
            "update orders set total = total + 1 where no % 3 = 0",
            "delete from order_line where no < 50",
            "insert into customer (name) values ('Zoë')",
        )
        live.wait_for_quiet()
        code, document = live.run_json("reconcile")
        assert (code, document["verdict"]) == (0, "MATCH"), document
        tables = {one["table"] for one in document["tables"]}
        assert tables == {"orders", "order_line", "customer"}
        expected = live.query_legacy("select no, total from orders order by no")
        for region in load_settings(folder).regions:
            assert live.store(region, "select no, total from orders order by no") == expected
        assert live.stop("run") == 0


def test_mistakes_change_nothing(
    database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One message, exit code 2 or 3, and no folder."""
    folder = tmp_path / "shop"
    place = database_url.rpartition("@")[2].partition("/")[0]
    gone = database_url.replace(place, f"{HOST}:{find_free_port(())}")
    for code, words, *options in (
        (2, "there is no table in erp of shop_", "--schema", "erp"),
        (2, "'odr*' matches no table (there are audit, customer,", "--module", "sales=odr*"),
        (2, "module log has no table to capture: audit: it has no", "--module", "log=audit"),
        (2, "must be postgresql://", "--legacy-url", "oracle://a"),
        (3, "can't reach the legacy database", "--legacy-url", gone),
    ):
        assert run(["init", str(folder), "--legacy-url", database_url, *options]) == code
        message = " ".join(capfd.readouterr().err.split())
        assert words in message, message
        assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_database_on_mariadb(mariadb_url: str, tmp_path: Path) -> None:
    """The declaration is MariaDB's own: no schema, and a barrier table."""
    folder = tmp_path / "shop"
    with pymysql.connect(**parse_url(mariadb_url), autocommit=True) as session:
        session.cursor().execute("create table item (sku varchar(20) primary key, qty int)")
    assert run(["init", str(folder), "--legacy-url", mariadb_url, "--region", "eu"]) == 0
    text = (folder / "connectors" / "shop.yaml").read_text()
    assert "engine: mariadb" in text
    assert "schema" not in text
    assert "- item" in text
