"""Status, offsets and snapshots by command on MariaDB, while several sessions work."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cared_mariadb import CaredMariaDB
from change_log_reader import read_high_watermark, read_records
from fidelity_log import RawRecord
from mariadb_load import load
from mariadb_site import MODULE

from connectors.names import ModuleNames

pytestmark = pytest.mark.long


def test_status_tells_how_far_a_connector_is(cared: CaredMariaDB) -> None:
    """What it has not read is bytes of the binary log while it rests, and nothing afterwards."""
    cared.do("connectors", "stop", MODULE)
    with load(cared, seed=1):
        cared.wait(lambda: (cared.status()["lag_bytes"] or 0) > 20_000, "it falls behind")
    resting = cared.status()
    assert resting["state"] == "STOPPED"
    assert resting["lag_s"] > 0
    assert resting["last_event_age_s"] > 0
    assert resting["slot"] is None
    told = cared.run("connectors", "status")
    assert told.returncode == 1
    assert "kB" in told.stdout
    cared.do("connectors", "resume", MODULE)
    cared.wait_for_quiet()
    well = cared.status()
    assert (well["state"], well["findings"]) == ("RUNNING", [])
    assert well["lag_bytes"] < resting["lag_bytes"]
    assert well["translator_lag_records"] == 0
    assert cared.run("connectors", "status").returncode == 0


def test_what_another_offset_loses_or_repeats_is_said_before_it_is_set(
    cared: CaredMariaDB, tmp_path: Path
) -> None:
    """An older one repeats, which changes nothing; one that loses is not set unasked."""
    older, beyond = tmp_path / "older.json", tmp_path / "beyond.json"
    with load(cared, seed=2):
        cared.do("connectors", "offsets", "export", MODULE, str(older))
        cared.wait(lambda: read_number(cared) > number_in(older) + 20, "transactions behind it")
        running = cared.run("connectors", "offsets", "set", MODULE, str(older), "--yes")
        assert running.returncode == 2
        assert f"isthmus connectors stop {MODULE}" in running.stderr
    cared.wait_for_quiet()
    cared.do("connectors", "stop", MODULE)
    held = read_number(cared)
    for _ in range(3):
        cared.legacy("update ord set total = total + 1 where id = 1")
    for sequence, words in (
        (held + 3, "3 transactions up to GTID"),
        (held + 4, "beyond all that the server has logged"),
    ):
        document = json.loads(older.read_text())
        document["offsets"][0]["offset"] |= {"gtids": f"0-7-{sequence}", "event": 0}
        beyond.write_text(json.dumps(document))
        refused = cared.run("connectors", "offsets", "set", MODULE, str(beyond))
        assert refused.returncode in (1, 2)
        assert words in refused.stderr
    unasked = cared.run("connectors", "offsets", "reset", MODULE)
    assert unasked.returncode == 2
    assert f"snapshot --again {MODULE}" in unasked.stderr
    with load(cared, seed=3):
        said = cared.do("connectors", "offsets", "set", MODULE, str(older), "--yes")
        repeated = held - number_in(older)
        assert any(f"{repeated - less} transactions would be sent again" in said for less in (0, 1))
        cared.do("connectors", "resume", MODULE)
        cared.wait_for_state("RUNNING")
    cared.wait_until_well()
    cared.check_whole()
    assert cared.hub("select snapshot_run from hub.module") == [(1,)], "nothing was read again"


def number_in(file: Path) -> int:
    """Give the number of the last transaction that is done in exported offsets."""
    (entry,) = json.loads(file.read_text())["offsets"]
    return int(entry["offset"]["gtids"].rpartition("-")[2])


def read_number(cared: CaredMariaDB) -> int:
    """Read the number of the server's last transaction."""
    (gtid,) = cared.owner.execute("select @@gtid_binlog_pos")
    return int(gtid.rpartition("-")[2])


def test_an_offset_in_a_purged_file_is_refused(cared: CaredMariaDB, tmp_path: Path) -> None:
    """The connector is beyond it; who sets it back is told that its file is gone."""
    older = str(tmp_path / "older.json")
    cared.do("connectors", "offsets", "export", MODULE, older)
    with closing(cared.server.open_session()) as admin:
        admin.execute("flush binary logs")
        cared.check_whole()

        def is_purged() -> bool:
            files = [line.split("\t")[0] for line in admin.execute("show binary logs")]
            admin.execute(f"purge binary logs to '{files[-1]}'")
            return len(admin.execute("show binary logs")) == 1

        cared.wait(is_purged, "the binary log is purged")
    assert cared.findings() == {}
    cared.do("connectors", "stop", MODULE)
    refused = cared.run("connectors", "offsets", "set", MODULE, older, "--yes")
    assert refused.returncode == 1
    assert "behind the oldest binary log" in refused.stderr
    cared.do("connectors", "resume", MODULE)
    cared.check_whole()


