"""The preflight on a real PostgreSQL: what it finds is so, and its SQL mends it."""

from __future__ import annotations

import json

import psycopg
import pytest
from connector_shop import Shop

AWKWARD = (
    "create table erp.slow (id int primary key deferrable, name text)",
    "create table erp.part (id int, k int) partition by list (k)",
    "create table erp.part_1 partition of erp.part for values in (1)",
    "alter table erp.part replica identity full",
    "create unlogged table erp.flat (id int primary key)",
    "create table erp.hidden (id int primary key, total int generated always as (id * 2) stored)",
    "alter table erp.hidden enable row level security",
    "create table erp.shape (id int primary key, area bit varying(8))",
    "create view erp.sight as select 1 as one",
)
TABLES = "[account, loose, slow, part, flat, hidden, shape, sight]"


@pytest.fixture
def awkward(shop: Shop) -> Shop:
    """Declare tables of which each is awkward in its own way."""
    with shop.legacy() as connection:
        for statement in AWKWARD:
            connection.execute(statement)
    shop.declare(("[account, line]", TABLES))
    return shop


def test_findings_of_tables(awkward: Shop) -> None:
    """Each awkward table has its finding; apply and plan refuse, and have made nothing."""
    found = awkward.preflight()
    blockers = {name for name, one in found.items() if one["severity"] == "blocker"}
    assert blockers == {
        "identity erp.loose",
        "identity erp.slow",
        "identity erp.part",
        "unlogged erp.flat",
        "row_security erp.hidden",
        "type erp.shape.area",
        "no_table erp.sight",
    }
    assert {"generated erp.hidden", "partitioned erp.part", "snapshot erp.account"} <= set(found)
    for command in ("plan", "apply"):
        done = awkward.run(command)
        assert done.returncode == 2
        assert "alter table erp.part_1 replica identity full;" in done.stderr
    assert awkward.topics() == set()
    with awkward.legacy() as connection:
        assert connection.execute("select count(*) from pg_publication").fetchone() == (0,)


def test_identity_blockers_would_break_the_application(awkward: Shop) -> None:
    """Published as they are, the application's own UPDATE of those tables fails."""
    with awkward.legacy() as connection:
        connection.execute("insert into erp.slow values (1, 'a')")
        connection.execute("insert into erp.loose values (1, 'a')")
        connection.execute("insert into erp.part values (1, 1)")
        connection.execute("create publication p for table erp.slow, erp.loose, erp.part")
        for table in ("slow", "loose", "part"):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                connection.execute(f"update erp.{table} set id = 2")


def test_the_sql_mends_it(awkward: Shop) -> None:
    """Once an administrator has run what the findings say, no blocker with such SQL is left."""
    found = awkward.preflight()
    with psycopg.connect(awkward.admin_url(), autocommit=True) as admin:
        for one in found.values():
            if one["severity"] == "blocker" and one["mend"]:
                admin.execute(one["mend"])
        try:
            after = awkward.preflight()
        finally:
            admin.execute("alter role isthmus_capture nobypassrls")
    assert {name for name, one in after.items() if one["severity"] == "blocker"} == {
        "type erp.shape.area",
        "no_table erp.sight",
    }


def test_rights_of_role_and_owner(shop: Shop) -> None:
    """A role that is not there, and a table that is another's, are blockers with their SQL."""
    with psycopg.connect(shop.admin_url(), autocommit=True) as admin:
        admin.execute("alter table erp.line owner to postgres")
        found = shop.preflight()
        assert found["ownership erp.line"]["mend"] == "alter table erp.line owner to erp_owner;"
        assert found["select erp.line"]["mend"] == "grant select on erp.line to isthmus_capture;"
        for name in ("ownership erp.line", "select erp.line"):
            admin.execute(found[name]["mend"])
    assert not [one for one in shop.preflight().values() if one["severity"] == "blocker"]
    shop.declare(("${ISTHMUS_CAPTURE_USER}", "nobody"))
    assert "create role nobody login replication" in shop.preflight()["role nobody"]["mend"]


def test_open_transactions(shop: Shop) -> None:
    """An open transaction that has written something is told, with what ends it and no values."""
    with psycopg.connect(
        shop.variables["ISTHMUS_LEGACY_OWNER_URL"], application_name="night batch"
    ) as writer:
        writer.execute("insert into erp.account values (77, 'secret of the batch')")
        writer.execute("select pg_sleep(0)")
        pid = writer.info.backend_pid
        facts = read_transactions(shop)
        assert [(one.pid, one.application) for one in facts] == [(pid, "night batch")]
        writer.rollback()
    assert read_transactions(shop) == []


def read_transactions(shop: Shop) -> list[object]:
    """Read the open transactions of the shop's database as the preflight does."""
    from connectors.preflight.postgresql_reading import read_facts  # noqa: PLC0415

    with shop.legacy() as connection:
        facts = read_facts(connection, {}, {})
    database = shop.variables["ISTHMUS_LEGACY_OWNER_URL"].rpartition("/")[2]
    return [one for one in facts.transactions if one.database == database]


def test_force_is_recorded(shop: Shop) -> None:
    """Apply goes on with --force, says so, and later plans show it and refuse it no more."""
    shop.declare(("[account, line]", "[account, shape]"))
    with shop.legacy() as connection:
        connection.execute(AWKWARD[-2])
    assert shop.run("apply").returncode == 2
    said = shop.apply("--force")
    assert "FORCED, in spite of: module 'shop': erp.shape.area is of type bit varying(8)" in said
    assert shop.rest("/config").json()["isthmus.forced"] == "type:erp.shape.area"
    done = shop.run("plan", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["forced"] == {shop.connector: ["type:erp.shape.area"]}
    shop.apply()
    with shop.legacy() as connection:
        connection.execute("alter table erp.shape drop column area")
    shop.declare(("[account, line]", "[account, shape]"), ("500", "600"))
    shop.apply()
    assert "isthmus.forced" not in shop.rest("/config").json()
    assert "forced" not in json.loads(shop.run("plan", "--json").stdout)
    with shop.legacy() as connection:
        connection.execute("alter table erp.account enable row level security")
    assert shop.run("plan").returncode == 2
    shop.apply("--force")  # nothing else differs: the record alone is written
    assert shop.rest("/config").json()["isthmus.forced"] == "row_security:erp.account"
    assert shop.plan() == {}
