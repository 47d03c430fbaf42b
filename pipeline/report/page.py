"""The report as one HTML page that needs nothing from anywhere: styles inside, no scripts.

Enters: a `Report`. Leaves: the page's text. Everything that comes from data is escaped.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import jinja2

from pipeline.reconcile.result import MIRROR, State
from pipeline.report.facts import Report

TEMPLATE = "report.html.j2"
KEYS_SHOWN_MAX = 200
ABSENT = "\N{EN DASH}"

MEANINGS = {
    State.MATCH: "Everything that was compared is equal.",
    State.DIFF: "Rows are missing, extra or changed.",
    State.UNDECIDED: "Rows changed while they were compared; there was not enough quiet to say.",
    State.LAGGING: "A module or region did not pass the barrier in time.",
    State.QUARANTINED: "Equal, but for aggregates that wait in the dead letters.",
    State.ERROR: "A comparison could not be made.",
}


def render_page(report: Report) -> str:
    """Render the report's page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": show_moment,
        "ms": show_milliseconds,
        "count": lambda number: f"{number:,}",
        "key": show_key,
    }
    return environment.get_template(TEMPLATE).render(
        report=report,
        record=report.reconciliation,
        places=group_by_place(report.reconciliation["tables"]),
        meaning=MEANINGS[report.verdict],
        mirror=MIRROR,
        keys_max=KEYS_SHOWN_MAX,
        listed=[table for table in report.reconciliation["tables"] if table["keys"]],
        problems=list(
            dict.fromkeys(
                table["problem"]
                for table in report.reconciliation["tables"]
                if table.get("problem")
            )
        ),
    )


def group_by_place(tables: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Group the tables by region, the mirror first."""
    places: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for table in sorted(tables, key=lambda table: table["region"] != MIRROR):
        places[table["region"]].append(table)
    return dict(places)


def show_moment(value: datetime | str | None) -> str:
    """Show a moment in UTC, to the second."""
    if value is None:
        return ABSENT
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def show_milliseconds(value: float | None) -> str:
    """Show a duration, in the unit that fits."""
    if value is None:
        return ABSENT
    if value < 1_000:  # noqa: PLR2004 - one second
        return f"{value:.0f} ms"
    if value < 120_000:  # noqa: PLR2004 - two minutes
        return f"{value / 1_000:.1f} s"
    return f"{value / 60_000:.1f} min"


def show_key(key: dict[str, Any]) -> str:
    """Show a key's columns and values."""
    return ", ".join(f"{name} = {value}" for name, value in key.items())
