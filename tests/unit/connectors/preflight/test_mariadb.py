"""The preflight's rules for MariaDB and MySQL, and where a connector's offset lies in their log."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.preflight.finding import Finding, Weight
from connectors.preflight.mariadb import judge
from connectors.preflight.mariadb_facts import (
    BinlogFacts,
    BinlogModule,
    BinlogServer,
    BinlogTable,
    CaptureUser,
    LongStatement,
)
from connectors.preflight.mariadb_reading import list_unwritable

SERVER = BinlogServer(database="shop", owner="'own'@'%'")
USER = CaptureUser("capture", ("'capture'@'%'",))
TABLE = BinlogTable("item", rows=3_000_000, bytes=1024)
MODULE = BinlogModule("sales", "shop", USER, (TABLE,), server_id=1_000_001)
FACTS = BinlogFacts(SERVER, (MODULE,))


def find(facts: BinlogFacts = FACTS) -> dict[str, Finding]:
    """Give the findings by their codes."""
    return {one.code: one for one in judge(facts)}


def of_server(**change: object) -> BinlogFacts:
    """Give the facts with another server."""
    return replace(FACTS, server=replace(SERVER, **change))  # type: ignore[arg-type]


def of_module(**change: object) -> BinlogFacts:
    """Give the facts with another module."""
    return replace(FACTS, modules=(replace(MODULE, **change),))  # type: ignore[arg-type]


def test_a_sound_server_has_notices_only() -> None:
    """Where all is well the preflight tells what the snapshot costs, and that only once."""
    assert set(find()) == {"snapshot"}
    assert find(of_module(connected=True)) == {}


@pytest.mark.parametrize(
    ("change", "code", "mend"),
    [
        ({"log_bin": False}, "log_bin", ""),
        ({"format": "MIXED"}, "binlog_format", "set global binlog_format = 'ROW';"),
        ({"row_image": "MINIMAL"}, "binlog_row_image", "set global binlog_row_image = 'FULL';"),
        ({"read_only": True}, "read_only", ""),
        ({"relays": True}, "log_slave_updates", ""),
        ({"filtered": "binlog_do_db = other"}, "binlog_filter", ""),
        ({"server_id": 1_000_001}, "server_id", ""),
        ({"replica_ids": frozenset({1_000_001})}, "server_id", ""),
    ],
)
def test_servers_that_cannot_be_captured(change: dict[str, object], code: str, mend: str) -> None:
    """Each of these makes capture fail or leaves changes out."""
    finding = find(of_server(**change))[code]
    assert finding.severity is Weight.BLOCKER
    assert mend in finding.mend


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"compressed": True}, "log_bin_compress", Weight.WARNING),
        ({"expire_s": 3600}, "binlog_expiry", Weight.WARNING),
        ({"expire_s": 0}, "binlog_kept", Weight.NOTICE),
        ({"gtid_strict": False}, "gtid_strict_mode", Weight.WARNING),
        ({"gtid_domains": 2}, "gtid_domains", Weight.WARNING),
        ({"replica_ids": None}, "hidden_replicas", Weight.NOTICE),
    ],
)
def test_servers_that_may_hurt(change: dict[str, object], code: str, severity: Weight) -> None:
    """Each of these is told and blocks nothing."""
    assert find(of_server(**change))[code].severity is severity


def test_a_server_without_gtid_strict_mode() -> None:
    """MySQL has no such setting: nothing is said of it."""
    assert set(find(of_server(gtid_strict=None))) == {"snapshot"}


def test_server_ids_of_replicas_and_modules() -> None:
    """An id that a replica has registered, or that two modules have, is a clash; others are not."""
    running = of_module(connected=True)
    others = replace(running, server=replace(SERVER, replica_ids=frozenset({7, 8})))
    assert find(others) == {}
    taken = replace(running, server=replace(SERVER, replica_ids=frozenset({1_000_001})))
    assert "is that of another replica" in find(taken)["server_id"].what
    twice = replace(running, modules=(*running.modules, replace(MODULE, module="more")))
    assert "is that of module 'sales'" in find(twice)["server_id"].what


@pytest.mark.parametrize(
    ("user", "code", "mend"),
    [
        (replace(USER, accounts=()), "role", "create user 'capture'@'%'"),
        (
            replace(USER, missing=("REPLICATION SLAVE",)),
            "role_rights",
            "grant REPLICATION SLAVE on *.* to 'capture'@'%';",
        ),
    ],
)
def test_users_that_cannot_capture(user: CaptureUser, code: str, mend: str) -> None:
    """A user that is absent, or lacks a privilege, is a blocker with the SQL for it."""
    finding = find(of_module(user=user))[code]
    assert finding.severity is Weight.BLOCKER
    assert mend in finding.mend


def test_what_the_owner_may_not_see_is_told() -> None:
    """Hidden rights and sessions are notices, not guesses."""
    facts = replace(of_module(user=replace(USER, accounts=None)), statements=None)
    found = find(facts)
    assert found["hidden_rights"].severity is Weight.NOTICE
    assert found["hidden_sessions"].severity is Weight.NOTICE


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"kind": "VIEW"}, "no_table", Weight.BLOCKER),
        ({"has_key": False}, "no_key", Weight.BLOCKER),
        ({"cascades": ("fk (ON DELETE CASCADE)",)}, "cascade", Weight.BLOCKER),
        ({"update_cascades": ("fk (ON UPDATE CASCADE)",)}, "cascade_update", Weight.WARNING),
        ({"unsupported": (("g", "geometry"),)}, "type", Weight.BLOCKER),
        ({"engine": "MyISAM"}, "storage_engine", Weight.WARNING),
        ({"engine": "Aria"}, "storage_engine", Weight.WARNING),
        ({"strange_charsets": (("n", "dec8"),)}, "charset", Weight.WARNING),
    ],
)
def test_tables(change: dict[str, object], code: str, severity: Weight) -> None:
    """Each awkward table has its finding."""
    facts = of_module(tables=(replace(TABLE, **change),))  # type: ignore[arg-type]
    assert find(facts)[code].severity is severity


def test_declared_keys_and_own_tables() -> None:
    """A declared key stands for the missing one; barrier tables are not judged as captured ones."""
    keyless = replace(TABLE, has_key=False)
    assert "no_key" not in find(of_module(tables=(keyless,), keys=frozenset({"item"})))
    own = of_module(tables=(keyless,), own_tables=("item",))
    assert find(own) == {}
    found = find(of_module(own_tables=("isthmus_barrier",), unwritable=("isthmus_barrier",)))
    assert found["own_table"].severity is Weight.BLOCKER
    assert find(of_module(absent=("gone",)))["absent"].subject == "shop.gone"


def test_a_long_statement_holds_up_the_snapshot() -> None:
    """It is told with what ends it; a short one is not, nor any where no snapshot begins."""
    facts = replace(FACTS, statements=(LongStatement(7, 300), LongStatement(8, 1)))
    assert find(facts)["long_statement"].mend.startswith("kill query 7;")
    connected = replace(facts, modules=(replace(MODULE, connected=True),))
    assert find(connected) == {}


def test_the_owner_needs_to_remove_old_barriers() -> None:
    """Who may only insert into the barrier table fails at the first reconciliation."""
    own = ("isthmus_barrier",)
    inserts = {("SELECT", "shop", ""), ("INSERT", "shop", "isthmus_barrier")}
    deletes = {*inserts, ("DELETE", "shop", "isthmus_barrier")}
    assert list_unwritable(frozenset(inserts), "shop", own, own) == own
    assert list_unwritable(frozenset(deletes), "shop", own, own) == ()
    assert list_unwritable(frozenset(deletes), "shop", own, ()) == own, "it can't be made"
