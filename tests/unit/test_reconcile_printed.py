"""What a person reads of a reconciliation."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from pipeline.cli.reconcile import print_result
from pipeline.reconcile.result import Reconciliation, State, TableResult

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def test_names_are_whole_in_a_narrow_terminal() -> None:
    """A table that is cut to fit tells nothing of which one differs."""
    name = "customer_demographics_of_long_ago"
    tables = (TableResult("sales", name, "eu", State.QUARANTINED, rows=1_234_567),)
    text = io.StringIO()
    print_result(Reconciliation(tables, "b", NOW, NOW), Console(file=text, width=40))
    assert f"sales  {name} eu     QUARANTINED 1,234,567" in text.getvalue()
