"""The long torture: `make soak MINUTES=60 SEED=7 SPACING=14`; reports/ has journal and summary."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torture.run import Options, Torture

from pipeline.local_stack.stack import LocalStack

REPORTS = Path(__file__).resolve().parents[2] / "reports"
MINUTES = float(os.environ.get("MINUTES") or 60)
SPACING_SECONDS = float(os.environ.get("SPACING") or 14)
"""Mean distance from one fault to the next."""
AROUND_SECONDS = 1_800
"""For what comes before and after the faults: set-up, catching up, reading every record again."""


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + AROUND_SECONDS)
def test_a_long_torture_loses_doubles_reorders_and_tears_nothing(
    stack: LocalStack, site: Callable[[], Any]
) -> None:
    """Every kind of fault on every target, again and again; then the oracle finds nothing."""
    seed = int(os.environ.get("SEED") or secrets.randbelow(1_000_000))
    tortured = site()
    options = Options(
        seed=seed,
        seconds=MINUTES * 60,
        report=REPORTS / f"torture-{seed}",
        spacing_s=SPACING_SECONDS,
        orders=2_000,
        quiet_seconds_max=600.0,
    )
    facts = Torture(stack, tortured.folder, tortured.variables, options).run()
    summary = options.report.with_suffix(".txt").read_text()
    print(summary)  # noqa: T201 - the result of a long run, shown by `make soak`
    assert facts.passed, summary
