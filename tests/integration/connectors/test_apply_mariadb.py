"""Plan and apply on a real MariaDB: its tables and grants, its connector, its binary logs.

A Connect worker of their own, with MariaDB's connector. Skipped where no MariaDB can be had.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from mariadb_connect import MariaDBConnect
from mariadb_packages import MissingMariaDB, find_mariadb
from mariadb_server import USER, MariaDBServer

from connectors.apply import Options, apply_site, open_servers, plan_site
from connectors.declaration import Declaration
from connectors.errors import Configuration
from connectors.operate import change_state
from connectors.plan import Kind, Plan
from connectors.target import Target
from legacy_db.mariadb.connection import MariaDBConnection
from pipeline.local_stack.ports import HOST
from pipeline.local_stack.stack import LocalStack

WAIT_S = 90
PASSWORD = "ISTHMUS_MARIADB_PASSWORD"


@dataclass(frozen=True, slots=True)
class Landscape:
    """The servers that the tests share."""

    server: MariaDBServer
    connect: MariaDBConnect
    brokers: str


@dataclass(frozen=True, slots=True)
class Shop:
    """One site whose module captures tables of a database of its own."""

    target: Target
    legacy: MariaDBConnection

    @property
    def declaration(self) -> Declaration:
        """The only module's declaration."""
        return self.target.declarations["shop"]

    def declare(self, **change: object) -> Shop:
        """Give the site with another declaration."""
        changed = replace(self.declaration, **change)  # type: ignore[arg-type]
        return replace(self, target=replace(self.target, declarations={"shop": changed}))

    def plan(self) -> Plan:
        """Plan."""
        with open_servers(self.target) as servers:
            return plan_site(self.target, servers)

    def apply(self, options: Options = Options()) -> list[str]:  # noqa: B008 - a frozen value
        """Apply; what it reports."""
        told: list[str] = []
        with open_servers(self.target) as servers:
            apply_site(self.target, servers, options, report=told.append)
        return told

    def wait_for(self, wanted: Callable[[dict[str, object]], bool]) -> list[dict[str, object]]:
        """Read the change log from its beginning until a record is as wanted."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.target.bootstrap_servers,
                "group.id": self.target.site,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        records: list[dict[str, object]] = []
        try:
            consumer.assign([TopicPartition(f"{self.target.site}.shop.changes", 0, 0)])
            deadline = time.monotonic() + WAIT_S
            while time.monotonic() < deadline:
                message = consumer.poll(0.5)
                if message is None or message.error() is not None:
                    continue
                records.append(json.loads(message.value() or b"{}"))
                if wanted(records[-1]):
                    return records
        finally:
            consumer.close()
        pytest.fail(f"not within {WAIT_S} s among {len(records)} records")


def is_row(operation: str, table: str, key: int) -> Callable[[dict[str, object]], bool]:
    """Accept one row's record."""

    def accept(record: dict[str, object]) -> bool:
        source, after = record.get("source"), record.get("after")
        return (
            record.get("op") == operation
            and isinstance(source, dict)
            and source["table"] == table
            and isinstance(after, dict)
            and after["id"] == key
        )

    return accept


@pytest.fixture(scope="module")
def landscape(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landscape]:
    """Give MariaDB, and a worker that has its connector."""
    try:
        programs = find_mariadb()
    except MissingMariaDB as problem:
        pytest.skip(str(problem))
    folder: Path = tmp_path_factory.mktemp("mariadb")
    server = MariaDBServer(programs, folder)
    variables = stack.variables()
    try:
        given = {PASSWORD: server.password}
        connect = MariaDBConnect(variables, tmp_path_factory.mktemp("connect"), own_secrets=given)
    except MissingMariaDB as problem:
        server.close()
        pytest.skip(str(problem))
    try:
        yield Landscape(server, connect, variables["ISTHMUS_KAFKA"])
    finally:
        connect.close()
        server.close()


@pytest.fixture
def shop(landscape: Landscape) -> Iterator[Shop]:
    """Give a site with a database of two tables with rows; its connector goes with it."""
    site = f"t{secrets.token_hex(4)}"
    server = landscape.server
    admin = MariaDBConnection(server.url("mysql"))
    admin.fetch("set global gtid_strict_mode = 1")
    admin.fetch(f"create database {site}")
    admin.close()
    legacy = MariaDBConnection(server.url(site))
    legacy.fetch("create table account (id int primary key, name varchar(20))")
    legacy.fetch("create table extra (id int primary key)")
    legacy.fetch("insert into account values (1, 'one')")
    legacy.fetch("insert into extra values (1), (2)")
    declaration = Declaration(
        module="shop",
        engine="mariadb",
        host=HOST,
        port=server.port,
        database=site,
        user=USER,
        password=f"${{env:{PASSWORD}}}",
        schema=site,
        tables=("account",),
        barrier_table="isthmus_barrier",
        config=(("signal.data.collection", f"{site}.shop_signal"),),
    )
    target = Target(
        site, {"shop": declaration}, landscape.connect.url, landscape.brokers, server.url(site)
    )
    yield Shop(target, legacy)
    with open_servers(target) as servers:
        servers.connect.delete(f"{site}.shop")
    legacy.close()


def test_apply_makes_what_plan_shows(shop: Shop) -> None:
    """Barrier and signal table, topics and connector are made; an added table is read by itself."""
    site = shop.target.site
    first = shop.plan()
    assert [(one.kind, one.name) for one in first.changes] == [
        (Kind.TABLE, f"{site}.isthmus_barrier"),
        (Kind.TABLE, f"{site}.shop_signal"),
        (Kind.TOPIC, f"{site}.shop.changes"),
        (Kind.TOPIC, f"{site}.shop.events"),
        (Kind.TOPIC, f"{site}.shop.history"),
        (Kind.CONNECTOR, f"{site}.shop"),
    ]
    assert f"{site}.shop is running" in shop.apply()
    assert shop.plan().changes == ()
    shop.wait_for(is_row("r", "account", 1))
    shop.legacy.fetch("insert into account values (2, 'two')")
    shop.wait_for(is_row("c", "account", 2))
    # a connector does not register as a replica: the preflight can't see another site's
    assert shop.legacy.fetch("show slave hosts") == []
    more = shop.declare(tables=("account", "extra"))
    found = more.plan().changes
    assert [one.kind for one in found] == [Kind.CONNECTOR, Kind.SNAPSHOT]
    assert f"{site}.extra: tables added: will be snapshotted" in str(found[0].effects)
    more.apply()
    assert more.plan().changes == ()
    more.wait_for(is_row("r", "extra", 2))


def test_purged_binary_log_is_refused(shop: Shop) -> None:
    """An offset behind the oldest binary log is told by plan, and apply refuses to go on."""
    shop.apply()
    shop.wait_for(is_row("r", "account", 1))
    name = f"{shop.target.site}.shop"
    with open_servers(shop.target) as servers:
        change_state(servers.connect, name, "stop")
    shop.legacy.fetch("insert into account values (3, 'lost')")
    ((file, *_),) = shop.legacy.fetch("show master status")
    shop.legacy.fetch("flush binary logs")
    last = shop.legacy.fetch("show binary logs")[-1][0]
    deadline = time.monotonic() + WAIT_S
    while any(one == file for one, *_ in shop.legacy.fetch("show binary logs")):
        assert time.monotonic() < deadline
        shop.legacy.fetch(f"purge binary logs to '{last}'")
    (change,) = shop.plan().changes
    assert f"behind the oldest binary log ({last}): changes would be lost" in str(change.effects)
    with pytest.raises(Configuration, match="changes would be lost"):
        shop.apply()
