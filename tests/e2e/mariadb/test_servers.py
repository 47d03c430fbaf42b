"""Connect, the broker and the database itself go away on MariaDB while several sessions work."""

from __future__ import annotations

import pytest
from cared_mariadb import CaredMariaDB
from change_log_reader import read_high_watermark, read_records
from fidelity_log import RawRecord
from mariadb_load import load
from mariadb_site import MODULE

from connectors.names import ModuleNames
from pipeline.local_stack.stack import LocalStack

pytestmark = pytest.mark.long

ROWS = 20_000


def test_connect_killed_during_a_snapshot_begins_it_again(cared: CaredMariaDB) -> None:
    """What the first attempt left is swept or overwritten; every region is whole in the end."""
    cared.legacy(f"insert into line select 500000 + seq, 1, 1, 0.5 from seq_1_to_{ROWS}")
    names = ModuleNames(cared.settings.site, MODULE)
    brokers = cared.settings.bootstrap_servers
    begin = read_high_watermark(brokers, names.changes)

    def is_line(record: RawRecord) -> bool:
        return b'"op":"r"' in record.value and b'"table":"line"' in record.value

    ((run,),) = cared.hub("select snapshot_run from hub.module")
    with load(cared, seed=4):
        cared.do("connectors", "snapshot", "--again", MODULE, "--raise-epoch", "--yes")
        read_records(brokers, names.changes, is_line, begin=begin)
        cared.connect.kill()
        cared.connect.start()
        cared.wait_for_state("RUNNING")
        cared.wait_for_snapshot(run + 1)
    cared.check_whole()


def test_a_restarted_broker_is_survived(cared: CaredMariaDB, stack: LocalStack) -> None:
    """Connect, translator, publisher, replicators and the care all find it again."""
    with load(cared, seed=5):
        stack.kill("kafka")
        stack.start("kafka")
        cared.wait_for_state("RUNNING")
    cared.check_whole()
    cared.wait_until_well()


def test_a_restarted_database_is_survived(cared: CaredMariaDB) -> None:
    """Its binary log goes on in another file: nothing is taken for a log that began anew."""
    cared.restart_server(lambda: None)
    with load(cared, seed=6):
        cared.wait_for_quiet()
    cared.check_whole()
    cared.wait_until_well()
    assert cared.told("database went back") == 0
