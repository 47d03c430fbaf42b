"""How long `apply` waits for a connector, and which failures it takes for news."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any

import pytest

from connectors.apply import wait_until_running
from connectors.errors import Fatal, Unreachable
from connectors.waiting import RACES_MAX

CONFIG = {"name": "a", "topic": "new"}
RUNNING = {"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": "RUNNING"}]}


def failed(trace: str) -> dict[str, Any]:
    """Give the status of a connector whose task has failed."""
    task = {"id": 0, "state": "FAILED", "trace": trace, "worker_id": "w"}
    return {"connector": {"state": "RUNNING", "version": trace}, "tasks": [task]}


class TickingConnect:
    """A connector's states, a new one each time it is asked; the last one stays. A fake clock."""

    def __init__(self, *statuses: Mapping[str, Any]) -> None:
        self.statuses: Iterator[Mapping[str, Any]] = chain(statuses, repeat(statuses[-1]))
        self.now_s = 0.0
        self.restarts = 0

    def read_task_configs(self, name: str) -> list[dict[str, str]]:
        """Give the new config: the leader writes it before a worker starts the task with it."""
        return [{**CONFIG, "name": name}]

    def read_status(self, name: str) -> Mapping[str, Any]:
        """Give the next status."""
        del name
        return next(self.statuses)

    def restart(self, name: str, *, only_failed: bool) -> None:
        """Count it: the next status is that of the new start."""
        assert only_failed, name
        self.restarts += 1

    def wait(self, before: Mapping[str, Any] | None = None) -> None:
        """Wait for this connector, five seconds at the most."""
        wait_until_running(
            self,  # type: ignore[arg-type]
            "a",
            CONFIG,
            before=before,
            timeout_s=5,
            clock=lambda: self.now_s,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


def test_waiting_for_a_task_is_bounded() -> None:
    """A connector whose task never comes is Unreachable once the time is over."""
    with pytest.raises(Unreachable, match="did not run within 5 s; its state is connector RUNNING"):
        TickingConnect({"connector": {"state": "RUNNING"}, "tasks": []}).wait()


def test_a_task_that_fails_once_more_with_the_config_before_is_no_news() -> None:
    """The restart of a failed task may come before its new config: it fails as it did before."""
    before = {**failed("no such topic"), "type": "source"}
    connect = TickingConnect(failed("no such topic"), failed("no such topic"), RUNNING)
    connect.wait(before)
    assert 0 < connect.now_s < 5


def test_another_failure_is_told_at_once() -> None:
    """So is a first one; and the one from before, when it is still there in the end."""
    connect = TickingConnect(failed("no such slot"))
    for before in (None, failed("no such topic"), RUNNING):
        with pytest.raises(Fatal, match="task 0 has failed: no such slot"):
            connect.wait(before)
    assert connect.now_s == 0
    with pytest.raises(Fatal, match="task 0 has failed: no such slot"):
        connect.wait(failed("no such slot"))
    assert connect.now_s >= 5


def lost(start: int) -> dict[str, Any]:
    """Give the status of a task that lost Debezium's race in this start."""
    return failed(
        "org.apache.kafka.connect.errors.ConnectException: An exception occurred\n"
        "Caused by: java.util.concurrent.RejectedExecutionException: Task io.debezium.storage.kafka"
        f".history.KafkaSchemaHistory$$Lambda/0x44@4e rejected from x@{start}[Terminated]"
    )


def test_a_start_that_lost_a_race_is_repeated() -> None:
    """Once for each failure, however often its status is seen; and not for ever."""
    connect = TickingConnect(lost(1), lost(1), lost(1), lost(2), RUNNING)
    connect.wait()
    assert connect.restarts == 2
    connect = TickingConnect(*(lost(start) for start in range(RACES_MAX + 1)))
    with pytest.raises(Fatal, match=r"task 0 has failed: .*ConnectException: .* <- .*Rejected"):
        connect.wait()
    assert connect.restarts == RACES_MAX
