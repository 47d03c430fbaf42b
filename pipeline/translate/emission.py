"""Works off requests to emit aggregates again: after a snapshot, a changed lookup, a dead letter.

Enters: the oldest request of a module. Leaves: state events of the mirror's present state, under
the module's position and a new revision, a chunk at a time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from pipeline.hub.dead_letters import REPLAY
from pipeline.hub.emissions import Emission
from pipeline.hub.modules import ModuleMarks
from pipeline.translate.batch import load_aggregates, load_lookups
from pipeline.translate.event_maker import Moment, make_target

if TYPE_CHECKING:
    from adapters.aggregate import Adapter, Key
    from pipeline.translate.landing import Landing

CHUNK_AGGREGATES = 2_000
"""Aggregates that one transaction of the hub emits."""


def emit_chunk(landing: Landing, emission: Emission, marks: ModuleMarks) -> ModuleMarks:
    """Emit the next chunk of a request, in the caller's transaction; return the new marks."""
    adapter = next(
        (one for one in landing.roles.adapters if one.aggregate == emission.aggregate), None
    )
    if adapter is None:
        landing.facts.done.append(f"no adapter for {emission.aggregate}: request removed")
        landing.hub.finish_emission(emission)
        return marks
    keys, more = _next_keys(landing, adapter, emission)
    marks = replace(marks, revision=marks.revision + 1)
    _emit(landing, adapter, keys, marks, emission)
    if more:
        landing.hub.advance_emission(emission, keys[-1])
    else:
        landing.hub.finish_emission(emission)
    marks = replace(marks, next_number=landing.next_number)
    landing.hub.save_marks(marks)
    return marks


def _emit(
    landing: Landing,
    adapter: Adapter,
    keys: list[Key],
    marks: ModuleMarks,
    emission: Emission,
) -> None:
    time = marks.source_time if marks.source_time is not None else datetime.fromtimestamp(0, UTC)
    moment = Moment(marks.log.epoch, marks.log.lsn, marks.revision, time, None)
    translation = landing.new_translation()
    rows = translation.rows
    load_aggregates(rows, landing.mirror, adapter, keys, landing.roles)
    load_lookups(rows, landing.mirror, {})
    for key in keys:
        state = landing.maker.state_of(adapter, rows.aggregate(adapter, key))
        target = make_target(adapter, key, moment)
        landing.maker.take_emission(translation.outcome, target, state)
    replay = emission.reason == REPLAY
    landing.keep_outcome(translation.outcome, "replayed" if replay else "superseded")
    landing.facts.done.append(f"emitted {len(keys)} {adapter.aggregate}: {emission.reason}")


def _next_keys(landing: Landing, adapter: Adapter, emission: Emission) -> tuple[list[Key], bool]:
    """Return the root keys of the next chunk, and whether there may be more."""
    mirror = landing.mirror
    root = mirror.codecs[adapter.root]
    after = None
    if emission.after_key is not None:
        after = root.decode_json_key(msgspec.json.encode(emission.after_key))
    if emission.scope == "keys":
        listed = [root.decode_json_key(msgspec.json.encode(key)) for key in emission.keys]
        return listed, False
    if emission.scope == "all":
        keys = mirror.page_keys(adapter.root, root.table.key, after, CHUNK_AGGREGATES)
        return keys, len(keys) == CHUNK_AGGREGATES
    use = landing.roles.lookup_of(adapter, emission.lookup_table)
    if use is None:
        return [], False
    looked_up = mirror.codecs[use.table]
    values = [looked_up.decode_json_key(msgspec.json.encode(key)) for key in emission.keys]
    keys = mirror.page_keys(
        use.member,
        landing.roles.root_columns(adapter, use.member),
        after,
        CHUNK_AGGREGATES,
        where=(use.columns, values),
    )
    return keys, len(keys) == CHUNK_AGGREGATES