def test_a_part_of_a_table_is_read_again(cared: CaredMariaDB) -> None:
    """Lost lines come back under load; a wrong condition, table or module is refused before."""
    for arguments, words in (
        (("line", "--where", "no_such = 1"), "--where is no condition on line"),
        (("no_such",), "no declared module captures no_such"),
        (("--pause", MODULE), "reads no table again now"),
    ):
        done = cared.run("connectors", "snapshot", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
    cared.legacy("replace into line values (20, 1, 1, 1), (21, 1, 1, 1), (22, 1, 1, 1)")
    cared.wait_for_quiet()
    cared.write_hub("delete from mirror.line where ord_id in (20, 21)")
    with load(cared, seed=4):
        said = cared.do("connectors", "snapshot", "line", "--where", "ord_id in (20, 21)")
        assert "2 rows read again" in said
    cared.check_whole()


def test_a_snapshot_is_paused_resumed_and_stopped(cared: CaredMariaDB) -> None:
    """A large table that is read again is held, goes on, and is given up on request."""
    cared.legacy("insert into line select 500000 + seq, 1, seq, 0.5 from seq_1_to_20000")
    cared.wait_for_quiet()
    with load(cared, seed=5):
        cared.do("connectors", "snapshot", "line", "--no-wait")
        cared.do("connectors", "snapshot", "--pause", MODULE)
        snapshot = cared.status()["snapshot"]
        assert snapshot["kind"] == "incremental"
        assert [one["table"] for one in snapshot["tables"]] == ["line"]
        assert 0 <= snapshot["fraction"] < 1
        assert "incremental snapshot" in cared.run("connectors", "status").stdout
        cared.do("connectors", "snapshot", "--resume", MODULE)
        cared.do("connectors", "snapshot", "--stop", MODULE)
    cared.check_whole()


def test_a_sweep_beyond_its_bound_stops_and_goes_on_when_it_is_allowed(
    cared: CaredMariaDB,
) -> None:
    """Rows that only the mirror has are not deleted before somebody has looked."""
    cared.write_hub(
        "insert into mirror.line (ord_id, no) select 900000000 + n, 1 from generate_series(1, 3) n"
    )
    again = ("connectors", "snapshot", "--again", MODULE, "--raise-epoch", "--yes")
    cared.do(*again, "--deletes-max", "1")
    assert cared.wait_for_end(f"translate-{MODULE}") == 1
    told = cared.tail(f"translate-{MODULE}")
    assert "nothing was deleted" in told
    assert "line 3" in told
    cared.do("connectors", "snapshot", MODULE, "--deletes-max", "3")
    cared.start(f"translate-{MODULE}")
    cared.check_whole()


def test_status_tells_how_far_an_initial_snapshot_is(cared: CaredMariaDB) -> None:
    """Tables that are done and rows so far are told; it is held at its last table, by a lock."""
    cared.legacy("replace into line select 600000 + seq, 1, seq, 0.5 from seq_1_to_20000")
    cared.wait_for_quiet()
    names = ModuleNames(cared.settings.site, MODULE)
    brokers = cared.settings.bootstrap_servers
    begin = read_high_watermark(brokers, names.changes)

    def is_line(record: RawRecord) -> bool:
        return b'"op":"r"' in record.value and b'"table":"line"' in record.value

    with closing(cared.session()) as holder, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(cared.read_again)
        read_records(brokers, names.changes, is_line, begin=begin)
        holder.execute("lock tables part write")
        cared.wait(lambda: rows_read(cared).get("ord", 0) > 0, "the table before it is read")
        found: dict[str, Any] = cared.status()["snapshot"]
        holder.execute("unlock tables")
        reading.result()
    assert found["kind"] == "initial"
    assert 0 < found["fraction"] < 1
    (line,) = [one for one in found["tables"] if one["table"] == "line"]
    assert line["done"]
    assert line["rows"] > 15_000
    assert line["estimated_rows"] > 10_000
    cared.check_whole()


def rows_read(cared: CaredMariaDB) -> dict[str, int]:
    """Return the rows of each table that the status tells of a snapshot."""
    snapshot = cared.status()["snapshot"] or {}
    return {one["table"]: one["rows"] for one in snapshot.get("tables", [])}
