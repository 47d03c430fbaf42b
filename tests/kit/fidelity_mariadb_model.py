"""Runs a script on the models and says what MariaDB's connector makes of it.

Enters: a script. Leaves: the model's log in the form of `normalise_mariadb`. What a restart does is
the model's own; the rest is said here: whole rows before, GTIDs and positions in commit order, DDL
before the snapshot, transactions of other tables announced without changes, TRUNCATE without END.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fidelity_log import RawRecord, name_kind
from fidelity_mariadb_log import SOURCE_FIELDS, describe_headers
from fidelity_mariadb_script import MODULE_TABLES, make_definitions
from fidelity_model import ModelSite
from fidelity_script import SCHEMA, Script

from pipeline.simulate.legacy import LegacyDatabase
from pipeline.simulate.legacy_wal import Key, Row, WalChange, WalTransaction

_Place = tuple[int, int]
"""A commit's number and a position: what an event's place in the binary log is on the model."""


class ModelMariaDB(ModelSite):
    """The interpreter; `run` restarts the connector where it is told, not where the script says."""

    def __init__(self, site: str) -> None:
        super().__init__(
            site,
            database=LegacyDatabase(make_definitions()),
            tables=MODULE_TABLES,
            repeats_begin=True,
            counts_anew=True,
            exact_restarts=False,
        )

    def foretell(self, script: Script, *places: int) -> list[dict[str, Any]]:
        """Run a script with a restart behind each of `places` records; heartbeats do not count.

        The places count the records of MariaDB's log from the snapshot's COMPLETED on.
        """
        for one in script:
            getattr(self, one.action)(*one.arguments)
        assert self._connector is not None
        begin = self._find_stream()
        for place in places:
            while (left := place - len(self._translate(begin))) > 0:
                assert self._poll(left), f"there are not {place} records"
            assert left == 0, f"there is no restart behind record {place}"
            self._connector.stop()
            self._connector.start()
        self._drain()
        return self._foretell_snapshot(begin) + self._translate(begin)

    def await_snapshot(self) -> None:
        """Let the snapshot be completed."""
        self._drain()

    def kill(self, order: int) -> None:
        """Do nothing: where the real connector was killed is told afterwards."""

    def restart(self) -> None:
        """Do nothing, as above."""

    def commit(self, session: str) -> None:
        """Commit; what follows is polled only after the script."""
        self.sessions.pop(session).commit()

    def _find_stream(self) -> int:
        mark = b'"type":"COMPLETED"'
        return 1 + next(place for place, one in enumerate(self.log) if mark in one.value)

    def _foretell_snapshot(self, end: int) -> list[dict[str, Any]]:
        found = [_describe_outside(one) for one in self.log[:end] if _is_shown(one)]
        names = sorted(self.database.definitions)
        ddl = [
            "SET",
            *(f"DROP TABLE {name}" for name in names),
            *("DROP DATABASE (database)", "CREATE DATABASE (database)", "USE (database)"),
            *(f"CREATE TABLE {name}" for name in names),
        ]
        found[1:1] = [{"kind": "DDL", "transaction": None, "ddl": one} for one in ddl]
        return found

    def _translate(self, begin: int) -> list[dict[str, Any]]:
        """Say the stream as MariaDB's connector does."""
        return list(_Translation(self.database).translate(self.log[begin:]))


