"""The rules of care about connectors that have failed, or say nothing any more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from health_facts import CONFIG, CONNECTOR, LIMITS, WELL, failed, only, source

from connectors.health.facts import (
    LogFacts,
    ModuleFacts,
)
from connectors.health.finding import Kind, Remedy
from connectors.health.rules import find


def test_a_failure_that_may_pass_is_restarted() -> None:
    """A lost connection is answered with a restart; the trace's first and last cause are told."""
    trace = "ConnectException: stopped\n\tat x\nCaused by: java.io.EOFException: gone"
    found = only(failed(trace))
    assert found.remedy is Remedy.RESTART
    assert "stopped <- java.io.EOFException: gone" in found.text


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        ("x, but this is no longer available on the server. Reconfigure", "--again sales"),
        ('ERROR: can no longer access replication slot "s"', "slot is lost"),
        ("Publication autocreation is disabled, please create one", "publication is gone"),
        ("Caused by: org.apache.kafka.common.errors.RecordTooLargeException: 30", "record_bytes"),
        ('FATAL: password authentication failed for user "c"', "can't log in"),
        ("ERROR: permission denied for table ord_hdr", "lacks a right"),
        ("Could not find first log file name in binary log index file", "--again sales"),
    ],
)
def test_a_failure_that_a_restart_cannot_mend_is_named(trace: str, words: str) -> None:
    """It is not restarted, and its message says what is to be done."""
    found = only(failed(trace))
    assert found.remedy is Remedy.NONE
    assert "a restart can't help" in found.text
    assert words in found.text


def test_a_failed_connector_is_not_restarted_where_it_is_to_be_stopped() -> None:
    """A dropped slot makes the task fail, too: the graver finding decides."""
    facts = replace(failed("EOF"), source=source(slot=None).source)
    found = find(facts, LIMITS)
    assert [one.kind for one in found] == [Kind.SLOT_MISSING, Kind.CONNECTOR_FAILED]
    assert [one.remedy for one in found] == [Remedy.STOP, Remedy.NONE]


SLOW = {"database.server.id": "7", "connect.keep.alive.interval.ms": "90000"}
"""MariaDB's server says each 72 s that it is there, and Debezium writes a heartbeat then."""


def silent(**changes: object) -> ModuleFacts:
    """Give the facts of a module whose log was written two minutes ago."""
    return replace(WELL, log=LogFacts(0, 500, 880_000), **changes)  # type: ignore[arg-type]


def test_a_connector_without_heartbeats_is_restarted() -> None:
    """RUNNING says nothing when not even heartbeats arrive."""
    found = only(silent())
    assert (found.kind, found.remedy) == (Kind.CONNECTOR_SILENT, Remedy.RESTART)
    assert "120 s" in found.text


@pytest.mark.parametrize(
    "facts",
    [
        silent(running_s=5.0),
        silent(source=None, seen=None, wanted_publication=None, wanted=SLOW, agreed=SLOW,
               connector=replace(CONNECTOR, config=SLOW)),
        silent(running_s=None),
        silent(wanted=CONFIG | {"heartbeat.interval.ms": "60000"}, agreed=None,
               connector=replace(CONNECTOR, config=CONFIG | {"heartbeat.interval.ms": "60000"})),
    ],
)  # fmt: skip
def test_one_that_has_just_begun_or_is_not_due_is_not_silent(facts: ModuleFacts) -> None:
    """A connector that was resumed a moment ago, or beats seldom, is given its time."""
    assert find(facts, LIMITS) == []


def test_a_snapshot_is_never_restarted_for_its_silence() -> None:
    """It would begin again: whatever it waits for, that is only told."""
    reading = replace(CONNECTOR, offset={"lsn": 9_900, "snapshot": "INITIAL"})
    assert only(silent(connector=reading)).remedy is Remedy.NONE


def test_a_log_that_is_held_is_told_with_what_ends_it() -> None:
    """Its offset and the command are told, the silence behind it is not answered by a restart."""
    held = replace(WELL, log=LogFacts(0, 480, 880_000, 500), held_s=2 * LIMITS.silence_s_max)
    found = {one.kind: one for one in find(held, LIMITS)}
    assert set(found) == {Kind.LOG_HELD, Kind.CONNECTOR_SILENT}
    assert (
        "--topic retail.sales.changes --partition 0 --start-offset 480" in found[Kind.LOG_HELD].text
    )
    assert {one.remedy for one in found.values()} == {Remedy.NONE}
    assert Kind.LOG_HELD not in {one.kind for one in find(replace(held, held_s=5.0), LIMITS)}
