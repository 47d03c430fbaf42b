"""Each stage alone: a backlog is made, then one stage at a time works it off.

Enters: a ground on which nothing of ours runs, and bulk work. Leaves: a result per stage; starting
up is not counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psycopg
from confluent_kafka import Consumer, KafkaError, TopicPartition

from benchmarks.ground import SERVERS, Ground
from benchmarks.meter import Span, measure
from benchmarks.result import Result, make_result
from benchmarks.workload import BulkWork, write_changes
from pipeline.demo.children import Task
from pipeline.replicate.barrier import passed_barrier

KAFKA_SECONDS_MAX = 60.0
QUIET_SECONDS = 2.0
HEARTBEAT_RECORDS = 20
"""So many records may come while Debezium has nothing to do."""
ROW_OPERATIONS = {"c", "u", "d"}


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be worked on: rows changed, and the barrier behind them."""

    work: BulkWork
    rows: int
    barrier: str


def measure_stages(ground: Ground, work: BulkWork, aggregates: int) -> list[Result]:
    """Make a backlog of changed aggregates and let each stage work it off alone."""
    ground.change_connectors("pause", ground.modules)
    results = [measure_source(ground, work, aggregates)]
    barrier = ground.write_barrier()
    backlog = Backlog(work, results[0].rows, barrier)
    results.append(measure_translate(ground, backlog))
    events = count_events(ground, work.module) - published_up_to(ground, work.module)
    results.append(measure_publish(ground, backlog, events))
    results.append(measure_replicate(ground, backlog, events))
    ground.change_connectors("resume", ground.modules)
    return results


def measure_source(ground: Ground, work: BulkWork, aggregates: int) -> Result:
    """Measure Debezium: from the first record of the backlog in Kafka to the last."""
    settings = ground.settings
    topic = settings.changes_topic(work.module)
    with closing(_consumer(settings.bootstrap_servers)) as consumer:
        start = _end_offset(consumer, topic, 0)
        with psycopg.connect(settings.legacy.owner_url) as legacy:
            legacy.execute(f"set search_path to {settings.legacy.schema}")
            legacy.commit()
            changed = write_changes(legacy, work, aggregates)
        ends: list[tuple[float, int]] = []

        def is_quiet() -> bool:
            at, end = time.monotonic(), _end_offset(consumer, topic, 0)
            ends.append((at, end))
            before = [one for then, one in ends if then <= at - QUIET_SECONDS]
            # every row is one record at least
            return end - start >= changed and bool(before) and end - before[-1] <= HEARTBEAT_RECORDS

        connect = ground.service_pids("connect")
        ground.change_connectors("resume", [work.module])
        span = measure(
            connect, ground.service_pids(*SERVERS), done=lambda: ends[-1][1], is_finished=is_quiet
        )
        stamps = read_row_times(consumer, topic, start, ends[-1][1])
    seconds = (stamps[-1] - stamps[0]) / 1000
    first, last = span.cut(stamps[0] / 1000, stamps[-1] / 1000)
    return make_result(
        "debezium-source",
        work.name,
        rows=len(stamps),
        seconds=seconds,
        cpu_s=last.stage_cpu_s - first.stage_cpu_s,
        server_cpu_s=last.server_cpu_s - first.server_cpu_s,
        peak_rss_mb=span.peak_rss_mb,
    )


def measure_translate(ground: Ground, backlog: Backlog) -> Result:
    """Measure a translator alone, from its first batch to the barrier; rows are changed rows."""
    module = backlog.work.module
    query = "select count(*) from hub.barrier where barrier = %s and module = %s"
    with psycopg.connect(ground.settings.hub_url, autocommit=True) as hub:
        span = _run_alone(
            ground,
            Task("translate", ("translate", "--module", module)),
            done=lambda: _number(
                hub, "select source_offset from hub.module where module=%s", module
            ),
            is_finished=lambda: _number(hub, query, backlog.barrier, module) > 0,
        )
    return _make_share("translate", backlog.work.name, span, backlog.rows)


