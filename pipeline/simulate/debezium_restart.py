"""What Debezium 3.7.0 loses and repeats when it starts again within a transaction.

Its offset counts the changes at one WAL position, and takes the count 1 for all of them; a changed
key is one change of two records. Seen on the real one at every place of many transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from pipeline.simulate.debezium_offset import Offset
from pipeline.simulate.debezium_records import LogRecord, RecordWriter
from pipeline.simulate.debezium_transaction import Unit
from pipeline.simulate.legacy_wal import WalMessage


class Resumption:
    """Where the stream resumes behind an END: at the next BEGIN, whatever messages stand before.

    `seeks` until that is found; `lsn` is its position until it is passed.
    """

    def __init__(self) -> None:
        self.seeks = False
        self.lsn: int | None = None

    def is_seeking(self, firsts: Iterable[int | None]) -> bool:
        """Look for it in what follows: each entry's first change's position, None without one."""
        if self.seeks:
            self.lsn = next((lsn for lsn in firsts if lsn is not None), None)
            self.seeks = self.lsn is None
        return self.seeks

    def write_message(
        self, writer: RecordWriter, message: WalMessage, offset: Offset
    ) -> list[LogRecord]:
        """Write a message, but not before the place of resumption; right there, that END again."""
        written = writer.write_message(message, offset.time_us)
        if self.lsn is None:
            return [written]
        end = offset.end
        if message.lsn != self.lsn or end is None:
            return []
        self.lsn = None
        return [writer.write_end(end.txid, message.lsn, end.time_us, end.counts), written]


class ConnectorFailed(Exception):  # noqa: N818 - the connector's task fails, the model does not
    """Debezium does not find the position it stopped at, and fails again at every start."""


def plan_rest(
    units: Sequence[Unit], plan: tuple[int, ...], done: int, end: int | None
) -> tuple[int, ...]:
    """Plan which units follow after a restart behind `done` of them; the done ones stay first.

    `end` is the END right before the transaction. ConnectorFailed when it would not start.
    """
    if done == 0:
        # behind BEGIN, the place is that of the END before, which a later row may have too
        same = [place for place, one in enumerate(plan) if units[one].change.lsn == end]
        is_later = bool(same) and units[plan[0]].change.lsn != end
        return plan[same[-1] + 1 :] if is_later else plan
    past, rest = plan[:done], plan[done:]
    last = units[past[-1]]
    lsn = last.change.lsn
    count = sum(units[one].change.lsn == lsn and _is_last(units, one) for one in past)
    begins = units[0].change.lsn == lsn  # BEGIN has the position of the first change
    left = sum(units[one].change.lsn == lsn for one in rest)
    if last.operation == "m":
        return plan
    if last.operation == "t":
        return _plan_after_truncate(units, past, rest, left=left, begins=begins)
    if count <= 1:
        return (*past, *rest[left:])
    return (*past, past[-1], *rest) if begins else plan


def count_anew(offset: Offset, list_units: Callable[[int], list[Unit]]) -> Offset:
    """Begin the rest of an open transaction as if it were one; behind an END, nothing of it.

    `list_units` lists an entry's. So MariaDB's connector does; behind a moved row's delete it
    loses the create, too, and a TRUNCATE that was written last is written again.
    """
    if offset.item > 0:
        units = list_units(offset.entry)
        plan = offset.plan if offset.plan is not None else tuple(range(len(units)))
        done, rest = plan[: offset.item - 1], plan[offset.item - 1 :]
        if is_moving(units, plan, offset.item):
            rest = rest[1:]
        elif done and units[done[-1]].operation == "t":
            rest = (done[-1], *rest)
        return replace(offset, item=0, plan=rest, end=None)
    if offset.end is None:
        return offset
    entry = offset.entry - 1
    while not list_units(entry):
        entry -= 1
    return replace(offset, entry=entry, plan=(), end=None)


def is_moving(units: Sequence[Unit], plan: Sequence[int], item: int) -> bool:
    """Whether a place is between the delete and the create of a moved row."""
    return 1 < item <= len(plan) and units[plan[item - 2]].change is units[plan[item - 1]].change


def _is_last(units: Sequence[Unit], index: int) -> bool:
    """Whether a unit is its change's last record."""
    unit = units[index]
    return not (unit.operation == "d" and unit.change.old_key is not None)


def _plan_after_truncate(
    units: Sequence[Unit], past: tuple[int, ...], rest: tuple[int, ...], *, left: int, begins: bool
) -> tuple[int, ...]:
    lsn = units[past[-1]].change.lsn
    group = tuple(index for index, unit in enumerate(units) if unit.change.lsn == lsn)
    if left:
        return (*past, *group, *rest[left:])
    if begins and len(group) > 1:
        raise ConnectorFailed("no message at the position among those seen in the location phase")
    return (*past, *rest)
