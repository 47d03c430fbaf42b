"""The report's page and JUnit document, made of values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from pipeline.hub.doubts import OpenDoubt
from pipeline.reconcile.record import record_document
from pipeline.reconcile.result import Reconciliation, State
from pipeline.report.facts import (
    Latency,
    Letters,
    ModuleLag,
    Quality,
    QualityResult,
    RegionLag,
    Report,
)
from pipeline.report.junit import render_junit
from pipeline.report.page import render_page, show_milliseconds, show_moment

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def make_table(state: State, region: str = "eu", **changes: Any) -> dict[str, Any]:
    """Make a table of a reconciliation's record."""
    counts = dict.fromkeys(("rows", "missing", "extra", "changed", "undecided"), 0)
    names = {"module": "sales", "table": "orders", "region": region, "state": state.value}
    return {**names, **counts, "position": None, "keys": [], "problem": None, **changes}


def make_report(*tables: dict[str, Any], verdict: State = State.MATCH) -> Report:
    """Make a report with one region and nothing wrong but what `tables` say."""
    return Report(
        site="retail",
        made_at=NOW,
        reconciliation={
            "verdict": verdict.value,
            "tables": list(tables),
            "barrier": "b",
            "started_at": NOW.isoformat(),
            "finished_at": NOW.isoformat(),
        },
        modules=(ModuleLag("sales", "p", NOW, 3, 0, 12.0),),
        regions=(RegionLag("eu", {"sales": None}, (Latency("an hour", 5, 1, 2, 3, 4),)),),
        quality=Quality(NOW, (QualityResult("eu", "orders", "e", "c", success=True),)),
        letters=Letters({"hub": 0, "eu": 0}, ()),
        incidents=(),
    )


@pytest.mark.parametrize("state", list(State))
def test_every_state_renders_and_has_its_exit_code(state: State) -> None:
    """A page can be made of every verdict, and spells it out."""
    report = make_report(make_table(state, problem="why"), verdict=state)
    page = render_page(report)
    assert f">{state.value}</span>" in page
    assert "http" not in page.replace("http-equiv", "")
    assert report.exit_code == {"MATCH": 0, "LAGGING": 4, "UNDECIDED": 4}.get(state.value, 1)


def test_a_doubt_that_is_open_is_told() -> None:
    """Whoever signs sees which transaction may lack rows; without doubts nothing is said."""
    noted = OpenDoubt("sales", 1, 2, 741, 90_210, NOW)
    found = Reconciliation((), "b", NOW, NOW, (noted,))
    doubted = replace(make_report(), reconciliation=record_document(found))
    assert "sales: a connector started within transaction 741 (offset 90210" in render_page(doubted)
    assert doubted.document()["reconciliation"]["doubts"][0]["transaction"] == 741
    assert "may lack rows" not in render_page(make_report())


def test_page_without_anything_renders() -> None:
    """A site where nothing ran yet has a page too."""
    report = replace(make_report(), modules=(), regions=(RegionLag("eu", {}, ()),), quality=None)
    page = render_page(report)
    assert "No module was translated yet" in page
    assert "Nothing was replicated yet" in page
    assert "were not run" in page


def test_data_is_escaped() -> None:
    """Keys and reasons from data can't become markup, in the page or in the XML."""
    finding = {"key": {"id": "<i>\x01"}, "kind": "quarantined", "columns": [], "reason": "a<b&c"}
    report = make_report(make_table(State.QUARANTINED, keys=[finding]), verdict=State.QUARANTINED)
    page = render_page(report)
    assert "<i>" not in page
    assert "a&lt;b&amp;c" in page
    failure = fromstring(render_junit(report)).find(".//failure")  # noqa: S314 - we wrote it
    assert failure is not None
    assert failure.text == "quarantined id=<i>\N{REPLACEMENT CHARACTER}"


def test_failed_quality_is_exit_code_1() -> None:
    """An expectation that is not met makes a matching report fail."""
    failed = QualityResult("eu", "orders", "e", "c", False, 2, 10)
    report = replace(make_report(make_table(State.MATCH)), quality=Quality(NOW, (failed,)))
    assert (report.verdict, report.exit_code) == (State.MATCH, 1)
    assert "2 of 10 rows" in render_junit(report)


def test_junit_tells_failures_from_errors() -> None:
    """A difference is a failure, an undecided table an error; the counts are right."""
    report = make_report(
        make_table(State.MATCH, "us"),
        make_table(State.DIFF, missing=2, changed=1),
        make_table(State.LAGGING, "us", problem="region us did not pass"),
        verdict=State.DIFF,
    )
    report = replace(report, letters=Letters({"hub": 2, "eu": 0}, ()))
    junit = fromstring(render_junit(report))  # noqa: S314 - we wrote it
    assert (junit.get("tests"), junit.get("failures"), junit.get("errors")) == ("6", "2", "1")
    failure, error = junit.find(".//failure"), junit.find(".//error")
    assert failure is not None
    assert error is not None
    assert failure.get("message") == "2 missing, 1 changed"
    assert error.get("message") == "region us did not pass"


def test_document_is_plain() -> None:
    """report.json holds texts, numbers and lists only."""
    document = make_report(make_table(State.MATCH)).document()
    assert document["quality"]["finished_at"] == NOW.isoformat()
    assert document["regions"][0]["latencies"][0]["ms_p95"] == 2
    assert document["dead_letters_open"] == {"hub": 0, "eu": 0}


def test_times_are_shown_in_their_unit() -> None:
    """Durations are shown in milliseconds, seconds or minutes, moments in UTC."""
    shown = [show_milliseconds(value) for value in (0.4, 999, 1_500, 150_000)]
    assert shown == ["0 ms", "999 ms", "1.5 s", "2.5 min"]
    assert show_moment("2026-11-23T12:00:00+01:00") == "2026-11-23 11:00:00 UTC"
    assert show_moment(None) == show_milliseconds(None) == "\N{EN DASH}"
