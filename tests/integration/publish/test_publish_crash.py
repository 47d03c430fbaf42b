"""`isthmus publish` killed with SIGKILL at each of its steps, and stopped in good order."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter, defaultdict
from typing import Any

import pytest

from pipeline.failpoints import FAILPOINTS

EVENTS = 12_000
"""Two full batches of the publisher and a part: it dies in the second."""
FINISH_SECONDS_MAX = 60
REPEATED = {
    "publish.before_produce": 0,
    "publish.before_commit": 0,
    "publish.after_commit": 5_000,
    "publish.after_mark": 0,
}


def _wait_for_mark(scene: Any, process: subprocess.Popen[str], number: int) -> None:
    deadline = time.monotonic() + FINISH_SECONDS_MAX
    while scene.store.mark() != number:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"the mark stays at {scene.store.mark()}"
        time.sleep(0.05)


def _finish(scene: Any) -> None:
    process = scene.publish()
    try:
        _wait_for_mark(scene, process, scene.store.last)
    finally:
        process.terminate()
        process.communicate(timeout=FINISH_SECONDS_MAX)
    assert process.returncode == 0


def test_the_failpoints_of_the_publisher_are_those_tested_here() -> None:
    """A step that is added without a test is found."""
    assert {name for name in FAILPOINTS if name.startswith("publish.")} == set(REPEATED)


@pytest.mark.parametrize("failpoint", REPEATED)
def test_a_crash_loses_nothing(scene: Any, failpoint: str) -> None:
    """The next publisher goes on from the mark: all events, the same ids, order per key."""
    ids = scene.store.append_states(EVENTS, subjects=50)
    process = scene.publish(failpoint=f"{failpoint}:2")
    _, stderr = process.communicate(timeout=FINISH_SECONDS_MAX)
    assert process.returncode == -signal.SIGKILL
    assert f"failpoint {failpoint} reached" in stderr
    assert scene.store.mark() == (10_000 if failpoint == "publish.after_mark" else 5_000)
    _finish(scene)
    messages = scene.read(EVENTS + REPEATED[failpoint])
    counts = Counter(dict(one.headers())["ce_id"].decode() for one in messages)
    assert set(counts) == set(ids)
    assert sum(counts.values()) - EVENTS == REPEATED[failpoint]
    first_seen = defaultdict(list)
    for message in messages:
        headers = dict(message.headers())
        if headers["ce_sequence"] not in first_seen[message.key()]:
            first_seen[message.key()].append(headers["ce_sequence"])
    assert all(one == sorted(one) for one in first_seen.values())


def test_read_committed_consumers_do_not_see_what_was_aborted(scene: Any) -> None:
    """The records of the transaction that died are in the log, and nobody is shown them."""
    scene.store.append_states(100)
    process = scene.publish(failpoint="publish.before_commit")
    process.communicate(timeout=FINISH_SECONDS_MAX)
    assert scene.read(0) == []
    _finish(scene)
    assert len(scene.read(100)) == 100
    assert len(scene.read(200, isolation="read_uncommitted")) == 200


def test_sigterm_finishes_the_batch(scene: Any) -> None:
    """Exit code 0, and the mark says exactly what is in the topic."""
    process = scene.publish()
    scene.store.append_states(EVENTS)
    deadline = time.monotonic() + FINISH_SECONDS_MAX
    while not scene.store.mark():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.terminate()
    process.communicate(timeout=FINISH_SECONDS_MAX)
    assert process.returncode == 0
    mark = scene.store.mark()
    assert len(scene.read(mark)) == mark
