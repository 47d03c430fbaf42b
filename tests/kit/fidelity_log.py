"""Makes change logs of different servers and runs comparable: what may differ is named or ranked.

Enters: raw records. Leaves: one dict a record. Positions become ranks (a change stands at the begin
of its WAL record, ENDs and messages at the end of theirs), txids numbers, links what they lead to.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fidelity_script import SIGNAL_TABLE

MESSAGE_COLLECTION = "LogicalDecodingMessageId@"
_SOURCE_FIELDS = ("version", "connector", "name", "snapshot", "schema", "table", "xmin", "origin")
_IGNORED_HEADERS = ("__debezium.context.runId",)


class RawRecord(NamedTuple):
    """One record as Kafka or the model gives it."""

    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def normalise(records: Iterable[RawRecord], *, without: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Normalise a whole log from its first record; plain heartbeats and kinds `without` go."""
    documents = [(record, json.loads(record.value)) for record in records]
    ranks = _Ranks([document for _, document in documents])
    found = []
    for record, document in documents:
        entry = {"kind": name_kind(document), **_describe(document, ranks)}
        entry["key"] = _describe_key(record.key, entry)
        if entry["kind"] == f"c {SIGNAL_TABLE}":  # its ids are new ones every time
            entry["after"] = document["after"]["type"]
            entry["key"] = None
        entry["headers"] = [
            (name, value.decode()) for name, value in record.headers if name not in _IGNORED_HEADERS
        ]
        if entry["kind"] != "heartbeat" and entry["kind"] not in without:
            found.append(entry)
    return _sort_snapshot(found)


def assert_equal(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare the real log with the model's and name the first difference."""
    for number, (one, other) in enumerate(zip(found, expected, strict=False)):
        differences = {
            field: (one.get(field), other.get(field))
            for field in one.keys() | other.keys()
            if one.get(field) != other.get(field)
        }
        assert not differences, f"record {number}: {one['kind']} {one.get('key')}: {differences}"
    assert [one["kind"] for one in found] == [one["kind"] for one in expected]


def name_kind(document: dict[str, Any]) -> str:
    """Name what a record of the change log is."""
    if "aggregate_type" in document:
        return f"{document['aggregate_type']}: {document['type']}"
    if "status" in document:
        return str(document["status"])
    if "message" in document:
        return f"message {document['message']['prefix']}"
    if "op" in document:
        return f"{document['op']} {document['source']['table']}"
    return "heartbeat"


class _Ranks:
    """Ranks of positions, numbers of transactions and what links lead to, over a whole log."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        points = set()
        txids: list[int] = []
        for document in documents:
            points.add(_point(document))
            txids.append(_txid(document) or 0)
        self._ranks = {point: rank for rank, point in enumerate(sorted(points - {None}))}  # type: ignore[type-var]
        self._numbers = {txid: number for number, txid in enumerate(dict.fromkeys(txids))}
        self._previous: int | None = None

    def rank(self, document: dict[str, Any]) -> int | None:
        """Rank the position of a record among all."""
        point = _point(document)
        return None if point is None else self._ranks[point]

    def number(self, document: dict[str, Any]) -> int | None:
        """Give the number of a record's transaction, by first appearance."""
        txid = _txid(document)
        return None if txid is None else self._numbers[txid]

    def name_link(self, document: dict[str, Any]) -> str:
        """Say what the record's link leads to; a mark becomes the next one's previous."""
        is_incremental = document["source"]["snapshot"] == "incremental"
        link, own = (None if one is None else int(one)
                     for one in json.loads(document["source"]["sequence"]))  # fmt: skip
        if own != document["source"]["lsn"] and not is_incremental:
            return f"sequence {document['source']['sequence']}"
        is_mark = "message" in document and document["transaction"] is None
        previous, self._previous = self._previous, own if is_mark else self._previous
        if link is None:
            return "null"
        if is_mark:
            return "own" if link == own else "other"
        return "previous" if link == previous else f"other: {link}, not {previous}"

    def take_end(self, lsn: int) -> None:
        """Remember an END as the mark that following rows link to."""
        self._previous = lsn


def _describe(document: dict[str, Any], ranks: _Ranks) -> dict[str, Any]:
    if "aggregate_type" in document:
        data = dict(document["additional_data"])
        if "data_collections" in data:
            data["data_collections"] = sorted(data["data_collections"].split(","))
        return {"data": data, "fields": sorted(document)}
    if "status" in document:
        return _describe_boundary(document, ranks)
    if "op" not in document:
        return {"fields": sorted(document)}
    source, transaction = document["source"], document["transaction"]
    entry: dict[str, Any] = {
        "link": ranks.name_link(document),
        "rank": ranks.rank(document),
        "transaction": ranks.number(document),
        # "false" is the field's default, which the connectors' converter does not write for null
        "source": {field: source[field] for field in _SOURCE_FIELDS}
        | {"snapshot": source["snapshot"] or "false"},
        "fields": sorted(set(document) - {"ts_us", "ts_ns"}),
        "source_fields": sorted(source),
    }
    if transaction is not None:
        entry["order"] = (transaction["total_order"], transaction["data_collection_order"])
        entry["own_id"] = transaction["id"] == f"{source['txId']}:{source['lsn']}"
    if "message" in document:
        content = base64.b64decode(document["message"]["content"])
        entry["content"] = b"" if document["message"]["prefix"] == "heartbeat" else content
    else:
        entry["before"] = json.dumps(document["before"])
        entry["after"] = json.dumps(document["after"])
    return entry


def _describe_boundary(document: dict[str, Any], ranks: _Ranks) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "transaction": ranks.number(document),
        "rank": ranks.rank(document),
        "fields": sorted(document),
    }
    if document["status"] == "END":
        ranks.take_end(int(document["id"].partition(":")[2]))
        entry["event_count"] = document["event_count"]
        entry["collections"] = sorted(
            ("message" if MESSAGE_COLLECTION in one["data_collection"] else one["data_collection"],
             one["event_count"])
            for one in document["data_collections"]
        )  # fmt: skip
    return entry


def _describe_key(key: bytes | None, entry: dict[str, Any]) -> str | None:
    if key is None:
        return None
    document = json.loads(key)
    return key.decode() if list(document) != ["id"] or " " in entry["kind"][:3] else "id"


def _point(document: dict[str, Any]) -> tuple[int, int] | None:
    """Return a position that orders: (LSN, 0 for an end, 1 for a beginning)."""
    if document.get("status") == "END":
        return int(document["id"].partition(":")[2]), 0
    if "op" in document and document["source"]["lsn"] is not None:
        return document["source"]["lsn"], 0 if "message" in document else 1
    return None


def _txid(document: dict[str, Any]) -> int | None:
    if "status" in document:
        return int(document["id"].partition(":")[0])
    if document.get("transaction") is not None:
        return int(document["transaction"]["id"].partition(":")[0])
    return None


def _sort_snapshot(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort the contents of each table's read rows by key: a heap has an order of its own."""
    places: dict[tuple[str, str | None], list[int]] = {}
    run = 0
    for place, entry in enumerate(entries):
        if entry["kind"].endswith(": STARTED"):
            run += 1
        if entry["kind"].startswith("r "):
            places.setdefault((entry["kind"], str(run)), []).append(place)
    for found in places.values():
        contents = sorted((entries[place]["key"], entries[place]["after"]) for place in found)
        for place, (key, after) in zip(found, contents, strict=True):
            entries[place]["key"], entries[place]["after"] = key, after
    return entries
