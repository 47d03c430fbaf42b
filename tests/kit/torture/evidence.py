"""What is kept of a run that failed: change logs as they stand in Kafka, and all programs' logs.

Enters: a site that still runs. Leaves: compressed files beside the journal for whoever looks, and
the ends of the logs and the groups' members for the summary, which may be all that is left.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import psycopg
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from live_site import MODULES, LiveSite

from pipeline.settings import STATE_FOLDER
from torture.processes import read_tail
from torture.records import read_topic

TAIL_LINES = 6
LINE_CHARS_MAX = 300
SECONDS_MAX = 30


def keep_evidence(
    live: LiveSite, bootstrap_servers: str, report: Path, server_logs: Iterable[Path]
) -> Path:
    """Write the files into a folder that is named after the report, and return it."""
    folder = report.with_name(f"{report.name}-evidence")
    folder.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        topic = live.settings.changes_topic(module)
        with gzip.open(folder / f"{module}.changes.jsonl.gz", "wt", compresslevel=1) as file:
            for message in read_topic(bootstrap_servers, topic):
                value = message.value()
                document = None if value is None else json.loads(value)
                record = {"offset": message.offset(), "value": document}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
    for log in (*_list_logs(live), *server_logs):
        shutil.copy(log, folder / log.name)
    return folder


def describe_end(live: LiveSite, bootstrap_servers: str) -> list[str]:
    """Tell as lines how each log ends, and per region who owns what and how far it has come."""
    lines = []
    for log in _list_logs(live):
        ends = [line[:LINE_CHARS_MAX] for line in read_tail(log, TAIL_LINES).splitlines()]
        lines += [f"{log.name}:", *(f"  {line}" for line in ends)]
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    for region, store in live.settings.regions.items():
        group = f"{live.settings.site}.{region}"
        described = admin.describe_consumer_groups([group])[group].result(SECONDS_MAX)
        lines.append(f"{group} is {described.state}:")
        lines += [
            f"  {one.member_id} has {_name_places(one.assignment.topic_partitions)}"
            for one in described.members
        ]
        with psycopg.connect(store.url) as connection:
            statement = "select topic, partition, next_offset, owner_epoch from replication.offset"
            lines += [f"  {row}" for row in connection.execute(statement).fetchall()]
            statement = (
                "select pid, application_name, state, wait_event_type, wait_event, xact_start"
                " from pg_stat_activity where datname = current_database()"
            )
            lines += [f"  session {row}" for row in connection.execute(statement).fetchall()]
    return lines


def _list_logs(live: LiveSite) -> list[Path]:
    folders = (live.folder, live.folder / STATE_FOLDER / "logs")
    return [log for folder in folders for log in sorted(folder.glob("*.log*"))]


def _name_places(places: Iterable[TopicPartition]) -> str:
    return ", ".join(f"{one.topic}[{one.partition}]" for one in places) or "nothing"
