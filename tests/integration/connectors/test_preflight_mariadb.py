"""The preflight on a real MariaDB server: what it finds is so, and its SQL mends it.

A server alone, without Kafka and Connect. Skipped where no MariaDB can be had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from mariadb_packages import MissingMariaDB, find_mariadb
from mariadb_server import MariaDBServer

from connectors.comparison import make_plan
from connectors.declaration import Declaration
from connectors.names import ModuleNames
from connectors.plan import Action, Kind, State
from connectors.sources.mariadb import MariaDBSource
from connectors.target import Target, desired_state
from legacy_db.mariadb.connection import MariaDBConnection

NAMES = {"shop": ModuleNames("retail", "shop")}
DATABASE = "preflight"
SCRIPT = (
    f"drop database if exists {DATABASE}",
    f"create database {DATABASE}",
    "create table account (id int primary key, name varchar(20))",
    (
        "create table line (id int primary key, account int,"
        " foreign key (account) references account (id) on delete cascade on update cascade)"
    ),
    "create table loose (id int)",
    "create table place (id int primary key, spot geometry)",
    "create table mine (id int primary key, name varchar(9) character set dec8) engine = MyISAM",
    "create view sight as select 1 as one",
    "drop user if exists capture@'127.0.0.1'",
    "create user capture@'127.0.0.1' identified by 'secret of a test'",
)
SHOP = Declaration(
    module="shop",
    engine="mariadb",
    host="127.0.0.1",
    port=3306,
    database=DATABASE,
    user="capture",
    password="${env:X}",
    schema=DATABASE,
    tables=("account", "line", "loose", "mine", "place", "sight"),
    barrier_table="isthmus_barrier",
    config=(("signal.data.collection", f"{DATABASE}.shop_signal"),),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    """Give a MariaDB server alone."""
    try:
        programs = find_mariadb()
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    running = MariaDBServer(programs, tmp_path_factory.mktemp("mariadb"))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def source(server: MariaDBServer) -> Iterator[MariaDBSource]:
    """Give a database of awkward tables, seen by one who may do everything."""
    with_database = MariaDBConnection(server.url("mysql"))
    for statement in SCRIPT[:2]:
        with_database.fetch(statement)
    with_database.close()
    connection = MariaDBConnection(server.url(DATABASE))
    for statement in SCRIPT[2:]:
        connection.fetch(statement)
    yield MariaDBSource(connection)
    connection.close()


def judge(source: MariaDBSource, declaration: Declaration = SHOP) -> dict[str, str]:
    """Run the preflight: the severities by code and subject."""
    found = source.judge({"shop": declaration}, NAMES, frozenset())
    return {f"{one.code} {one.subject}": str(one.severity) for one in found}


def test_findings(source: MariaDBSource) -> None:
    """Each awkward table, and what the capture user lacks, has its finding."""
    found = judge(source)
    assert {name for name, severity in found.items() if severity == "blocker"} == {
        "role_rights capture",
        f"cascade {DATABASE}.line",
        f"no_key {DATABASE}.loose",
        f"no_table {DATABASE}.sight",
        f"type {DATABASE}.place.spot",
    }
    assert {name for name, severity in found.items() if severity == "warning"} == {
        f"cascade_update {DATABASE}.line",
        f"charset {DATABASE}.mine.name",
        f"storage_engine {DATABASE}.mine",
        "gtid_strict_mode gtid_strict_mode",
    }


def test_settings_of_the_server(source: MariaDBSource) -> None:
    """Format, row image and expiry are read as they are set, and set right by the finding's SQL."""
    fetch = source.connection.fetch
    fetch("set global binlog_format = 'MIXED', global binlog_row_image = 'MINIMAL'")
    fetch("set global expire_logs_days = 0.5")
    try:
        found = judge(source)
        assert found["binlog_format binlog_format"] == "blocker"
        assert found["binlog_row_image binlog_row_image"] == "blocker"
        assert found["binlog_expiry binlog_expire_logs_seconds"] == "warning"
        for one in source.judge({"shop": SHOP}, NAMES, frozenset()):
            if one.mend.startswith("set global"):
                fetch(one.mend)
        assert not {"binlog_format", "binlog_row_image", "binlog_expiry", "gtid_strict_mode"} & {
            name.partition(" ")[0] for name in judge(source)
        }
    finally:
        fetch("set global binlog_format = 'ROW', global binlog_row_image = 'FULL'")
        fetch("set global expire_logs_days = 0, global gtid_strict_mode = 0")


