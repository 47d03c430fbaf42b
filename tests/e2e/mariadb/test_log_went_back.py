"""The binary log begins anew under a running connector: RESET MASTER, or a restored server."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from cared_mariadb import CaredMariaDB
from mariadb_load import load
from mariadb_site import MODULE

pytestmark = pytest.mark.long


def reset_master(cared: CaredMariaDB) -> None:
    """Do what an administrator does who thinks that no replica is left."""
    with closing(cared.server.open_session()) as admin:
        admin.execute("reset master")


def read_number(cared: CaredMariaDB) -> int:
    """Read the last transaction's number, in the only GTID domain."""
    (gtid,) = cared.owner.execute("select @@gtid_binlog_pos")
    return int(gtid.rpartition("-")[2] or 0)


def check_stopped_and_survived(cared: CaredMariaDB) -> None:
    """Assert that the connector is stopped and the module doubted, and all is well once read."""
    text = cared.wait_for_finding("database went back")
    assert f"snapshot --again {MODULE}" in text
    cared.wait_for_state("STOPPED")
    cared.wait(lambda: "database went back" in cared.doubts(), "the doubt")
    with load(cared, seed=9):
        cared.read_again()
    cared.wait_until_well()
    cared.check_whole()
    assert cared.doubts() == []


def test_a_reset_under_load_is_found(cared: CaredMariaDB) -> None:
    """The connector would read the new log from the middle on, and tell nobody what it skips."""
    assert cared.findings() == {}
    with load(cared, seed=1):
        reset_master(cared)
        cared.wait_for_finding("database went back")
    check_stopped_and_survived(cared)


def test_a_reset_that_nobody_watched_is_found_when_the_log_has_outgrown_its_end(
    cared: CaredMariaDB,
) -> None:
    """The new log has more transactions and is longer: only what stands in it is different."""
    assert cared.stop("care") == 0
    before = read_number(cared)
    reset_master(cared)
    cared.legacy("insert into ord (id, cust, placed, note) values (80001, 1, now(6), 'only here')")
    with load(cared, seed=2):
        cared.wait(lambda: read_number(cared) > before + 10, "the log has outgrown its end")
    cared.start("care")
    check_stopped_and_survived(cared)


def test_a_server_restored_from_an_earlier_copy_is_found(
    cared: CaredMariaDB, tmp_path: Path
) -> None:
    """Rows of the lost future are swept from every region, those of the new one are there."""
    cared.restart_server(lambda: cared.server.copy_data(tmp_path / "copy"))
    with load(cared, seed=3):
        cared.legacy("insert into ord (id, cust, placed) values (80002, 1, now(6))")
        cared.wait_for_quiet()
    assert cared.store("eu", "select 1 from ord where id = 80002") == [(1,)]
    cared.restart_server(lambda: cared.server.restore_data(tmp_path / "copy"))
    cared.legacy("insert into ord (id, cust, placed) values (80003, 1, now(6))")
    check_stopped_and_survived(cared)
    for region in cared.settings.regions:
        found = cared.store(region, "select id::bigint from ord where id in (80002, 80003)")
        assert found == [(80003,)]
