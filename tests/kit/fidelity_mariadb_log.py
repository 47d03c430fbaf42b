"""Makes change logs of a real MariaDB comparable with what the model foretells of them.

Enters: raw records. Leaves: one dict a record, plain heartbeats left out. GTIDs become numbers in
the order of their commits, positions in the binary log ranks; a database's name is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from fidelity_log import RawRecord, name_kind

SOURCE_FIELDS = (
    *("connector", "db", "file", "gtid", "name", "pos", "query", "row", "sequence", "server_id"),
    *("snapshot", "table", "thread", "ts_ms", "ts_ns", "ts_us", "version"),
)
DDL_WORDS = 3
_NEW_EVERY_RUN = "__debezium.context.runId"


def normalise_mariadb(records: Iterable[RawRecord], database: str) -> list[dict[str, Any]]:
    """Normalise a whole log from its first record."""
    documents = [(record, json.loads(record.value)) for record in records]
    gtids = _rank(_read_gtid(document) for _, document in documents)
    places = _rank(_read_place(document) for _, document in documents)
    found = []
    for record, document in documents:
        kind = name_kind(document) if "ddl" not in document else "DDL"
        if kind == "heartbeat":
            continue
        entry: dict[str, Any] = {"kind": kind, "transaction": gtids.get(_read_gtid(document))}
        if kind == "DDL":
            entry["ddl"] = _name_ddl(document["ddl"], database)
        elif "aggregate_type" in document:
            entry["data"] = _describe_notice(document["additional_data"], f"{database}.")
        elif "status" in document:
            entry |= _describe_boundary(record, document, f"{database}.")
        else:
            entry |= _describe_row(record, document)
            entry["place"] = places.get(_read_place(document))
        found.append(entry)
    return found


def describe_headers(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Describe headers but for the one that every start makes anew."""
    return [(name, value.decode()) for name, value in headers if name != _NEW_EVERY_RUN]


def _describe_row(record: RawRecord, document: dict[str, Any]) -> dict[str, Any]:
    source, transaction = document["source"], document["transaction"]
    entry: dict[str, Any] = {
        "key": record.key and record.key.decode(),
        "before": document["before"],
        "after": document["after"],
        # TRUNCATE has no rows: the number is that of whatever stood before it
        "row": source["row"] if document["op"] != "t" else None,
        "snapshot": source["snapshot"] or "false",
        "name": (source["connector"], source["name"]),
        "fields": tuple(sorted(source)),
        "headers": describe_headers(record.headers),
    }
    if transaction is not None:
        entry["order"] = (transaction["total_order"], transaction["data_collection_order"])
        entry["own_id"] = transaction["id"] == source["gtid"]
    return entry


def _describe_boundary(record: RawRecord, document: dict[str, Any], schema: str) -> dict[str, Any]:
    return {
        "own_key": record.key == b'{"id":"%b"}' % document["id"].encode(),
        "event_count": document["event_count"],
        "collections": sorted(
            (one["data_collection"].removeprefix(schema), one["event_count"])
            for one in document["data_collections"] or ()
        ),
        "headers": describe_headers(record.headers),
    }


def _describe_notice(data: dict[str, str], schema: str) -> dict[str, Any]:
    named = {
        name: value if name == "connector_name" else value.removeprefix(schema)
        for name, value in data.items()
    }
    if "data_collections" in data:
        tables = data["data_collections"].split(",")
        named["data_collections"] = " ".join(sorted(one.removeprefix(schema) for one in tables))
    return named


def _name_ddl(statement: str, database: str) -> str:
    words = statement.replace("`", "").replace(f"{database}.", "").replace(" IF EXISTS", "").split()
    return " ".join(words[: 1 if words[0] == "SET" else DDL_WORDS]).replace(database, "(database)")


def _read_gtid(document: dict[str, Any]) -> int | None:
    """Return the number in a GTID (domain-server-number), which rises with every commit."""
    if "status" in document:
        return int(document["id"].rpartition("-")[2])
    if document.get("transaction"):
        return int(document["transaction"]["id"].rpartition("-")[2])
    return None


def _read_place(document: dict[str, Any]) -> tuple[str, int] | None:
    if document.get("transaction"):
        return document["source"]["file"], document["source"]["pos"]
    return None


def _rank(found: Iterable[Any]) -> dict[Any, int]:
    return {one: rank for rank, one in enumerate(sorted(set(found) - {None}))}