def measure_publish(ground: Ground, backlog: Backlog, events: int) -> Result:
    """Measure a publisher alone, from its first batch to the last event; rows are events."""
    module = backlog.work.module
    last = count_events(ground, module)
    query = "select published_up_to from hub.relay where module = %s"
    with psycopg.connect(ground.settings.hub_url, autocommit=True) as hub:
        span = _run_alone(
            ground,
            Task("publish", ("publish", "--module", module)),
            done=lambda: _number(hub, query, module),
            is_finished=lambda: _number(hub, query, module) >= last,
        )
    return _make_share("publish", backlog.work.name, span, events)


def measure_replicate(ground: Ground, backlog: Backlog, events: int) -> Result:
    """Measure one region's replicator alone, from its first batch to the barrier."""
    settings = ground.settings
    region = next(iter(settings.regions.values()))
    topics = {settings.events_topic(backlog.work.module): settings.event_partitions}
    query = 'select sum(next_offset)::bigint from replication."offset" where topic = %s'
    with psycopg.connect(region.url, autocommit=True) as store:
        span = _run_alone(
            ground,
            Task("replicate", ("replicate", "--region", region.name)),
            done=lambda: _number(store, query, next(iter(topics))),
            is_finished=lambda: passed_barrier(store, backlog.barrier, topics),
        )
    return _make_share("replicate", backlog.work.name, span, events)


def count_events(ground: Ground, module: str) -> int:
    """Return the last number of a module's event store."""
    with psycopg.connect(ground.settings.hub_url) as hub:
        return _number(hub, "select next_number - 1 from hub.module where module = %s", module)


def published_up_to(ground: Ground, module: str) -> int:
    """Return a module's mark."""
    with psycopg.connect(ground.settings.hub_url) as hub:
        return _number(hub, "select published_up_to from hub.relay where module = %s", module)


def _run_alone(
    ground: Ground, task: Task, *, done: Callable[[], int], is_finished: Callable[[], bool]
) -> Span:
    pid = ground.children.start(task)
    try:
        return measure(
            [pid],
            ground.service_pids(*SERVERS),
            done=done,
            is_finished=is_finished,
            check=ground.children.check,
        )
    finally:
        ground.children.forget(task.name)


def _make_share(name: str, workload: str, span: Span, rows: int) -> Result:
    """Count only what was done after the first batch was seen."""
    first, last = span.work()
    whole = last.done - span.samples[0].done
    share = (last.done - first.done) / whole
    if share < 0.5:  # noqa: PLR2004 - most of it went by in one batch: take it from the start
        first, share = span.samples[0], 1.0
    return make_result(
        name,
        workload,
        rows=max(round(rows * share), 1),
        seconds=last.at - first.at,
        cpu_s=last.stage_cpu_s - first.stage_cpu_s,
        server_cpu_s=last.server_cpu_s - first.server_cpu_s,
        peak_rss_mb=span.peak_rss_mb,
    )


def _number(connection: psycopg.Connection, query: str, *parameters: object) -> int:
    row = connection.execute(query, parameters).fetchone()
    return int(row[0] or 0) if row else 0


def _consumer(bootstrap_servers: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "isthmus-bench",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )


def _end_offset(consumer: Consumer, topic: str, partition: int) -> int:
    place = TopicPartition(topic, partition)
    return int(consumer.get_watermark_offsets(place, timeout=KAFKA_SECONDS_MAX)[1])


def read_row_times(consumer: Consumer, topic: str, start: int, end: int) -> list[int]:
    """Return when each row change of [start, end) came into Kafka, in ms since the epoch."""
    consumer.assign([TopicPartition(topic, 0, start)])
    times: list[int] = []
    while True:
        message = consumer.poll(KAFKA_SECONDS_MAX)
        if message is None:
            raise TimeoutError(f"{topic} does not end")
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name
                return times
            raise RuntimeError(error.str())
        value, offset = message.value(), message.offset()
        if offset is None or offset >= end or value is None:
            continue
        if json.loads(value).get("op") in ROW_OPERATIONS:
            times.append(message.timestamp()[1])
