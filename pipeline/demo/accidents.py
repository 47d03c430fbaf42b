"""The accidents of the demo, on purpose: processes killed, old events sent once more.

Enters: the share of the workload's time that has passed. Leaves: each accident once, at its time,
recorded in `.isthmus/incidents.jsonl` for the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from pipeline.demo.children import Children
from pipeline.publish.republish import republish
from pipeline.settings import Settings

INCIDENTS_FILE = "incidents.jsonl"
REPLICATOR_KILLED_AT = 0.2
TRANSLATOR_KILLED_AT = 0.45
EVENTS_REPEATED_AT = 0.7
DEAD_SHARE = 0.05
"""How long a killed process stays dead, of the workload's time: a backlog is to grow."""
REPEATED_EVENTS = 1_000
OF_DELETED_MAX = 300
"""How many of those are events of aggregates that are deleted by now."""

_OF_DELETED = """
select e.module, e.number from hub.event e
where e.kind in (0, 1) and exists (
    select from hub.event t where t.kind = 2 and t.module = e.module
    and t.aggregate = e.aggregate and t.subject = e.subject and t.number > e.number)
order by e.module, e.number limit %s"""
_OLD = """
select e.module, e.number from hub.event e join hub.module m using (module)
where e.kind in (0, 1) and e.number < m.next_number / 2
order by md5(e.number::text || e.module || %s) limit %s"""


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens at a share of the workload's time; `cause` returns (what, detail)."""

    at_share: float
    cause: Callable[[], tuple[str, str]]


class Incidents:
    """The record of what happened, one JSON object a line."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / INCIDENTS_FILE
        self.path.unlink(missing_ok=True)

    def add(self, what: str, detail: str) -> None:
        """Append one incident, at the time of now."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": at, "what": what, "detail": detail}) + "\n")


def plan_accidents(
    settings: Settings, children: Children, *, replicator: str, translator: str, seed: int
) -> list[Accident]:
    """Plan what happens, in the order of time."""

    def kill(name: str) -> Callable[[], tuple[str, str]]:
        return lambda: (f"{name} killed", f"SIGKILL, pid {children.kill(name)}")

    def restart(name: str) -> Callable[[], tuple[str, str]]:
        return lambda: (f"{name} started again", f"pid {children.restart(name)}")

    return [
        Accident(REPLICATOR_KILLED_AT, kill(replicator)),
        Accident(REPLICATOR_KILLED_AT + DEAD_SHARE, restart(replicator)),
        Accident(TRANSLATOR_KILLED_AT, kill(translator)),
        Accident(TRANSLATOR_KILLED_AT + DEAD_SHARE, restart(translator)),
        Accident(EVENTS_REPEATED_AT, lambda: repeat_old_events(settings, seed)),
    ]


def repeat_old_events(settings: Settings, seed: int) -> tuple[str, str]:
    """Publish old events once more, some of them of aggregates that are deleted by now."""
    chosen, of_deleted = choose_old_events(settings.hub_url, seed)
    sent = {
        module: republish(settings, module, numbers) for module, numbers in sorted(chosen.items())
    }
    each = ", ".join(f"{count} of {module}" for module, count in sent.items())
    what = f"{sum(sent.values()):,} old events published once more"
    return what, f"{each}; {of_deleted} of deleted aggregates"


def choose_old_events(hub_url: str, seed: int) -> tuple[dict[str, list[int]], int]:
    """Choose REPEATED_EVENTS numbers by module; also return how many are of deleted aggregates."""
    with psycopg.connect(hub_url) as hub:
        of_deleted = hub.execute(_OF_DELETED, (OF_DELETED_MAX,)).fetchall()
        others = hub.execute(_OLD, (str(seed), REPEATED_EVENTS + OF_DELETED_MAX)).fetchall()
    chosen = set(of_deleted)
    chosen |= set([one for one in others if one not in chosen][: REPEATED_EVENTS - len(chosen)])
    numbers: dict[str, list[int]] = {}
    for module, number in sorted(chosen):
        numbers.setdefault(module, []).append(number)
    return numbers, len(of_deleted)
