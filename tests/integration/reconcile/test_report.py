"""The report's three files, from a real reconciliation and real expectation suites."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from psycopg.types.json import Jsonb
from reconcile_landscape import Landscape

from pipeline.cli.app import run

# Great Expectations uses what it and its libraries call deprecated
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def report(landscape: Landscape, *arguments: str) -> int:
    """Run `isthmus report` on the landscape's site."""
    return run(["report", "--site", str(landscape.folder), "--timeout", "20", *arguments])


def test_report_of_a_site_in_sync(landscape: Landscape, capsys: pytest.CaptureFixture[str]) -> None:
    """All files are written, say MATCH for every table, and name nothing outside themselves."""
    assert report(landscape) == 0, capsys.readouterr().err
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in paths] == ["report.html", "report.json", "report.junit.xml"]
    page = paths[0].read_text()
    assert not re.search(r"https?:|//[a-z]|<script|@import|url\(", page)
    assert page.count("MATCH") > len(landscape.settings.regions)
    document = json.loads(paths[1].read_text())
    assert document["verdict"] == "MATCH"
    assert document["quality_failed"] == 0
    assert len(document["quality"]["results"]) > 10
    assert {table["state"] for table in document["reconciliation"]["tables"]} == {"MATCH"}
    assert {one["region"] for one in document["regions"]} == {"eu", "us"}
    junit = fromstring(paths[2].read_text())  # noqa: S314 - we wrote it
    assert (junit.get("failures"), junit.get("errors")) == ("0", "0")
    assert int(junit.get("tests", "0")) > 20


def test_report_of_differences_letters_and_incidents(
    landscape: Landscape, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed row, a broken expectation, a dead letter and an incident show; it exits 1."""
    first, second = [
        row[0] for row in landscape.store("eu", "select order_id from orders order by 1 limit 2")
    ]
    landscape.store("eu", "update orders set status = '<b>odd</b>' where order_id = %s", first)
    landscape.hub(
        "insert into hub.dead_letter (module, origin, aggregate, subject, root_key, reason)"
        " values ('sales', 'adapter', 'sales.Order', %s, %s, 'unknown <code>')",
        str(second),
        Jsonb([second]),
    )
    landscape.hub(
        "insert into hub.module (module, epoch, lsn, next_number, source_time)"
        " values ('sales', 1, 4711, 12, now())"
    )
    landscape.store(
        "us",
        "insert into replication.latency (minute, bucket, events, ms_max)"
        " values (date_trunc('minute', now()), 60, 1000, 101.5)",
    )
    incidents = landscape.settings.state_folder / "incidents.jsonl"
    incidents.write_text('{"at": "2026-11-23T10:00:00Z", "what": "SIGKILL", "detail": "eu"}\n')
    try:
        assert report(landscape, "--out", str(tmp_path)) == 1
    finally:
        incidents.unlink()
    page = (tmp_path / "report.html").read_text()
    assert "<b>odd" not in page
    assert "unknown &lt;code&gt;" in page
    assert "SIGKILL" in page
    assert f"order_id = {first}" in page
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["verdict"] == "DIFF"
    assert document["quality_failed"] == 1
    assert document["dead_letters_open"] == {"hub": 1, "eu": 0, "us": 0}
    sales = next(one for one in document["modules"] if one["module"] == "sales")
    assert sales["events_unpublished"] == 11
    assert sales["barrier_ms"] > 0
    us = next(one for one in document["regions"] if one["region"] == "us")
    assert us["latencies"][0]["ms_max"] == 101.5
    assert us["latencies"][0]["events"] == 1000
    junit = fromstring((tmp_path / "report.junit.xml").read_text())  # noqa: S314 - we wrote it
    failed = {
        (case.get("classname"), case.get("name"))
        for case in junit.iter("testcase")
        if case.find("failure") is not None
    }
    assert ("reconciliation.eu.sales", "orders") in failed
    assert ("dead letters", "hub") in failed
    assert len([group for group, _ in failed if group == "quality.eu"]) == 1
    capsys.readouterr()
    assert report(landscape, "--from-last", "--out", str(tmp_path), "--json") == 1
    assert json.loads(capsys.readouterr().out)["html"] == str(tmp_path / "report.html")


def test_report_from_last_needs_a_last(
    landscape: Landscape, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a recorded reconciliation `--from-last` says what to run, with exit code 2."""
    (landscape.settings.state_folder / "reconcile.json").unlink(missing_ok=True)
    assert report(landscape, "--from-last") == 2
    assert "isthmus reconcile" in capsys.readouterr().err
