"""The preflight's rules for PostgreSQL: what is a blocker, what a warning, and how it is mended."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.errors import Configuration
from connectors.preflight.finding import Finding, Weight, list_blockers, refuse_blockers
from connectors.preflight.postgresql import judge
from connectors.preflight.postgresql_facts import (
    ModuleFacts,
    OpenTransaction,
    PostgreSQLFacts,
    RoleFacts,
    ServerFacts,
    SlotCost,
    TableFacts,
)

ROOT = Path(__file__).resolve().parents[4]
SERVER = ServerFacts(180004, slot_keep_mb=8192, database="legacy", owner="erp_owner")
ROLE = RoleFacts("capture")
TABLE = TableFacts("erp", "item", rows=3_000_000, bytes=400 * 1024 * 1024)
OLD = OpenTransaction(77, "batch", 7200.0, "legacy")


def find(
    table: TableFacts = TABLE, *, slot_there: bool = False, **parts: object
) -> dict[str, Finding]:
    """Judge one module of one table; the findings by code."""
    role = parts.get("role", ROLE)
    assert isinstance(role, RoleFacts)
    module = ModuleFacts("sales", role, (table,), slot_there=slot_there)
    facts = PostgreSQLFacts(SERVER, (module,))
    given = {key: value for key, value in parts.items() if key != "role"}
    return {one.code: one for one in judge(replace(facts, **given))}  # type: ignore[arg-type]


def test_a_sound_database_has_notices_only() -> None:
    """Where all is well the preflight tells what the snapshot and one more slot cost."""
    found = find()
    assert {one.severity for one in found.values()} == {Weight.NOTICE}
    assert set(found) == {"snapshot", "slot_cost"}
    assert "about 3,000,000 rows, 400 MB" in found["snapshot"].what
    assert "in about 3 min at 15,000 rows a second" in found["snapshot"].why


def test_a_module_that_is_captured_already_costs_nothing_more() -> None:
    """Neither snapshot nor slot is told where the slot is there, nor old transactions."""
    assert find(slot_there=True, transactions=(OLD,)) == {}


@pytest.mark.parametrize(
    ("change", "code", "mend"),
    [
        ({"wal_level": "replica"}, "wal_level", "alter system set wal_level = 'logical'"),
        ({"version": 140009}, "version", ""),
        ({"in_recovery": True}, "standby", ""),
        ({"may_create": False}, "create_publication", "grant create on database legacy to erp_ow"),
        ({"hba_refuses": True}, "pg_hba", "host legacy capture"),
        ({"slots_max": 0}, "slots", "alter system set max_replication_slots = 3"),
        ({"senders_max": 4, "senders_used": 4}, "senders", "set max_wal_senders = 7"),
    ],
)
def test_servers_that_cannot_be_captured(change: dict[str, object], code: str, mend: str) -> None:
    """Each of these makes capture fail, and the finding has what mends it."""
    finding = find(server=replace(SERVER, **change))[code]  # type: ignore[arg-type]
    assert finding.severity is Weight.BLOCKER
    assert mend in finding.mend


@pytest.mark.parametrize(
    ("change", "code", "mend"),
    [
        ({"slot_keep_mb": -1}, "slot_keeps_all", "max_slot_wal_keep_size = '10GB'"),
        ({"idle_slot_timeout_s": 600}, "idle_slot_timeout", "idle_replication_slot_timeout = 0"),
        ({"encoding": "SQL_ASCII"}, "encoding", ""),
    ],
)
def test_servers_that_may_hurt(change: dict[str, object], code: str, mend: str) -> None:
    """Each of these lets capture begin, and hurts later."""
    finding = find(server=replace(SERVER, **change))[code]  # type: ignore[arg-type]
    assert finding.severity is Weight.WARNING
    assert mend in finding.mend


@pytest.mark.parametrize(
    ("role", "code", "mend"),
    [
        (RoleFacts("capture", there=False), "role", "create role capture login replication"),
        (RoleFacts("capture", may_login=False), "role_rights", "alter role capture login"),
        (RoleFacts("Cap", may_replicate=False), "role_rights", 'alter role "Cap" login replic'),
        (RoleFacts("capture", expired=True), "role_expired", "valid until 'infinity'"),
        (RoleFacts("capture", may_connect=False), "connect", "grant connect on database legacy"),
        (RoleFacts("capture", may_emit=False), "heartbeat", "grant execute on function pg_logical"),
    ],
)
def test_roles_that_cannot_capture(role: RoleFacts, code: str, mend: str) -> None:
    """A capture role that is absent, or lacks a right, is a blocker with the SQL for it."""
    finding = find(role=role)[code]
    assert finding.severity is Weight.BLOCKER
    assert mend in finding.mend


def test_a_time_limit_of_the_role_breaks_snapshots() -> None:
    """A statement_timeout of the capture role is a warning."""
    finding = find(role=replace(ROLE, timeouts=("statement_timeout=30s",)))["role_timeout"]
    assert finding.severity is Weight.WARNING
    assert finding.mend == "alter role capture set statement_timeout = 0;"


@pytest.mark.parametrize(
    ("change", "code", "words", "mend"),
    [
        ({"kind": "v"}, "no_table", "is a view", ""),
        ({"kind": "f"}, "no_table", "is a foreign table", ""),
        ({"persistence": "u"}, "unlogged", "is unlogged", "alter table erp.item set logged;"),
        ({"persistence": "t"}, "unlogged", "is temporary", ""),
        (
            {"identified": False, "has_key": False},
            "identity",
            "erp.item has no primary key",
            "alter table erp.item replica identity full;",
        ),
        ({"identified": False, "identity": "n"}, "identity", "(NOTHING)", "replica identity full"),
        ({"identified": False}, "identity", "deferrable or not valid", "replica identity full"),
        (
            {"identified": False, "unidentified_partitions": ("erp.item_1",)},
            "identity",
            "has partitions without a replica identity: erp.item_1",
            "alter table erp.item_1 replica identity full;",
        ),
        ({"owned": False}, "ownership", "does not belong", "alter table erp.item owner to erp_ow"),
        ({"selectable": False}, "select", "can't be read", "grant select on erp.item to capture"),
        ({"unsupported": (("c", "box", "no form", "leave it out"),)}, "type", "erp.item.c", ""),
    ],
)
def test_tables_that_cannot_be_captured(
    change: dict[str, object], code: str, words: str, mend: str
) -> None:
    """Each of these would fail, leave changes out, or break the legacy application."""
    finding = find(replace(TABLE, **change))[code]  # type: ignore[arg-type]
    assert finding.severity is Weight.BLOCKER
    assert words in finding.what
    assert mend in finding.mend
    assert finding.module == "sales"


def test_row_security_counts_unless_the_role_sees_all_rows() -> None:
    """Row-level security would hide rows from the snapshot, but not from BYPASSRLS."""
    table = replace(TABLE, row_security=True)
    role = replace(ROLE, sees_all_rows=False)
    assert find(table, role=role)["row_security"].mend == "alter role capture bypassrls;"
    assert "row_security" not in find(table)


def test_a_declared_key_stands_for_the_missing_one() -> None:
    """A keyless table whose key is declared is no blocker: apply gives it FULL."""
    table = replace(TABLE, identified=False, has_key=False)
    module = ModuleFacts("sales", ROLE, (table,), keys=frozenset({"item"}))
    assert not list_blockers(judge(PostgreSQLFacts(SERVER, (module,))))


def test_absent_tables_but_for_its_own() -> None:
    """A declared table that is not there is a blocker; a signal table is made by apply."""
    module = ModuleFacts(
        "sales", ROLE, (), ("erp.gone", "erp.signal"), own_tables=frozenset({"erp.signal"})
    )
    (finding,) = list_blockers(judge(PostgreSQLFacts(SERVER, (module,))))
    assert finding.subject == "erp.gone"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "p", "partitions": 12}, "partitioned"),
        ({"generated": ("total",)}, "generated"),
        ({"is_partition": True}, "partition"),
        ({"children": 2}, "inheritance"),
    ],
)
def test_tables_that_arrive_otherwise(change: dict[str, object], code: str) -> None:
    """Partitions, inheritance and generated columns are told, and block nothing."""
    found = find(replace(TABLE, **change))  # type: ignore[arg-type]
    assert found[code].severity is not Weight.BLOCKER


def test_a_table_that_was_never_analyzed() -> None:
    """Without statistics no time is made up; ANALYZE is what mends it."""
    finding = find(replace(TABLE, rows=None))["snapshot"]
    assert "rows a second" not in finding.why
    assert finding.mend == "analyze erp.item;"


def test_open_transactions_stall_a_new_slot() -> None:
    """An old or prepared transaction is told with pid, application and age; a young one is not."""
    young = OpenTransaction(78, "web", 0.2, "legacy")
    prepared = OpenTransaction(None, "", 90_000.0, "legacy", "p'1")
    found = judge(
        PostgreSQLFacts(SERVER, (ModuleFacts("sales", ROLE, (TABLE,)),), (OLD, young, prepared))
    )
    told = [one for one in found if one.code == "open_transaction"]
    assert [one.mend.partition(";")[0] for one in told] == [
        "rollback prepared 'p''1'",
        "select pg_terminate_backend(77)",
    ]
    assert told[1].what == "an open transaction of pid 77 (batch) in legacy, 2 h old"


SLOT = SlotCost("isthmus_x_sales", "legacy", active=True, retained_bytes=0)
STANDBY = SlotCost("standby", "", active=True, retained_bytes=0)
KEPT = replace(
    SERVER, slots=(replace(SLOT, failover=True), STANDBY), synchronized_slots=(STANDBY.name,)
)


@pytest.mark.parametrize(
    ("server", "code", "words"),
    [
        (replace(KEPT, version=160009), "failover_version", "an ordinary one"),
        (replace(KEPT, slots=(SLOT, STANDBY)), "failover_slot", "(FAILOVER true);"),
        (replace(KEPT, synchronized_slots=()), "failover_ahead", "synchronized_standby_slots ="),
        (replace(KEPT, slots=KEPT.slots[:1]), "failover_stalls", "by standby,"),
        (
            replace(KEPT, slots=(KEPT.slots[0], replace(STANDBY, active=False))),
            "failover_stalls",
            "RUNNING and silent",
        ),
    ],
)
def test_what_a_failover_would_not_survive(server: ServerFacts, code: str, words: str) -> None:
    """A module with slot.failover is told what is missing, and one without is not bothered."""
    module = ModuleFacts(
        "sales", ROLE, (TABLE,), slot_there=True, slot="isthmus_x_sales", failover=True
    )
    (finding,) = judge(PostgreSQLFacts(server, (module,)))
    assert (finding.severity, finding.code) == (Weight.WARNING, code)
    assert words in finding.what + finding.why + finding.mend
    assert judge(PostgreSQLFacts(KEPT, (module,))) == ()
    assert judge(PostgreSQLFacts(server, (replace(module, failover=False),))) == ()


def test_what_one_more_slot_costs() -> None:
    """The notice tells what slots hold back now, which nobody reads, and the log's pace."""
    slots = (
        SlotCost("a", "legacy", active=True, retained_bytes=1024),
        SlotCost("b", "x", active=False, retained_bytes=3 * 1024**3),
    )
    found = find(server=replace(SERVER, slots=slots, wal_bytes_per_s=1024.0**2))["slot_cost"]
    assert "an hour without the connector holds back 3.5 GB" in found.what
    assert "3.0 GB; nobody reads b" in found.why


def test_blockers_are_refused_together() -> None:
    """One message names every blocker with its mend; what was accepted before is not refused."""
    found = judge(
        PostgreSQLFacts(
            replace(SERVER, wal_level="replica"),
            (ModuleFacts("sales", replace(ROLE, may_login=False), (TABLE,)),),
        )
    )
    with pytest.raises(Configuration, match=r"(?s)LOGIN.*alter role capture.*wal_level"):
        refuse_blockers(list_blockers(found))
    refuse_blockers(list_blockers(found, {"wal_level:wal_level", "role_rights:capture"}))


def test_every_finding_is_documented_and_no_other() -> None:
    """docs/plan.md has a row for each code of the rules, with its severity."""
    made = set()
    for path in sorted((ROOT / "connectors" / "preflight").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        made |= {
            (code, weight.lower())
            for weight, code in re.findall(r'Weight\.([A-Z]+),\s+"([a-z_]+)"', text)
        }
        made |= {
            (code, "blocker")
            for code in re.findall(r'(?:_refuse|_find)\(\s*[a-z_]+,\s*[a-z_]+,\s*"([a-z_]+)"', text)
        }
    guide = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([a-z_]+)` \| (blocker|warning|notice) \|", guide, re.MULTILINE))
    assert made == rows
