"""The checks after a run: regions, event store, topics, inboxes; by hand-written SQL and records.

Enters: a quiet site. Leaves: figures, and findings in words (none: nothing lost, doubled,
reordered, half).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import psycopg
from confluent_kafka import Message
from live_site import MODULES, LiveSite

from torture.records import read_topic
from torture.topic_order import Seen, TopicCheck, find_reordered
from torture.whole_order import find_half

FRAME_BYTES = 5
BARRIER_KIND, DOMAIN_KIND = 3, 1
ORDER = "sales.Order.v1"
OPERATION_BYTES = 160
_OPERATION = re.compile(rb'"op":"[cudt]"')
"""It stands near the end of a row's record; those of messages begin with theirs."""
HALF_MAX = 10


@dataclass(slots=True)
class Verdict:
    """Figures by name, and what was found."""

    figures: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def add(self, name: str, count: int) -> None:
        """Add to a figure."""
        self.figures[name] = self.figures.get(name, 0) + count


def judge(live: LiveSite, bootstrap_servers: str) -> Verdict:
    """Make all checks; the site must be quiet."""
    verdict = Verdict()
    try:
        live.check_whole()
    except AssertionError as error:
        verdict.findings.append(f"oracle: {error}")
    _check_event_store(live, verdict)
    for module in MODULES:
        _check_change_log(live, module, bootstrap_servers, verdict)
        _check_topic(live, module, bootstrap_servers, verdict)
    _check_inboxes(live, verdict)
    return verdict


def _check_event_store(live: LiveSite, verdict: Verdict) -> None:
    """Sequences rise with the numbers, published is everything."""
    statement = (
        "select aggregate, subject, sequence, number from hub.event"
        " where module = %s and kind <> 3 order by number"
    )
    with psycopg.connect(live.settings.hub_url) as connection:
        for module in MODULES:
            with connection.cursor(name="events") as cursor:
                cursor.itersize = 20_000
                cursor.execute(statement, (module,))
                verdict.findings += find_reordered(cursor)
    behind = live.hub(
        "select module, next_number - 1, published_up_to from hub.module m join hub.relay r"
        " using (module) where next_number - 1 <> published_up_to"
    )
    verdict.findings += [f"not published: {row}" for row in behind]
    for kind, name in enumerate(("state events", "domain events", "tombstones", "barriers")):
        verdict.add(name, live.hub(f"select count(*) from hub.event where kind = {kind}")[0][0])
    verdict.add("starts within a transaction", live.hub("select count(*) from hub.doubt")[0][0])


def _check_change_log(live: LiveSite, module: str, servers: str, verdict: Verdict) -> None:
    """Every transaction ends once in the change log, at a position above those before.

    A connector that starts again within a transaction announces some that it had sent once more,
    without rows.
    """
    last = 0
    for message in read_topic(servers, live.settings.changes_topic(module)):
        value = message.value() or b""
        if _OPERATION.search(value[-OPERATION_BYTES:]):
            verdict.add("rows in change logs", 1)
        if b'"status":"END"' not in value:
            continue
        document = json.loads(value)
        position = int(document["id"].partition(":")[2])
        if position > last:
            verdict.add("transactions in change logs", 1)
        elif document["event_count"] == 0:
            verdict.add("transactions announced again", 1)
        else:
            verdict.findings.append(
                f"{module}: END at {position} after {last}, offset {message.offset()}"
            )
        last = max(last, position)


def _check_topic(live: LiveSite, module: str, servers: str, verdict: Verdict) -> None:
    """Order, repeats and bytes of one events topic; orders are whole."""
    rows = live.hub(
        f"select id, number, kind, md5(payload) from hub.event where module = '{module}'"
    )
    payloads = {row[0]: row[3] for row in rows if row[2] != BARRIER_KIND}
    check = TopicCheck(
        module,
        numbers={row[0]: row[1] for row in rows},
        barriers=frozenset(row[0] for row in rows if row[2] == BARRIER_KIND),
        partitions=live.settings.event_partitions,
    )
    schema = _load_schema(live.settings.contracts / f"{ORDER}.avsc")
    half: list[str] = []
    for message in read_topic(servers, live.settings.events_topic(module)):
        headers = _read_headers(message)
        event_id = headers["ce_id"]
        check.take(
            Seen(
                int(message.partition() or 0),
                int(message.offset() or 0),
                event_id,
                _digest(message),
            )
        )
        value = message.value()
        body = None if value is None else bytes(value)[FRAME_BYTES:]
        if event_id in payloads and payloads[event_id] != _md5(body):
            check.findings.append(f"{module}: {event_id} is not what the event store holds")
        if headers["ce_type"] == ORDER and body is not None:
            order: Any = fastavro.schemaless_reader(BytesIO(body), schema, None)
            reason = find_half(order)
            if reason is not None and len(half) < HALF_MAX:
                half.append(f"order {order['order_id']} at {headers['ce_sequence']}: {reason}")
    verdict.findings += check.finish() + half
    verdict.add("records in events topics", check.records)
    verdict.add("records repeated", check.repeats)


def _check_inboxes(live: LiveSite, verdict: Verdict) -> None:
    """Each region has each domain event exactly once."""
    published = {row[0] for row in live.hub("select id from hub.event where kind = 1")}
    for region in live.settings.regions:
        for table, column in (("domain_event", "event_id"), ("inbox", "event_id")):
            rows = live.store(region, f"select {column} from replication.{table}")
            stored = {row[0] for row in rows}
            lost, strange = len(published - stored), len(stored - published)
            if lost or strange or len(stored) != len(rows):
                verdict.findings.append(
                    f"{region}, {table}: {lost} domain events lost, {strange} strange, "
                    f"{len(rows) - len(stored)} doubled"
                )


def _read_headers(message: Message) -> dict[str, str]:
    headers: Any = message.headers() or []
    return {name: (value or b"").decode() for name, value in headers}


def _digest(message: Message) -> bytes:
    digest = hashlib.blake2b(repr(message.key()).encode(), digest_size=16)
    digest.update(repr(message.headers()).encode())
    digest.update(b"none" if message.value() is None else bytes(message.value() or b""))
    return digest.digest()


def _md5(body: bytes | None) -> str | None:
    return None if body is None else hashlib.md5(body, usedforsecurity=False).hexdigest()


def _load_schema(path: Path) -> Any:
    return fastavro.parse_schema(json.loads(path.read_text()))
