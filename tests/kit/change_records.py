"""Records of a change log as a test makes them, and what it does with an assembler.

Enters: ids and positions. Leaves: decoded records, and the steps that they are assembled into.
"""

from __future__ import annotations

from adapters.change_log import ChangeLog
from adapters.change_steps import (
    Doubt,
    Step,
)
from adapters.envelope import (
    Begin,
    ChangeRecord,
    End,
    Heartbeat,
    LogicalMessage,
    Notification,
    RowChange,
)
from adapters.log_state import LogState

RESTARTED: list[ChangeRecord] = [
    Heartbeat(),
    Notification("Initial Snapshot", "SKIPPED", {}),
    Heartbeat(),
]
"""What a connector leaves that ended between a heartbeat and END, and how the next one begins."""


def make_row(
    txid: int,
    order: int,
    link: int | None,
    operation: str = "u",
    *,
    lsn: int = 5,
    key: bytes = b'{"id":1}',
) -> RowChange:
    """Make one change of a transaction."""
    return RowChange(
        table="t",
        operation=operation,
        key=key,
        after=b'{"id":1}',
        before=None,
        txid=txid,
        order=order,
        link=link,
        lsn=lsn,
        time_us=1,
    )


def make_message(
    lsn: int, content: bytes = b"x", prefix: str = "heartbeat", txid: int | None = None
) -> LogicalMessage:
    """Make a logical message, outside transactions unless `txid` is given."""
    return LogicalMessage(prefix, content, txid, 1 if txid else 0, lsn, lsn, 1)


def make_transaction(txid: int, link: int | None, lsn: int, rows: int = 1) -> list[ChangeRecord]:
    """Make a whole transaction."""
    return [
        Begin(txid),
        *(make_row(txid, order, link) for order in range(1, rows + 1)),
        End(txid, lsn, rows),
    ]


def feed(log: ChangeLog, records: list[ChangeRecord], start: int = 0) -> list[Step]:
    """Feed records under the offsets from `start` on; return the steps, without doubts."""
    return [step for step in feed_all(log, records, start) if not isinstance(step, Doubt)]


def feed_all(log: ChangeLog, records: list[ChangeRecord], start: int = 0) -> list[Step]:
    """Feed records under the offsets from `start` on and return all steps."""
    steps: list[Step] = []
    for offset, record in enumerate(records, start):
        steps += log.feed(record, offset, None)
    return steps


def make_log(state: LogState | None = None) -> ChangeLog:
    """Make an assembler that stands at position 100 of epoch 1."""
    return ChangeLog("sales", state or LogState(epoch=1, lsn=100, link=100), 0)


def make_parts(*sizes: int, link: int = 100, lsn: int = 200) -> list[list[ChangeRecord]]:
    """Make the parts of one transaction as a connector sends it that starts again within it.

    Each part begins with BEGIN and counts from 1; positions rise through all of them.
    """
    parts: list[list[ChangeRecord]] = []
    position = 110
    for size in sizes:
        rows = [make_row(7, n, link, lsn=position + n) for n in range(1, size + 1)]
        position += size
        parts.append([Begin(7), *rows])
    parts[-1].append(End(7, lsn, sizes[-1]))
    return parts


ANNOUNCED: list[ChangeRecord] = [
    Notification("Initial Snapshot", "SKIPPED", {}),
    *(Begin(5), End(5, 95, 0)),
    *(Begin(6), End(6, 100, 0)),
]
"""What a connector sends first that started again within a transaction whose rows lie before
commits that it had sent already: these once more, without their rows."""
