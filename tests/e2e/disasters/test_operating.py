"""Offsets and snapshots by command, while the legacy application works."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cared_site import CaredSite

pytestmark = pytest.mark.long


def test_only_an_offset_that_loses_nothing_is_set(cared: CaredSite, tmp_path: Path) -> None:
    """An older one would break the log's chain and is refused; the present one changes nothing."""
    older, present = str(tmp_path / "older.json"), str(tmp_path / "present.json")
    with cared.load(seed=1):
        cared.do("connectors", "offsets", "export", "sales", older)
        cared.work(seed=10)
        running = cared.run("connectors", "offsets", "set", "sales", older, "--yes")
        assert running.returncode == 2
        assert "isthmus connectors stop sales" in running.stderr
        cared.do("connectors", "stop", "sales")
        refused = cared.run("connectors", "offsets", "set", "sales", older, "--yes")
        assert refused.returncode == 1
        assert "would seem to have a hole" in refused.stderr
        cared.do("connectors", "offsets", "export", "sales", present)
        unasked = cared.run("connectors", "offsets", "set", "sales", present)
        assert unasked.returncode == 2
        assert "say --yes" in unasked.stderr
        said = cared.do("connectors", "offsets", "set", "sales", present, "--yes")
        assert "transactions would be sent again" in said
        cared.do("connectors", "resume", "sales")
        cared.wait_for_state("RUNNING")
    cared.check_equal()


def test_a_hole_in_the_log_is_passed_over_by_a_new_epoch(cared: CaredSite) -> None:
    """Offsets that somebody set over REST make one; the translator stops, and goes on behind it."""
    with cared.load(seed=5):
        cared.do("connectors", "stop", "sales")
        offsets = cared.connect("GET", "/sales/offsets").json()
        offsets["offsets"][0]["offset"]["lsn_commit"] -= 8  # what the next transaction will name
        assert cared.connect("PATCH", "/sales/offsets", offsets).ok
        cared.do("connectors", "resume", "sales")
        assert cared.wait_for_end("translate-sales") == 1
        assert "transactions are missing" in cared.tail("translate-sales")
        cared.do("connectors", "snapshot", "--again", "sales", "--raise-epoch", "--skip", "--yes")
        cared.start("translate-sales")
    cared.check_equal()


def test_a_part_of_a_table_is_read_again_and_all_is_held_until_it_has_landed(
    cared: CaredSite,
) -> None:
    """Lost lines come back; a wrong condition, table or module is refused beforehand."""
    for arguments, words in (
        (("ord_lin", "--where", "no_such = 1"), "--where is no condition on ord_lin"),
        (("no_such",), "no declared module captures no_such"),
        (("cust_mstr",), "signal.data.collection"),
        (("--pause", "sales"), "reads no table again now"),
    ):
        done = cared.run("connectors", "snapshot", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
    cared.write_hub("delete from mirror.ord_lin where ord_no in (20, 21)")
    with cared.load(seed=2):
        said = cared.do("connectors", "snapshot", "ord_lin", "--where", "ord_no in (20, 21)")
        assert "rows read again" in said
    cared.check_equal()


def test_a_sweep_beyond_its_bound_stops_and_goes_on_when_it_is_allowed(cared: CaredSite) -> None:
    """Rows that only the mirror has are not deleted before somebody has looked."""
    cared.write_hub(
        "insert into mirror.shipmt select 900000000 + n, ord_no, ship_dt, carr_cd, trk_no, stat_cd"
        " from mirror.shipmt, generate_series(1, 3) n where ord_no = (select min(ord_no) from"
        " mirror.shipmt)"
    )
    cared.do(
        "connectors", "snapshot", "--again", "sales", "--raise-epoch", "--yes", "--deletes-max", "1"
    )
    assert cared.wait_for_end("translate-sales") == 1
    told = cared.tail("translate-sales")
    assert "nothing was deleted" in told
    assert "shipmt 3" in told
    cared.do("connectors", "snapshot", "sales", "--deletes-max", "3")
    cared.start("translate-sales")
    cared.check_equal()


def test_a_snapshot_is_paused_resumed_and_stopped(cared: CaredSite) -> None:
    """A large table that is read again can be held, goes on, and is given up on request."""
    cared.legacy(
        "insert into erp.ord_hdr select n, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, null,"
        " localtimestamp from generate_series(700000001, 700060000) n"
    )
    cared.wait_for_quiet()
    cared.do("connectors", "snapshot", "ord_hdr", "--no-wait")
    cared.do("connectors", "snapshot", "--pause", "sales")
    _, document = cared.run_json("connectors", "status")
    (sales,) = [one for one in document["connectors"] if one["name"].endswith(".sales")]
    assert sales["snapshot"]["kind"] == "incremental"
    assert [one["table"] for one in sales["snapshot"]["tables"]] == ["ord_hdr"]
    cared.do("connectors", "snapshot", "--resume", "sales")
    cared.do("connectors", "snapshot", "--stop", "sales")
    cared.check_equal()


def test_status_tells_how_far_a_snapshot_is(cared: CaredSite) -> None:
    """While a module is read anew, tables that are done and rows so far are in the status.

    The snapshot is held at its last table, by a lock that is taken once its slot is there.
    """
    cared.legacy(
        "insert into erp.ord_hdr select n, 1, 20260101, 'N', 'EUR', 'clerk', '1.50', 0, 150, null,"
        " localtimestamp from generate_series(710000001, 710030000) n"
    )
    cared.wait_for_quiet()
    ((before,),) = cared.hub("select snapshot_run from hub.module where module = 'sales'")
    with (
        psycopg.connect(cared.settings.legacy.owner_url) as holder,
        ThreadPoolExecutor(1) as pool,
    ):
        reading = pool.submit(cared.read_again)
        cared.wait(lambda: _reads(cared, before + 1), "the new snapshot")
        holder.execute("lock table erp.shipmt in access exclusive mode")
        cared.wait(lambda: _rows_read(cared).get("ord_hdr", 0) > 1_000, "rows in the status")
        cared.wait(lambda: _rows_read(cared).get("ord_lin", 0) > 0, "the next table")
        found = _find_snapshot(cared)
        holder.rollback()
        reading.result()
    assert found["kind"] == "initial"
    assert 0 < found["fraction"] < 1
    assert {one["table"]: one["done"] for one in found["tables"]}["ord_hdr"]
    cared.check_equal()


def _reads(cared: CaredSite, run: int) -> bool:
    """Say whether the translator has seen this snapshot begin, and its slot is there."""
    slot = (
        "select 1 from pg_replication_slots where confirmed_flush_lsn is not null"
        f" and slot_name = '{cared.slot()}'"
    )
    found = cared.hub("select snapshot_run, snapshot from hub.module where module = 'sales'")
    return found == [(run, "running")] and bool(cared.administer(slot))


def _find_snapshot(cared: CaredSite) -> dict[str, Any]:
    """Return what the status says of the snapshot of sales; {} when it says nothing."""
    _, document = cared.run_json("connectors", "status")
    (sales,) = [one for one in document["connectors"] if one["name"].endswith(".sales")]
    return sales["snapshot"] or {}


def _rows_read(cared: CaredSite) -> dict[str, int]:
    return {one["table"]: one["rows"] for one in _find_snapshot(cared).get("tables", [])}
