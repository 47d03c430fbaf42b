"""What `connectors status` does and prints: states, lag, progress and what is wrong, or JSON.

Enters: a Target, limits, and how to ask the hub where there is one. Leaves: facts on stdout, and
the exit code: 0 when every connector runs and loses nothing, else 1.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from connectors.health.facts import format_bytes
from connectors.health.finding import Limits, Severity
from connectors.health.opening import open_sources
from connectors.health.status import Status, read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import RenderableType

    from connectors.health.facts import TranslatorFacts
    from connectors.target import Target

WATCH_S = 2.0
_STATE_STYLES = {"RUNNING": "green", "MISSING": "bold red"}
_STYLES = {Severity.INFO: "dim", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}


def status(
    target: Target,
    *,
    as_json: bool,
    watch: bool = False,
    limits: Limits | None = None,
    read_translators: Callable[[], Mapping[str, TranslatorFacts]] = dict,
) -> int:
    """Show the status of the site's connectors; 1 unless all of them run.

    With `watch` it is drawn anew until Ctrl-C.
    """
    if watch:
        return _watch(target, limits or Limits(), read_translators)
    found = _read(target, limits or Limits(), read_translators, _say)
    if as_json:
        json.dump({"connectors": [one.document() for one in found]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        Console().print(render(found))
    return 0 if all(one.runs for one in found) else 1


def _read(
    target: Target,
    limits: Limits,
    read_translators: Callable[[], Mapping[str, TranslatorFacts]],
    tell: Callable[[str], None],
) -> list[Status]:
    with open_sources(target, tell) as sources:
        return read_status(target, sources, limits, read_translators())


def _watch(
    target: Target,
    limits: Limits,
    read_translators: Callable[[], Mapping[str, TranslatorFacts]],
) -> int:
    found: list[Status] = []
    told: list[str] = []
    with open_sources(target, told.append) as sources, Live(auto_refresh=False) as live:
        try:
            while True:
                found = read_status(target, sources, limits, read_translators())
                lines = [Text(line, "yellow") for line in told]
                live.update(Group(render(found), *lines), refresh=True)
                time.sleep(WATCH_S)
        except KeyboardInterrupt:
            return 0 if all(one.runs for one in found) else 1


def render(found: Sequence[Status]) -> RenderableType:
    """Build what a person reads: a line per connector, its snapshot, then what is wrong."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for header in ("connector", "state"):
        table.add_column(header, no_wrap=True)
    for header in ("lag", "lag s", "slot keeps", "last event s", "records behind"):
        table.add_column(header, justify="right")
    for one in found:
        table.add_row(*_make_row(one))
    parts: list[RenderableType] = [table]
    for one in found:
        if one.snapshot is not None:
            parts.append(_draw_snapshot(one))
        told = [Text(finding.text, _STYLES[finding.severity]) for finding in one.findings]
        if one.error and not told:
            told = [Text(f"{one.connector.name}: {one.error}", _STYLES[Severity.ERROR])]
        parts += told
    return Group(*parts)


def _make_row(one: Status) -> list[Text | str]:
    connector, facts = one.connector, one.facts
    source = None if facts is None else facts.source
    tasks = {part.state for part in connector.parts[1:]} - {connector.state}
    state = ", task ".join([connector.state, *sorted(tasks)])
    lag = one.translator_lag
    return [
        connector.name if facts is not None else f"{connector.name} (not declared)",
        Text(state, "bold red" if "FAILED" in state else _STATE_STYLES.get(state, "yellow")),
        _bytes(None if facts is None else facts.lag_bytes),
        _seconds(one.lag_s),
        _bytes(None if source is None else source.retained_bytes),
        _seconds(None if facts is None else facts.silence_s),
        "-" if lag is None else f"{lag:,}",
    ]


def _bytes(number: int | None) -> str:
    return "-" if number is None else format_bytes(number)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:,.1f}"


def _draw_snapshot(one: Status) -> RenderableType:
    snapshot = one.snapshot
    assert snapshot is not None  # noqa: S101 - the caller has looked
    done = sum(table.done for table in snapshot.tables)
    rows = sum(table.rows for table in snapshot.tables)
    count = f", {rows:,} rows so far" if snapshot.kind == "initial" else ""
    text = (
        f"{one.connector.name}: {snapshot.kind} snapshot, {done} of {len(snapshot.tables)} "
        f"tables{count}"
    )
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=1.0, completed=snapshot.fraction, width=30)
    grid.add_row(text, bar, f"{snapshot.fraction:.0%}")
    return grid


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
