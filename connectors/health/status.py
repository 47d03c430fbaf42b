"""What `connectors status` knows of each connector, as one document.

Enters: a Target and open connections. Leaves: a `Status` per connector of the site, the undeclared
ones too, which have only their states.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.health.facts import RUNNING, ConnectorFacts, ModuleFacts
from connectors.health.failures import first_line
from connectors.health.finding import Finding, Limits, Severity
from connectors.health.gather import Sources, gather, read_connector, resolve
from connectors.health.progress import SnapshotProgress, read_incremental, read_initial
from connectors.health.rules import find
from connectors.health.source import estimate_rows
from legacy_db.mariadb.definition import read_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.declaration import Declaration
    from connectors.health.facts import SlotFacts, TranslatorFacts
    from connectors.target import Target


@dataclass(frozen=True, slots=True)
class Status:
    """One connector; `facts` and what follows from them only where it is declared."""

    connector: ConnectorFacts
    facts: ModuleFacts | None = None
    lag_s: float | None = None
    snapshot: SnapshotProgress | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether connector and tasks run and nothing is lost beside them."""
        return self.connector.runs and all(
            one.severity is not Severity.ERROR for one in self.findings
        )

    @property
    def error(self) -> str:
        """The first line of the trace of what has failed; '' where nothing has."""
        failure = self.connector.failure
        return "" if failure is None else first_line(failure.trace)

    @property
    def translator_lag(self) -> int | None:
        """How many records of the change log the translator has not read yet."""
        facts = self.facts
        if facts is None or facts.translator is None or facts.log is None:
            return None
        return max(0, facts.log.high - 1 - facts.translator.offset)  # the last is a marker

    def document(self) -> dict[str, Any]:
        """Give all facts as they stand in JSON."""
        connector, facts = self.connector, self.facts
        own = connector.parts[0] if connector.parts else None
        return {
            "name": connector.name,
            "declared": facts is not None,
            "state": connector.state,
            "trace": (own.trace or None) if own else None,
            "tasks": [
                {
                    "id": int(part.name.removeprefix("task ")),
                    "state": part.state,
                    "trace": part.trace or None,
                }
                for part in connector.parts[1:]
            ],
            "error": self.error or None,
            "offset": connector.offset,
            "lag_bytes": None if facts is None else facts.lag_bytes,
            "lag_s": self.lag_s,
            "slot": None if facts is None or facts.source is None else _slot(facts),
            "last_event_age_s": None if facts is None else facts.silence_s,
            "snapshot": None if self.snapshot is None else self.snapshot.document(),
            "translator_lag_records": self.translator_lag,
            "findings": [one.document() for one in self.findings],
        }


def _slot(facts: ModuleFacts) -> dict[str, Any] | None:
    source = facts.source
    slot: SlotFacts | None = None if source is None else source.slot
    if source is None or slot is None:
        return None
    return {
        "name": slot.name,
        "active_pid": slot.active_pid,
        "confirmed_lsn": slot.confirmed_lsn,
        "restart_lsn": slot.restart_lsn,
        "retained_bytes": source.retained_bytes,
        "wal_status": slot.wal_status,
        "safe_wal_bytes": slot.safe_wal_bytes,
        "failover": slot.failover,
    }


def read_status(
    target: Target,
    sources: Sources,
    limits: Limits,
    translators: Mapping[str, TranslatorFacts] | None = None,
) -> list[Status]:
    """Read the status of every connector of the site, by name."""
    target = resolve(target, sources)
    declared = gather(target, sources, translators)
    found = [_make_status(target, sources, limits, facts) for facts in declared.values()]
    names = {facts.connector.name for facts in declared.values()}
    prefix = f"{target.site}."
    others = (
        name
        for name in sources.connect.list_connectors()
        if name.startswith(prefix) and name not in names
    )
    found += [Status(read_connector(sources.connect, name)) for name in others]
    return sorted(found, key=lambda one: one.connector.name)


def _make_status(target: Target, sources: Sources, limits: Limits, facts: ModuleFacts) -> Status:
    return Status(
        facts.connector,
        facts,
        _read_lag_s(target, sources, facts),
        _read_snapshot(target, sources, facts),
        tuple(find(facts, limits)),
    )


def _read_lag_s(target: Target, sources: Sources, facts: ModuleFacts) -> float | None:
    """Say how long ago the newest change that is in the log was committed.

    Heartbeats write to the legacy database, too: where all is well it is their interval at most.
    """
    if facts.log is None:
        return None
    last = sources.logs.read_last(target.names(facts.module).changes, facts.log)
    if last is None:
        return None
    at_ms = last.source_ms or last.timestamp_ms
    return max(0.0, (facts.now_ms - at_ms) / 1000)


def _read_snapshot(target: Target, sources: Sources, facts: ModuleFacts) -> SnapshotProgress | None:
    if facts.log is None or facts.connector.state != RUNNING:
        return None
    topic, declaration = target.names(facts.module).changes, target.declarations[facts.module]
    if facts.connector.reads_snapshot:
        estimates = _estimate_rows(sources, declaration)
        return read_initial(sources.logs, topic, facts.log, declaration.tables, estimates)
    left = list_incremental(facts.connector)
    return read_incremental(sources.logs, topic, facts.log, left) if left else None


def _estimate_rows(sources: Sources, declaration: Declaration) -> dict[str, int]:
    """Give the rows of the declared tables as the database, where it answers, estimates them."""
    schema, tables = declaration.schema, declaration.tables
    if sources.binlog is not None:
        return {
            name: rows for name, (rows, _) in read_sizes(sources.binlog, schema, tables).items()
        }
    return {} if sources.owner is None else estimate_rows(sources.owner, schema, tables)


def list_incremental(connector: ConnectorFacts) -> list[str]:
    """List the tables that a running incremental snapshot has not read to the end."""
    text = (connector.offset or {}).get("incremental_snapshot_collections")
    if not isinstance(text, str):
        return []
    return [
        str(one["incremental_snapshot_collections_id"]).rpartition(".")[2]
        for one in json.loads(text)
    ]
