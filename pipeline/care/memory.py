"""What the care of a site remembers between two looks and over its own restarts.

Enters: facts and findings. Leaves: `.isthmus/care.json`, written anew in one step; it is read by
the supervisor, which tells it on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connectors.config import EPOCH_HEADER
from connectors.health.facts import BinlogPlace, SeenBinlog, SeenSource
from connectors.health.finding import Finding, Kind, Remedy, Severity
from pipeline.care.step import Watched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from connectors.health.facts import ModuleFacts

CARE_FILE = "care.json"


@dataclass(frozen=True, slots=True)
class Memory:
    """One module: what was seen of its database in an epoch, and the config that both agreed on."""

    epoch: str | None = None
    seen: SeenSource | None = None
    agreed: Mapping[str, str] | None = None
    watched: Watched = field(default_factory=Watched)
    seen_binlog: SeenBinlog | None = None


def recall(facts: ModuleFacts, memory: Memory, now_s: float) -> ModuleFacts:
    """Add what is remembered to a module's facts."""
    since_s = memory.watched.running_since_s
    is_same = memory.epoch == read_epoch(facts)
    return replace(
        facts,
        seen=memory.seen if is_same else None,
        seen_binlog=memory.seen_binlog if is_same else None,
        agreed=memory.agreed,
        running_s=None if since_s is None else now_s - since_s,
    )


def remember(facts: ModuleFacts, findings: list[Finding], memory: Memory) -> Memory:
    """Remember what is worth it of a look: the database while nothing is wrong with it."""
    epoch, seen = read_epoch(facts), memory.seen
    doubted = {Kind.DATABASE_CHANGED, Kind.DATABASE_WENT_BACK}
    source = facts.source
    is_doubted = any(one.kind in doubted for one in findings)
    if source is not None and not is_doubted:
        reached = source.lsn
        # behind a failover that nothing was lost by, the old primary's last position says nothing
        if seen is not None and memory.epoch == epoch and seen.timeline == source.timeline:
            reached = max(seen.lsn, source.lsn)
        seen = SeenSource(source.system, source.timeline, reached)
    binlog = memory.seen_binlog if memory.epoch == epoch else None
    if not is_doubted:
        binlog = _see_binlog(facts) or binlog
    agreed = facts.wanted if facts.connector.config == facts.wanted else memory.agreed
    return replace(memory, epoch=epoch, seen=seen, seen_binlog=binlog, agreed=agreed)


def _see_binlog(facts: ModuleFacts) -> SeenBinlog | None:
    """Take the end of the binary log, where its GTIDs are known to be those of that place."""
    binlog = facts.binlog
    if binlog is None or binlog.end is None or binlog.gtids is None or not binlog.is_exact:
        return None
    return SeenBinlog(binlog.server_id, binlog.end, binlog.gtids)


def read_epoch(facts: ModuleFacts) -> str | None:
    """Read the declared epoch."""
    return (facts.wanted or {}).get(f"transforms.{EPOCH_HEADER}.value.literal")


def dump_memories(
    memories: Mapping[str, Memory], findings: list[dict[str, Any]], checked_at: str
) -> dict[str, Any]:
    """Build what the file holds; what a person reads stands first."""
    return {
        "checked_at": checked_at,
        "findings": findings,
        "modules": {module: _dump(memory) for module, memory in sorted(memories.items())},
    }


def _dump(memory: Memory) -> dict[str, Any]:
    seen, binlog, cause = memory.seen, memory.seen_binlog, memory.watched.stopped_for
    return {
        "epoch": memory.epoch,
        "seen": None if seen is None else [seen.system, seen.timeline, seen.lsn],
        "seen_binlog": None if binlog is None else [binlog.server_id, *binlog.place, binlog.gtids],
        "agreed": None if memory.agreed is None else dict(memory.agreed),
        "stopped_for": None if cause is None else cause.document(),
        "doubted": sorted(memory.watched.doubted),
    }


def load_memories(path: Path) -> dict[str, Memory]:
    """Load what was remembered; nothing of a file that is not there or not whole."""
    try:
        modules = json.loads(path.read_text())["modules"]
        return {module: _load(module, body) for module, body in modules.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _load(module: str, body: Mapping[str, Any]) -> Memory:
    seen, cause = body["seen"], body["stopped_for"]
    finding = None
    if cause is not None:
        finding = Finding(
            module, Kind(cause["kind"]), Severity(cause["severity"]), cause["text"], Remedy.STOP
        )
    return Memory(
        body["epoch"],
        None if seen is None else SeenSource(*seen),
        body["agreed"],
        Watched(stopped_for=finding, doubted=frozenset(map(Kind, body.get("doubted", ())))),
        _load_binlog(body.get("seen_binlog")),
    )


def _load_binlog(body: Sequence[Any] | None) -> SeenBinlog | None:
    if body is None:
        return None
    server_id, file, offset, gtids = body
    return SeenBinlog(server_id, BinlogPlace(file, offset), gtids)
