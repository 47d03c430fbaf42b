"""The log of a child: its bound, and the last words in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.run.child_log import MESSAGE_CHARS_MAX, find_message, read_last_message, rotate_log

BATCH = json.dumps({"event": "translate.batch", "level": "info", "rows": 3})
RETRY = json.dumps({"event": "publish.retry", "level": "warning", "reason": "no broker"})


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], None),
        (["", BATCH, ""], None),
        ([BATCH, RETRY], RETRY),
        ([RETRY, BATCH], None),
        ([BATCH, "isthmus: no hub: start it"], "no hub: start it"),
        (
            ["isthmus: old", BATCH, "isthmus: it broke:", "  here", "and there"],
            "it broke:\n  here\nand there",
        ),
        (["Traceback (most recent call last):", "  File", "KeyError: 'x'"], "KeyError: 'x'"),
        ([BATCH, "12"], "12"),
        ([BATCH, "failpoint x reached: killing"], "failpoint x reached: killing"),
    ],
)
def test_the_last_message_is_the_complaint(lines: list[str], message: str | None) -> None:
    """The program's own message counts whole; else the last line, unless it is an ordinary one."""
    assert find_message("\n".join(lines)) == message


def test_a_message_has_a_bound() -> None:
    """It goes into a small file that others read."""
    found = find_message("isthmus: " + "x" * 100_000)
    assert found is not None
    assert len(found) == MESSAGE_CHARS_MAX


def test_only_what_was_said_since_the_start_counts(tmp_path: Path) -> None:
    """The message of the run before is not the message of this one."""
    log = tmp_path / "publish.log"
    log.write_text("isthmus: the last time\n")
    begin = log.stat().st_size
    assert read_last_message(log, begin) is None
    with log.open("a") as file:
        file.write("isthmus: this time\n")
    assert read_last_message(log, begin) == "this time"
    assert "no log" in (read_last_message(tmp_path / "absent.log", 0) or "")


def test_a_large_log_is_put_aside_and_one_old_one_is_kept(tmp_path: Path) -> None:
    """A small one is gone on with."""
    log, old = tmp_path / "publish.log", tmp_path / "publish.log.1"
    rotate_log(log, bytes_max=10)
    log.write_text("0123456789")
    rotate_log(log, bytes_max=10)
    assert log.exists()
    for text in ("first and large", "second and large"):
        log.write_text(text)
        rotate_log(log, bytes_max=10)
        assert not log.exists()
        assert old.read_text() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["publish.log.1"]
