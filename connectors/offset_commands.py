"""What `connectors offsets export | reset | set` do: say what it means, ask, and only then act.

Enters: a Target, a module. Leaves: a file, or offsets changed in Connect (KIP-875), which needs the
connector stopped. Nobody is asked where nobody sits: then `--yes` says it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.binlog_offset import describe_binlog_reset, describe_binlog_set, read_captured
from connectors.client import ConnectClient
from connectors.errors import Configuration, Fatal
from connectors.health.binlog_source import read_binlog
from connectors.health.facts import STOPPED
from connectors.health.gather import Sources, read_connector
from connectors.health.opening import open_sources
from connectors.health.source import read_slots
from connectors.offset_change import (
    Surroundings,
    describe_reset,
    describe_set,
    dump_offsets,
    load_offsets,
)
from connectors.plan import Effect, Severity
from connectors.site_lock import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from connectors.binlog_offset import Captured
    from connectors.health.facts import LogFacts
    from connectors.health.log_end import LogRecord
    from connectors.target import Target

TAIL_RECORDS = 50_000
"""How much of the change log is looked at to count what would be sent again."""


def export(target: Target, module: str, file: str) -> int:
    """Write a connector's offsets into a file, `-` for stdout."""
    name = target.declared_connector(module)
    text = dump_offsets(name, ConnectClient(target.connect_url).read_offsets(name))
    if file == "-":
        sys.stdout.write(text)
    else:
        Path(file).write_text(text, encoding="utf-8")
        _say(f"offsets of {name} are in {file}")
    return 0


def reset(target: Target, module: str, *, yes: bool, ask: Callable[[str], bool] | None) -> int:
    """Forget a connector's offsets, once it was said what that means and confirmed."""
    name = target.declared_connector(module)
    with hold(target), open_sources(target, _say) as sources:
        if sources.binlog is not None:
            effects = describe_binlog_reset(module)
        else:
            effects = describe_reset(look_around(target, sources, module, tail=False))
        confirm(f"forget the offsets of {name}", effects, yes=yes, ask=ask)
        refuse_unless_stopped(sources, name, module)
        sources.connect.delete_offsets(name)
    _say(f"{name} has no offsets any more")
    return 0


def set_offsets(
    target: Target, module: str, file: Path, *, yes: bool, ask: Callable[[str], bool] | None
) -> int:
    """Give a connector the offsets of a file, once it was said what that means and confirmed."""
    name = target.declared_connector(module)
    entries = load_offsets(file, name)
    with hold(target), open_sources(target, _say) as sources:
        refuse_unless_stopped(sources, name, module)
        if sources.binlog is not None:
            binlog, present = read_binlog(sources.binlog), sources.connect.read_offsets(name)
            captured = look_at_captured(target, sources, module)
            effects = describe_binlog_set(entries, binlog, present, captured)
        else:
            effects = describe_set(entries, look_around(target, sources, module, tail=True))
        confirm(f"set the offsets of {name} to those of {file}", effects, yes=yes, ask=ask)
        sources.connect.set_offsets(name, entries)
    _say(f"{name} has the offsets of {file}")
    return 0


def refuse_unless_stopped(sources: Sources, name: str, module: str) -> None:
    """Refuse a connector that is not STOPPED: Connect changes offsets of no other."""
    state = read_connector(sources.connect, name).state
    if state != STOPPED:
        raise Configuration(
            f"connector {name} is {state}: its offsets can only be changed while it is STOPPED: "
            f"`isthmus connectors stop {module}`"
        )


def look_around(target: Target, sources: Sources, module: str, *, tail: bool) -> Surroundings:
    """Read what offsets are compared with: the slot, and with `tail` the log's transactions."""
    names = target.names(module)
    slot = None
    if sources.owner is not None:
        slot = read_slots(sources.owner, [names.slot]).get(names.slot)
    log = sources.logs.read_ends([names.changes]).get(names.changes)
    if not tail or log is None:
        return Surroundings(module, slot, [], None)
    records = read_tail(sources, names.changes, log)
    ends = [one.end_lsn for one in records if one.end_lsn is not None]
    is_cut = log.high - log.low > TAIL_RECORDS
    return Surroundings(module, slot, ends, min(ends, default=None) if is_cut else None)


def look_at_captured(target: Target, sources: Sources, module: str) -> Captured:
    """Read which transactions the change log ends with, by their GTIDs."""
    topic = target.names(module).changes
    log = sources.logs.read_ends([topic]).get(topic)
    return read_captured(module, () if log is None else read_tail(sources, topic, log))


def read_tail(sources: Sources, topic: str, log: LogFacts) -> Iterator[LogRecord]:
    """Read the end of a change log, so much of it that older positions are seldom asked for."""
    return sources.logs.read(topic, max(log.low, log.high - TAIL_RECORDS), log.high)


def confirm(
    what: str, effects: Sequence[Effect], *, yes: bool, ask: Callable[[str], bool] | None
) -> None:
    """Tell the effects and ask; Configuration when nobody can be asked, or the answer is no."""
    for effect in effects:
        _say(f"{effect.severity}: {effect.text}")
    refused = [effect.text for effect in effects if effect.severity is Severity.REFUSED]
    if refused:
        raise Fatal(f"will not {what}: {'; '.join(refused)}")
    if yes:
        return
    if ask is None:
        raise Configuration(f"will not {what} without being asked to: say --yes, or ask a terminal")
    if not ask(f"{what}?"):
        raise Configuration(f"did not {what}: nothing was changed")


def ask_terminal(question: str) -> bool:
    """Ask the person at the terminal; anything but `yes` is no."""
    sys.stderr.write(f"{question} Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "yes"


def find_asker() -> Callable[[str], bool] | None:
    """Give how to ask: None where nobody sits at a terminal."""
    return ask_terminal if sys.stdin.isatty() else None


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
