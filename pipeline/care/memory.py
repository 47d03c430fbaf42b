"""What the care of a site remembers between two looks and over its own restarts.

Enters: facts and findings. Leaves: `.isthmus/care.json`, written anew in one step; it is read by
the supervisor, which tells it on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connectors.health.database_rules import find_reached
from connectors.health.facts import BinlogPlace, Checkpoint, SeenBinlog, SeenSource
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
    since_s, held_since_s = memory.watched.running_since_s, memory.watched.held_since_s
    is_same = memory.epoch == facts.epoch
    return replace(
        facts,
        seen=memory.seen if is_same else None,
        seen_binlog=memory.seen_binlog if is_same else None,
        agreed=memory.agreed,
        running_s=None if since_s is None else now_s - since_s,
        held_s=None if held_since_s is None else now_s - held_since_s,
    )


def remember(facts: ModuleFacts, findings: list[Finding], memory: Memory) -> Memory:
    """Remember what is worth it of a look: the database while nothing is wrong with it."""
    epoch = facts.epoch
    seen = memory.seen if memory.epoch == epoch else None
    agreed = facts.wanted if facts.connector.config == facts.wanted else memory.agreed
    # a failover is remembered once what may be doubted behind it is kept in the hub
    undoubted = any(
        one.kind is Kind.DATABASE_FAILED_OVER
        and one.doubt
        and one.kind not in memory.watched.doubted
        for one in findings
    )
    if not undoubted:
        seen = _see(facts, findings, seen)
    binlog = memory.seen_binlog if memory.epoch == epoch else None
    if not {Kind.DATABASE_CHANGED, Kind.DATABASE_WENT_BACK} & {one.kind for one in findings}:
        binlog = _see_binlog(facts) or binlog
    return replace(memory, epoch=epoch, seen=seen, seen_binlog=binlog, agreed=agreed)


def _see_binlog(facts: ModuleFacts) -> SeenBinlog | None:
    """Take the end of the binary log, where its GTIDs are known to be those of that place."""
    binlog = facts.binlog
    if binlog is None or binlog.end is None or binlog.gtids is None or not binlog.is_exact:
        return None
    return SeenBinlog(binlog.server_id, binlog.end, binlog.gtids)


def _see(facts: ModuleFacts, findings: list[Finding], seen: SeenSource | None) -> SeenSource | None:
    """Give what is known of the database now; a standby tells nothing that lasts."""
    source, kinds = facts.source, {one.kind for one in findings}
    if source is None or source.in_recovery or Kind.DATABASE_CHANGED in kinds:
        return seen
    if Kind.DATABASE_WENT_BACK in kinds:
        # its position passes the old one again, and nothing is well by that: only a new epoch is
        known = seen or SeenSource(source.system, source.timeline, find_reached(facts) or 0)
        return replace(known, went_back=True)
    reached = source.lsn
    # behind a failover that nothing was lost by, the old primary's last position says nothing
    if seen is not None and seen.timeline == source.timeline:
        reached = max(seen.lsn, source.lsn)
    waited = bool(source.waits_for)
    return SeenSource(source.system, source.timeline, reached, source.checkpoint, waited=waited)


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
        "seen": None if seen is None else _dump_seen(seen),
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
        None if seen is None else _load_seen(seen),
        body["agreed"],
        Watched(stopped_for=finding, doubted=frozenset(map(Kind, body.get("doubted", ())))),
        _load_binlog(body.get("seen_binlog")),
    )


def _dump_seen(seen: SeenSource) -> list[Any]:
    checkpoint = seen.checkpoint
    return [
        *(seen.system, seen.timeline, seen.lsn),
        *(checkpoint.lsn, checkpoint.next_xid, seen.went_back, seen.waited),
    ]


def _load_seen(body: list[Any]) -> SeenSource:
    system, timeline, lsn, *rest = body  # an older version kept these three
    if not rest:
        return SeenSource(system, timeline, lsn)
    checkpoint, went_back, waited = Checkpoint(*rest[:2]), rest[2], rest[3]
    return SeenSource(system, timeline, lsn, checkpoint, went_back=went_back, waited=waited)


def _load_binlog(body: Sequence[Any] | None) -> SeenBinlog | None:
    if body is None:
        return None
    server_id, file, offset, gtids = body
    return SeenBinlog(server_id, BinlogPlace(file, offset), gtids)
