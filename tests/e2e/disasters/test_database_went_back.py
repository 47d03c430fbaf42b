"""The legacy database is put back to an earlier point, or exchanged, under its application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cared_site import CaredSite
from legacy_server import LegacyServer
from live_site import MODULES
from moved_legacy import lasting_load, lead_to

from pipeline.local_stack.stack import LocalStack

pytestmark = pytest.mark.long

POSITION = "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"
MANY = "do $$ begin for n in 1..9000 loop perform pg_current_xact_id(); commit; end loop; end $$"
"""Transactions in a moment: the new history has not so many yet when it is looked at."""
LOST = "select count(*) from mirror.ord_hdr where ord_no > 800000000"
RATE = 15.0
BACK = "database went back"


@pytest.fixture(scope="module")
def server(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LegacyServer]:
    """Give a server of the legacy database's own."""
    one = LegacyServer(stack, tmp_path_factory.mktemp("server"))
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def began(server: LegacyServer, module_site: Callable[[], Any]) -> Iterator[CaredSite]:
    """Give a site whose legacy database is on that server, and whose snapshots have come."""
    site = module_site()
    lead_to(site.folder, site.variables, server)
    live = CaredSite(site.folder, orders=300)
    try:
        live.begin()
        yield live
    finally:
        live.end()


def live_on(cared: CaredSite) -> None:
    """Let the database have a future that will be lost, and that all regions know."""
    cared.work(seed=11, transactions=40)
    cared.legacy(
        "insert into erp.ord_hdr select n, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, null,"
        " localtimestamp from generate_series(800000001, 800000100) n"
    )
    cared.wait_for_quiet()
    assert cared.hub(LOST) == [(100,)]


def copy_and_live_on(cared: CaredSite, server: LegacyServer) -> None:
    """Copy the stopped server, slots too, before its lost future."""
    server.stop()
    server.copy_cold("before")
    server.start()
    live_on(cared)


def read_all_again(cared: CaredSite) -> None:
    """Read every module again, and find all of them equal, without a row of the lost future."""
    cared.read_again(*MODULES, deletes_max=100_000)  # all that was lost is deleted, too
    cared.check_equal()
    assert [cared.doubts(module) for module in MODULES] == [[], [], []]
    assert cared.hub(LOST) == [(0,)]
    cared.wait(lambda: not any(map(cared.findings, MODULES)), "nothing is found any more")


def check_found(cared: CaredSite, words: str, kind: str = BACK) -> None:
    """Check that care names it, has stopped and doubted every module, and does not forget it."""
    for module in MODULES:
        text = cared.wait_for_finding(kind, module)
        assert words in text
        assert f"snapshot --again {module}" in text
        cared.wait_for_state("STOPPED", module)
        cared.wait(lambda one=module: kind in " ".join(cared.doubts(one)), "the doubt")  # type: ignore[misc]


def pass_position(server: LegacyServer, position: object) -> bool:
    """Let the log grow towards a position; say whether it has passed it."""
    return bool(server.execute("select pg_switch_wal()", POSITION)[0][0] > position)  # type: ignore[operator]


def test_a_database_that_is_put_back_is_noticed_and_read_anew(
    cared: CaredSite, server: LegacyServer
) -> None:
    """Connectors stop before a new history is taken for the old one, and stay so beyond it."""
    with lasting_load(cared, seed=1, rate=RATE):
        cared.work(seed=10, transactions=40)
        server.kill()
        server.start()
        cared.wait_for_looks()
        assert cared.told(BACK) == 0, "a crash loses nothing that was captured"
        copy_and_live_on(cared, server)
        before = server.execute(POSITION)[0][0]
        server.stop()
        server.put_back("before")
        server.start()
        check_found(cared, "was at")
        cared.wait(lambda: pass_position(server, before), "the position of before is passed")
        cared.wait_for_looks()
        assert all(BACK in cared.findings(module) for module in MODULES)
    read_all_again(cared)


def test_a_database_that_was_put_back_while_nobody_looked_is_noticed(
    cared: CaredSite, server: LegacyServer
) -> None:
    """Its log has passed the old position: that it made fewer transactions than before tells it."""
    with lasting_load(cared, seed=2, rate=RATE):
        copy_and_live_on(cared, server)
        cared.administer(MANY, "checkpoint")
        cared.wait_for_looks()
        before = server.execute(POSITION)[0][0]
        cared.stop("care")
        server.stop()
        server.put_back("before")
        server.start()
        cared.wait(lambda: pass_position(server, before), "the position of before is passed")
        for module in MODULES:
            cared.wait_for_state("RUNNING", module)
        cared.administer("checkpoint")
        code, document = cared.run_json("reconcile", "--module", "sales")
        assert (code, document["verdict"]) == (1, "DIFF"), "Debezium has gone on without a word"
        cared.start("care")
        check_found(cared, "transaction")
    read_all_again(cared)


def test_a_recovery_to_a_point_in_time_is_noticed(cared: CaredSite, server: LegacyServer) -> None:
    """The recovered database goes on in a new timeline, with the slots of the old copy."""
    archive = server.make_folder("archive")
    with lasting_load(cared, seed=3, rate=RATE):
        server.stop()
        server.copy_cold("base")
        server.configure({"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"})
        server.start()
        cared.work(seed=31, transactions=20)
        server.execute("select pg_create_restore_point('good')")
        live_on(cared)
        server.stop()
        server.put_back("base")
        server.configure({
            "restore_command": f"cp {archive}/%f %p",
            "recovery_target_name": "good",
            "recovery_target_action": "promote",
        })  # fmt: skip
        server.signal_recovery("recovery")
        server.start()
        check_found(cared, "restored")
        timeline = "select left(pg_walfile_name(pg_current_wal_lsn()), 8)"
        assert server.execute(timeline) == [("00000002",)]
    read_all_again(cared)


def test_another_database_under_the_same_address_is_noticed(
    cared: CaredSite, server: LegacyServer
) -> None:
    """A dump that was restored elsewhere has other positions and no slots: nothing goes on."""
    with lasting_load(cared, seed=4, rate=RATE):
        server.dump("moved.sql")
        live_on(cared)
    server.restore_anew("moved.sql")
    with lasting_load(cared, seed=5, rate=RATE):
        check_found(cared, "is another one", "database changed")
        cared.wait_for_looks()
        assert all("database changed" in cared.findings(module) for module in MODULES)
    read_all_again(cared)
