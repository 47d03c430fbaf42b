"""Two minutes of torture: everything is struck while the clerks work, and nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torture.plan import Kind
from torture.run import Options, Torture

from pipeline.local_stack.stack import LocalStack

SEED = 1223
"""Strikes servers, links and processes of every stage, and ends early enough."""
SECONDS = 120.0
SPACING_SECONDS = 8.0


def test_two_minutes_of_faults_lose_double_reorder_and_tear_nothing(
    stack: LocalStack, site: Callable[[], Any], tmp_path: Path
) -> None:
    """Kills, pauses, zombies, restarts and cuts of all parts, then the oracle finds nothing."""
    tortured = site()
    options = Options(
        seed=SEED,
        seconds=SECONDS,
        report=tmp_path / "torture",
        spacing_s=SPACING_SECONDS,
        orders=300,
    )
    facts = Torture(stack, tortured.folder, tortured.variables, options).run()
    summary = options.report.with_suffix(".txt").read_text()
    assert facts.passed, summary
    assert {fault.kind for fault in facts.faults} == set(Kind), summary
    assert facts.figures["transactions in change logs"] > SECONDS, summary
    assert facts.figures["domain events"] > SECONDS, summary


def test_the_stack_is_whole_afterwards(stack: LocalStack) -> None:
    """What was killed, paused and cut off runs again, on the ports that it had."""
    assert {service.state for service in stack.status()} == {"running"}