def test_a_cascade_is_not_in_the_binary_log(source: MariaDBSource) -> None:
    """A row that ON DELETE CASCADE removes is removed, and no event of the log says so."""
    fetch = source.connection.fetch
    fetch("insert into account values (1, 'one')")
    fetch("insert into line values (1, 1)")
    fetch("flush binary logs")
    file = fetch("show master status")[0][0]
    fetch("delete from account")
    assert fetch("select count(*) from line") == [(0,)]
    events = fetch(f"show binlog events in '{file}'")
    tables = {row[5].split(" ")[1]: row[5] for row in events if row[2] == "Table_map"}
    named = {row[5].split(" ")[1] for row in events if row[2].startswith("Delete_rows")}
    assert any("account" in tables[one] for one in named)
    assert not any("line" in tables[one] for one in named)


def test_the_database_side_of_a_plan(source: MariaDBSource) -> None:
    """Barrier and signal table and the grants are planned, made, and nothing differs then."""
    declaration = replace(SHOP, tables=("account", "place"))
    desired = desired_state(Target("retail", {"shop": declaration}, "", "kafka:9092", ""))

    def plan() -> list[tuple[Kind, str]]:
        side = source.observe([declaration], desired)
        observed = State({}, {}, side.grants, desired.topics, side.tables)
        changes = make_plan(desired, observed).changes
        for change in changes:
            if change.kind in (Kind.TABLE, Kind.GRANT):
                assert change.action is Action.CREATE
                source.make(desired, change)
        return [(change.kind, change.name) for change in changes]

    first = plan()
    assert [name for kind, name in first if kind is Kind.TABLE] == [
        f"{DATABASE}.isthmus_barrier",
        f"{DATABASE}.shop_signal",
    ]
    assert (Kind.GRANT, f"capture on {DATABASE}.account") in first
    assert plan() == [(Kind.CONNECTOR, "retail.shop")]
    source.promise_snapshots(declaration, [f"{DATABASE}.account"])
    assert source.read_pending(declaration) == (f"{DATABASE}.account",)
    source.ask_snapshot(declaration, f"{DATABASE}.account")
    assert source.read_pending(declaration) == ()
    signals = source.connection.fetch(f"select type from {DATABASE}.shop_signal")
    assert signals == [("execute-snapshot",)]


def test_purged_binary_logs(source: MariaDBSource) -> None:
    """An offset in a file that is gone has lost changes, unless its GTIDs reach behind it."""
    fetch = source.connection.fetch
    ((file, position, *_),) = fetch("show master status")
    fetch("insert into account values (2, 'two')")
    ((gtids,),) = fetch("select @@gtid_binlog_pos")
    offset = {"file": file, "pos": position, "gtids": "0-7-1"}
    judge_now = source.watch_beginning(SHOP, NAMES["shop"])
    assert not judge_now([{"offset": offset}]).lost
    fetch("flush binary logs")
    last = fetch("show binary logs")[-1][0]
    while any(name == file for name, *_ in fetch("show binary logs")):
        fetch(f"purge binary logs to '{last}'")  # the server keeps a file that it still checkpoints
    judge_later = source.watch_beginning(SHOP, NAMES["shop"])
    assert (
        f"this offset lies in {file}, behind the oldest" in judge_later([{"offset": offset}]).lost
    )
    assert not judge_later([{"offset": {**offset, "gtids": gtids}}]).lost


def test_an_owner_with_few_rights(source: MariaDBSource, server: MariaDBServer) -> None:
    """What it may not see is told as such, and what it may not write is a blocker."""
    source.connection.fetch("create or replace user clerk@'127.0.0.1' identified by 'clerk'")
    source.connection.fetch(f"grant select on {DATABASE}.* to clerk@'127.0.0.1'")
    url = server.url(DATABASE).replace(f"isthmus:{server.password}", "clerk:clerk")
    clerk = MariaDBSource(MariaDBConnection(url))
    try:
        found = judge(clerk)
    finally:
        clerk.close()
    assert found["hidden_rights capture"] == "notice"
    assert {"hidden_replicas", "hidden_sessions"} <= {name.partition(" ")[0] for name in found}
    assert found[f"own_table {DATABASE}.isthmus_barrier"] == "blocker"