class _Translation:
    """The stream of one log: what the legacy database's commits say of its records."""

    def __init__(self, database: LegacyDatabase) -> None:
        commits = [one for one in database.wal if isinstance(one, WalTransaction) and one.changes]
        self._numbers = {commit.txid: number for number, commit in enumerate(commits)}
        self._commits = commits
        self._befores = _replay(commits)
        self._begun = -1

    def translate(self, records: list[RawRecord]) -> Iterator[dict[str, Any]]:
        entries = list(self._describe(records))
        gtids = _rank({entry["transaction"] for entry in entries})
        places = _rank({entry["place"] for entry in entries if "place" in entry})
        for entry in entries:
            if "place" in entry:
                entry["place"] = places[entry["place"]]
            if entry["transaction"] is not None:
                entry["transaction"] = gtids[entry["transaction"]]
        yield from entries

    def _describe(self, records: list[RawRecord]) -> Iterator[dict[str, Any]]:
        for record in records:
            document = json.loads(record.value)
            if "op" in document:
                yield self._describe_row(record, document)
            elif "status" in document:
                number = self._numbers[int(document["id"].partition(":")[0])]
                yield from self._announce_others(number, record)
                is_truncate = self._commits[number].changes[0].operation == "t"
                if not is_truncate or document["status"] == "BEGIN":
                    yield _make_boundary(number, record, document)
            elif _is_shown(record):
                yield _describe_outside(record)

    def _announce_others(self, number: int, record: RawRecord) -> Iterator[dict[str, Any]]:
        """Announce the transactions before this one that the module's tables have no part in."""
        begun, self._begun = self._begun, max(number, self._begun)
        if begun < 0:
            return
        for other in range(begun + 1, number):
            for status in ("BEGIN", "END"):
                count = 0 if status == "END" else None
                yield _make_boundary(other, record, {"status": status, "event_count": count})

    def _describe_row(self, record: RawRecord, document: dict[str, Any]) -> dict[str, Any]:
        source, transaction = document["source"], document["transaction"]
        number, lsn, key = self._numbers[source["txId"]], source["lsn"], _read_key(record)
        before = self._befores.get((number, lsn, source["table"], key))
        return {
            "kind": name_kind(document),
            "transaction": number,
            **_describe_common(record, document),
            "before": None if document["op"] in "ct" else before,
            "row": self._find_row(number, lsn, key),
            "order": (transaction["total_order"], transaction["data_collection_order"]),
            "own_id": True,
            "place": (number, lsn),
        }

    def _find_row(self, number: int, lsn: int, key: Key) -> int | None:
        """Find which row of its event a change is."""
        changes = [one for one in self._commits[number].changes if one.lsn == lsn]
        if changes[0].operation == "t":
            return None
        return next(row for row, one in enumerate(changes) if key in (one.key, one.old_key))


def _replay(commits: list[WalTransaction]) -> dict[tuple[int, int, str, Key], Row | None]:
    """Replay all commits and remember each changed row as it was before."""
    rows: dict[tuple[str, Key], Row] = {}
    befores: dict[tuple[int, int, str, Key], Row | None] = {}
    for number, commit in enumerate(commits):
        for change in commit.changes:
            assert change.table is not None
            name = change.table.name
            if change.operation == "t":
                rows = {place: row for place, row in rows.items() if place[0] != name}
                continue
            key = _read_old_key(change)
            befores[number, change.lsn, name, key] = _write(rows.pop((name, key), None))
            if change.row is not None and change.key is not None:
                rows[name, change.key] = change.row
    return befores


def _read_old_key(change: WalChange) -> Key:
    return change.old_key if change.old_key is not None else change.key or ()


def _write(row: Row | None) -> Row | None:
    if row is None:
        return None
    return {name: str(one) if isinstance(one, Decimal) else one for name, one in row.items()}


def _read_key(record: RawRecord) -> Key:
    return tuple(json.loads(record.key).values()) if record.key else ()


def _describe_common(record: RawRecord, document: dict[str, Any]) -> dict[str, Any]:
    source = document["source"]
    return {
        "key": record.key and record.key.decode(),
        "after": document["after"],
        "snapshot": source["snapshot"],
        "name": ("mariadb", source["name"]),
        "fields": SOURCE_FIELDS,
        "headers": [
            (name, "mariadb" if value == "postgresql" else value)
            for name, value in describe_headers(record.headers)
        ],
    }


def _describe_outside(record: RawRecord) -> dict[str, Any]:
    """Describe a record outside transactions: a notification, or a row that a snapshot read."""
    document = json.loads(record.value)
    entry: dict[str, Any] = {"kind": name_kind(document), "transaction": None}
    if "op" in document:
        extra = {"before": None, "row": 0, "place": None}
        return entry | _describe_common(record, document) | extra
    data = {
        name: value.removeprefix(f"{SCHEMA}.")
        for name, value in document["additional_data"].items()
    }
    if "data_collections" in data:
        data["data_collections"] = " ".join(sorted(MODULE_TABLES))
    return entry | {"data": data}


def _make_boundary(number: int, record: RawRecord, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": document["status"],
        "transaction": number,
        "own_key": True,
        "event_count": document["event_count"],
        "collections": sorted(
            (one["data_collection"].removeprefix(f"{SCHEMA}."), one["event_count"])
            for one in document.get("data_collections") or ()
        ),
        "headers": describe_headers(record.headers),
    }


def _is_shown(record: RawRecord) -> bool:
    """Whether MariaDB's connector writes it, and a comparison asks for it."""
    is_resolved = b'"type":"DATA_COLLECTIONS_RESOLVED"' in record.value
    return not is_resolved and not record.value.startswith(b'{"ts_ms"')


def _rank(found: set[Any]) -> dict[Any, int]:
    return {one: rank for rank, one in enumerate(sorted(found - {None}))}
