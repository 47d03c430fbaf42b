"""Gathers what a report tells: the records of reconciliation and quality, lag, letters, incidents.

Enters: the settings and the records. Leaves: a `Report`. Reads only.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from pipeline.deadletters.office import open_office
from pipeline.errors import Configuration
from pipeline.reconcile.barrier import position_text
from pipeline.reconcile.connections import Connection, connect_hub, connect_store, has_table
from pipeline.replicate.latency import read_latency
from pipeline.report.facts import Latency, Letters, ModuleLag, Quality, RegionLag, Report
from pipeline.settings import Settings

INCIDENTS_FILE = "incidents.jsonl"
LETTERS_LISTED_MAX = 200
INCIDENTS_LISTED_MAX = 500
WINDOWS = {"last 15 minutes": timedelta(minutes=15), "last 24 hours": timedelta(hours=24)}

_MODULES = """
select m.module, m.epoch, m.lsn, m.source_time,
    greatest(m.next_number - 1 - coalesce(r.published_up_to, 0), 0),
    (select count(*) from hub.emission e where e.module = m.module),
    extract(epoch from b.translated_at - %(started_at)s) * 1000
from hub.module m
left join hub.relay r using (module)
left join hub.barrier b on b.module = m.module and b.barrier = %(barrier)s
order by m.module
"""
_REGION = """
select module, extract(epoch from max(passed_at) - %(started_at)s) * 1000
from replication.barrier where barrier = %(barrier)s
group by module having count(*) >= %(partitions)s
"""


def gather_report(
    settings: Settings, record: dict[str, Any], quality: Quality | None, now: datetime
) -> Report:
    """Gather the report; Unreachable when the hub or a store is not there."""
    with ExitStack() as stack:
        hub = stack.enter_context(connect_hub(settings))
        modules = _read_modules(hub, record)
        names = [one.module for one in modules]
        regions = []
        for region in settings.regions:
            store = stack.enter_context(connect_store(settings, region))
            barrier_ms = _read_passage(settings, store, names, record)
            regions.append(RegionLag(region, barrier_ms, _read_latencies(store, now)))
    return Report(
        site=settings.site,
        made_at=now,
        reconciliation=record,
        modules=modules,
        regions=tuple(regions),
        quality=quality,
        letters=_read_letters(settings),
        incidents=read_incidents(settings),
    )


def _read_modules(hub: Connection, record: dict[str, Any]) -> tuple[ModuleLag, ...]:
    found = hub.execute(_MODULES, {key: record[key] for key in ("started_at", "barrier")})
    return tuple(
        ModuleLag(
            module=module,
            position=position_text(epoch, lsn),
            source_time=source_time,
            events_unpublished=unpublished,
            emissions_waiting=emissions,
            barrier_ms=_milliseconds(barrier_ms),
        )
        for module, epoch, lsn, source_time, unpublished, emissions, barrier_ms in found
    )


def _read_passage(
    settings: Settings, store: Connection, modules: list[str], record: dict[str, Any]
) -> dict[str, float | None]:
    barrier_ms: dict[str, float | None] = dict.fromkeys(modules)
    if has_table(store, "replication.barrier"):
        parameters = {
            "started_at": record["started_at"],
            "barrier": record["barrier"],
            "partitions": settings.event_partitions,
        }
        for module, milliseconds in store.execute(_REGION, parameters):
            barrier_ms[module] = _milliseconds(milliseconds)
    return barrier_ms


def _read_latencies(store: Connection, now: datetime) -> tuple[Latency, ...]:
    if not has_table(store, "replication.latency"):
        return ()
    latencies = []
    for window, length in WINDOWS.items():
        found = read_latency(store, now - length, now)
        latencies.append(
            Latency(window, found.events, found.ms_p50, found.ms_p95, found.ms_p99, found.ms_max)
        )
    return tuple(latencies)


def _milliseconds(value: Any) -> float | None:
    """Round to a tenth; clocks that disagree may make it negative, which means none."""
    return None if value is None else max(round(float(value), 1), 0.0)


def _read_letters(settings: Settings) -> Letters:
    counts: dict[str, int] = {"hub": 0, **dict.fromkeys(settings.regions, 0)}
    with open_office(settings) as office:
        listed = [one.document() for one in islice(office.read(), LETTERS_LISTED_MAX)]
        for letter in office.read():
            counts[letter.where] += 1
    return Letters(counts, tuple(listed))


def read_incidents(settings: Settings) -> tuple[dict[str, str], ...]:
    """Read the last incidents that a demo or a drill noted; Configuration names a broken line."""
    path = settings.state_folder / INCIDENTS_FILE
    if not path.is_file():
        return ()
    incidents = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            incident = json.loads(line)
            incidents.append({name: str(incident[name]) for name in ("at", "what", "detail")})
        except (ValueError, KeyError, TypeError) as error:
            raise Configuration(
                f'{path} line {number}: not {{"at", "what", "detail"}} in JSON: remove the line'
            ) from error
    return tuple(incidents[-INCIDENTS_LISTED_MAX:])
