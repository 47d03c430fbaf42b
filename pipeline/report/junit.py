"""The report as JUnit XML, for build servers: a case per table and region, and per expectation.

Enters: a `Report`. Leaves: the XML's text. A difference is a failure; what could not be decided
(LAGGING, UNDECIDED, ERROR) is an error, so that no gate takes it for a pass.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pipeline.reconcile.result import State
from pipeline.report.facts import QualityResult, Report

_FAILURES = frozenset({State.DIFF, State.QUARANTINED})
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
KEYS_IN_MESSAGE_MAX = 20


def render_junit(report: Report) -> str:
    """Render the report's JUnit document."""
    root = Element("testsuites", {"name": f"isthmus {report.site}"})
    timestamp = str(report.reconciliation["finished_at"])
    suite = _suite(root, "reconciliation", timestamp)
    for table in report.reconciliation["tables"]:
        _add_table(suite, table)
    if report.quality is not None:
        suite = _suite(root, "quality", report.quality.finished_at.isoformat())
        for result in report.quality.results:
            _add_expectation(suite, result)
    suite = _suite(root, "dead letters", report.made_at.isoformat())
    for where, count in report.letters.counts.items():
        case = _case(suite, "dead letters", where)
        if count:
            _problem(case, "failure", "open", f"{count} open dead letters: isthmus deadletters")
    _count(root)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_table(suite: Element, table: dict[str, Any]) -> None:
    state = State(table["state"])
    case = _case(suite, f"reconciliation.{table['region']}.{table['module']}", table["table"])
    if state is State.MATCH:
        return
    counts = ", ".join(
        f"{table[name]} {name}"
        for name in ("missing", "extra", "changed", "undecided")
        if table[name]
    )
    message = table.get("problem") or counts or "aggregates with open dead letters"
    keys = "\n".join(map(_show_key, table["keys"][:KEYS_IN_MESSAGE_MAX]))
    _problem(case, "failure" if state in _FAILURES else "error", state.value, message, keys)


def _show_key(finding: dict[str, Any]) -> str:
    key = ", ".join(f"{name}={value}" for name, value in finding["key"].items())
    columns = f" ({', '.join(finding['columns'])})" if finding["columns"] else ""
    return f"{finding['kind']} {key}{columns}"


def _add_expectation(suite: Element, result: QualityResult) -> None:
    name = f"{result.table}.{result.column} {result.expectation}"
    case = _case(suite, f"quality.{result.region}", name)
    if result.error is not None:
        _problem(case, "error", "not evaluated", result.error)
    elif not result.success:
        of = "" if result.element_count is None else f" of {result.element_count}"
        found = "" if result.unexpected_count is None else f": {result.unexpected_count}{of} rows"
        _problem(case, "failure", result.expectation, f"not met{found}")


def _suite(root: Element, name: str, timestamp: str) -> Element:
    return SubElement(root, "testsuite", {"name": name, "timestamp": timestamp})


def _case(suite: Element, group: str, name: str) -> Element:
    return SubElement(suite, "testcase", {"classname": _clean(group), "name": _clean(name)})


def _problem(case: Element, tag: str, type_: str, message: str, text: str = "") -> None:
    problem = SubElement(case, tag, {"type": type_, "message": _clean(message)})
    problem.text = _clean(text) or None


def _count(root: Element) -> None:
    for element in (*root.findall("testsuite"), root):
        cases = element.findall(".//testcase")
        element.set("tests", str(len(cases)))
        element.set("failures", str(len(element.findall(".//failure"))))
        element.set("errors", str(len(element.findall(".//error"))))
        element.set("skipped", "0")
        element.set("time", "0")


def _clean(text: str) -> str:
    """Replace what XML 1.0 can't hold."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
