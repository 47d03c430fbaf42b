"""Translates a transaction that is too large for memory, from its rows spilled in the hub.

Enters: the END of a spilled transaction. Leaves: one whole event per aggregate, made part by part
while the mirror is still as before; then the rows, chunk by chunk. Memory is bounded by both sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.aggregate import Key
from pipeline.translate.batch import DecodedTransaction, load_rows, make_moment
from pipeline.translate.rows import encode_json_key
from pipeline.translate.working_set import WorkingSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from adapters.change_steps import Transaction
    from adapters.envelope import RowChange
    from pipeline.translate.event_maker import Moment
    from pipeline.translate.landing import Landing

Moved = dict[tuple[str, Key], tuple[bytes, ...]]
"""(table, key) of rows whose key changed with values not sent again: the keys that they had."""

CHUNK_ROWS = 5_000
"""Rows that are in memory at once while they land."""
PART_AGGREGATES = 1_000
"""Aggregates that are in memory at once while their events are made."""


def translate_huge(landing: Landing, transaction: Transaction, epoch: int) -> Moment:
    """Translate a spilled transaction; the caller's transaction of the hub holds all of it."""
    hub = landing.hub
    hub.spill_changes(transaction.spilled, transaction.changes)
    moment = make_moment(transaction, epoch)
    hub.make_touch_table()
    moved: Moved = {}
    for changes in _keep_pairs(hub.read_spill(CHUNK_ROWS)):
        _note_touches(landing, changes, moved)
    for part in hub.read_touched(PART_AGGREGATES):
        _translate_part(landing, part, moment)
    for changes in _keep_pairs(hub.read_spill(CHUNK_ROWS)):
        writes = landing.decode(changes)
        translation = landing.new_translation(only=frozenset())
        load_rows(translation.rows, landing.roles, landing.mirror, writes, aggregates=False)
        translation.apply(DecodedTransaction(moment, writes))
        landing.land(translation, moment)
        landing.facts.rows += len(writes)
    hub.drop_spill()
    landing.facts.transactions += 1
    return moment


def _keep_pairs(chunks: Iterable[list[RowChange]]) -> Iterator[list[RowChange]]:
    """Keep the delete and the create of a changed key in one chunk: the one completes the other."""
    held: list[RowChange] = []
    for chunk in chunks:
        changes = held + chunk
        held = [changes.pop()] if changes[-1].operation == "d" else []
        if changes:
            yield changes
    if held:
        yield held


def _note_touches(landing: Landing, changes: Sequence[RowChange], moved: Moved) -> None:
    """Note which aggregates each row belongs to, before and after its change.

    A row that came from other keys with values that were not sent again is made of its changes
    under those keys, too.
    """
    writes = landing.decode(changes)
    rows = WorkingSet(landing.roles)
    load_rows(rows, landing.roles, landing.mirror, writes, aggregates=False)
    touches: dict[tuple[str, bytes, str, bytes], None] = {}
    before: bytes | None = None
    for change, write in zip(changes, writes, strict=True):
        if write.key is None or change.key is None:
            continue
        row_keys = [change.key]
        if write.old_key is not None and before is not None:
            origins = (before, *moved.get((write.table, write.old_key), ()))
            moved[write.table, write.key] = origins
            row_keys += origins
        before = change.key
        images = [rows.get(write.table, write.key), write.row]
        if write.old_key is not None:
            images.append(rows.get(write.table, write.old_key))
        for role in landing.roles.by_table.get(write.table, ()):
            roots = [role.root_key(image) for image in images if image is not None]
            if role.is_root and not roots:  # it may be quarantined, and gone now
                roots = [write.key]
            for root_key in map(encode_json_key, roots):
                for row_key in row_keys:
                    touches[role.adapter.aggregate, root_key, write.table, row_key] = None
    landing.hub.add_touches(touches)


def _translate_part(landing: Landing, part: list[tuple[str, bytes]], moment: Moment) -> None:
    """Make the events of some aggregates: with all rows that concern them, in order."""
    roots = {adapter.aggregate: adapter.root for adapter in landing.roles.adapters}
    codecs = landing.mirror.codecs
    only = frozenset(
        (name, codecs[roots[name]].decode_json_key(root_key)) for name, root_key in part
    )
    writes = landing.decode(landing.hub.read_spill_of(part))
    translation = landing.new_translation(only)
    load_rows(translation.rows, landing.roles, landing.mirror, writes)
    translation.apply(DecodedTransaction(moment, writes))
    landing.keep_outcome(translation.outcome)
