"""The whole way: a burst from the legacy database to both regions, and latency under business.

Enters: a ground on which all of our processes run. Leaves: results; the ceiling too, a raw COPY.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import psycopg

from benchmarks.ground import SERVERS, Ground
from benchmarks.meter import measure
from benchmarks.result import Result, make_result
from benchmarks.workload import BulkWork, write_changes
from pipeline.demo.children import Task
from pipeline.replicate.latency import read_latency

COPY_ROWS = 200_000
WARM_SECONDS = 5.0


def measure_burst(ground: Ground, work: BulkWork, aggregates: int, pids: list[int]) -> Result:
    """Measure a burst of row changes, from its first commit until both regions hold it."""
    settings = ground.settings
    servers = ground.service_pids(*SERVERS, "connect")
    with (
        psycopg.connect(settings.legacy.owner_url) as legacy,
        ground.barriers(0.0) as barriers,
    ):
        legacy.execute(f"set search_path to {settings.legacy.schema}")
        legacy.commit()
        started = time.monotonic()
        changed = 0

        def write() -> str:
            nonlocal changed
            changed = write_changes(legacy, work, aggregates)
            return barriers.write()

        first = measure(pids, servers, done=lambda: 0, is_finished=lambda: True).samples[0]
        barrier = write()

        def arrived() -> bool:
            passage = barriers.wait(barrier, [work.module], list(settings.regions))
            return all(passage.regions.values())

        span = measure(
            pids, servers, done=lambda: 0, is_finished=arrived, check=ground.children.check
        )
        seconds = time.monotonic() - started
    last = span.samples[-1]
    return make_result(
        "end-to-end",
        work.name,
        rows=changed,
        seconds=seconds,
        cpu_s=last.stage_cpu_s - first.stage_cpu_s,
        server_cpu_s=last.server_cpu_s - first.server_cpu_s,
        peak_rss_mb=span.peak_rss_mb,
    )


def measure_latency(ground: Ground, *, rate: float, seconds: float, pids: list[int]) -> Result:
    """Measure from commit in the legacy database to commit in a region, under business.

    A batch update of thousands of orders would be most of the slowest events: see the bursts.
    """
    servers = ground.service_pids(*SERVERS, "connect")
    stores = [region.url for region in ground.settings.regions.values()]

    def start(name: str, length: float, seed: int) -> None:
        figures = ("--rate", f"{rate:g}", "--seconds", f"{length:g}", "--seed", str(seed))
        ground.children.start(Task(name, ("workload", "--json", "--no-batches", *figures)))

    start("warm-up", WARM_SECONDS, 7)
    _wait_for_end(ground, "warm-up")
    ground.wait_for_arrival()
    for url in stores:
        with psycopg.connect(url) as store:
            store.execute("truncate replication.latency")
    begin = datetime.now(UTC)
    start("business", seconds, 8)
    span = measure(
        pids,
        servers,
        done=lambda: 0,
        is_finished=lambda: not ground.children.is_running("business"),
        check=lambda: ground.children.check(but="business"),
    )
    ground.children.forget("business")
    ground.wait_for_arrival()
    worst = max((_read_summary(url, begin) for url in stores), key=lambda summary: summary[1][2])
    first, last = span.samples[0], span.samples[-1]
    done = json.loads(ground.children.log("business").read_text().strip().splitlines()[-1])
    return make_result(
        "end-to-end",
        f"{done['transactions'] / done['seconds']:.0f} business tx/s, slower region",
        rows=worst[0],
        seconds=last.at - first.at,
        cpu_s=last.stage_cpu_s - first.stage_cpu_s,
        server_cpu_s=last.server_cpu_s - first.server_cpu_s,
        peak_rss_mb=span.peak_rss_mb,
        percentiles_ms=worst[1],
    )


def measure_raw_copy(ground: Ground) -> Result:
    """Measure the ceiling: COPY of ready rows into a table with its primary key."""
    region = next(iter(ground.settings.regions.values()))
    lines = "".join(
        f"{number}\t" + "\t".join(f"value {number % 97} {column}" for column in range(11)) + "\n"
        for number in range(COPY_ROWS)
    ).encode()
    columns = ", ".join(f"c{number} text" for number in range(11))
    with psycopg.connect(region.url) as store:
        store.execute(f"create temp table raw_copy (id bigint primary key, {columns})")
        started = time.monotonic()
        with store.cursor().copy("copy raw_copy from stdin") as copy:
            copy.write(lines)
        seconds = time.monotonic() - started
    return make_result("raw-copy", "12 columns", rows=COPY_ROWS, seconds=seconds)


def _wait_for_end(ground: Ground, name: str) -> None:
    while ground.children.is_running(name):
        time.sleep(0.1)
    ground.children.forget(name)


def _read_summary(url: str, begin: datetime) -> tuple[int, tuple[float, float, float]]:
    with psycopg.connect(url) as store:
        one = read_latency(store, begin, datetime.now(UTC))
    return one.events, (one.ms_p50, one.ms_p95, one.ms_p99)
