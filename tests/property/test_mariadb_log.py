"""Whatever MariaDB's connector and the translator do, every transaction comes whole, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from binlog_records import BARRIER, TABLE, BinlogEntry, BinlogRow, Connector
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.binlog_position import Gtid
from adapters.change_steps import Barrier, Doubt, SpillChunk, SpillDropped, Step, Transaction
from adapters.envelope import RowChange
from adapters.errors import Fatal
from adapters.log_state import BinlogState, LogState
from adapters.mariadb_envelope import MariaDBRecord
from adapters.mariadb_log import MariaDBLog, MariaDBTables

TABLES = MariaDBTables("erp", frozenset({TABLE}), BARRIER)
SPILL_ROWS = 4

_rows = st.builds(BinlogRow, st.sampled_from("cudm"), st.integers(1, 9))
_barriers = st.builds(BinlogRow, st.just("c"), st.integers(10, 99), st.just(BARRIER))
_events = st.lists(
    st.lists(st.one_of(_rows, _rows, _rows, _barriers), min_size=1, max_size=4).map(tuple),
    max_size=4,
).map(tuple)
_contents = st.one_of(
    st.tuples(_events, st.just("")),
    st.tuples(_events, st.just("")),
    st.tuples(_events, st.just("")),
    st.tuples(st.just(()), st.sampled_from(["t", "create table other.x (id int)"])),
)


@st.composite
def _binlogs(draw: st.DrawFn) -> list[BinlogEntry]:
    """Draw transactions and statements of two GTID domains, each counted without a gap."""
    entries = []
    sequences = {"0": draw(st.integers(0, 9)), "1": draw(st.integers(0, 9))}
    for events, statement in draw(st.lists(_contents, min_size=1, max_size=6)):
        domain = draw(st.sampled_from("0001"))
        sequences[domain] += 1
        rolled_back = not statement and draw(st.integers(0, 9)) == 0
        entry = BinlogEntry(Gtid(domain, sequences[domain]), events, statement, rolled_back)
        entries.append(entry)
    sequences[domain] += 1  # what has no END is known to be over when something follows
    return [*entries, BinlogEntry(Gtid(domain, sequences[domain]))]


def read(log: Sequence[MariaDBRecord], crashes: Sequence[int]) -> list[Step]:
    """Assemble a log by a translator that commits every few records and crashes in between.

    At each of `crashes` it loses what it read since it committed last; it commits at odd ones.
    """
    done: list[Step] = []
    state, resume = LogState(epoch=1), 0
    for crash in sorted(crashes):
        assembler = MariaDBLog("m", TABLES, state, resume, spill_rows=SPILL_ROWS)
        pending = [
            step
            for offset in range(resume, min(crash, len(log)))
            for step in assembler.feed(log[offset], offset, None)
        ]
        if crash % 2:
            done += pending
            state, resume = keep(assembler.stored_state()), assembler.resume_offset
    assembler = MariaDBLog("m", TABLES, state, resume, spill_rows=SPILL_ROWS)
    for offset in range(resume, len(log)):
        done += assembler.feed(log[offset], offset, None)
    return done


def keep(state: LogState) -> LogState:
    """Write a state and read it again, as the hub does."""
    return replace(
        state, binlog=msgspec.json.decode(msgspec.json.encode(state.binlog), type=BinlogState)
    )


def unspill(steps: Sequence[Step]) -> list[tuple[int, tuple[RowChange, ...]]]:
    """Put the transactions together, as the hub does with what is spilled."""
    spilled: list[RowChange] = []
    found = []
    for step in steps:
        if isinstance(step, SpillChunk):
            assert step.first == len(spilled)
            spilled += step.changes
        elif isinstance(step, SpillDropped):
            spilled = []
        elif isinstance(step, Transaction):
            assert step.spilled == len(spilled)
            found.append((step.txid, (*spilled, *step.changes)))
            spilled = []
    return found


def name_row(row: RowChange) -> tuple[object, ...]:
    """Name a row but for its number, which a restart counts anew."""
    return row.lsn, row.row, row.operation, row.table, row.key, row.after


def expect(
    entries: list[BinlogEntry], lost: list[RowChange], found: set[object]
) -> list[tuple[int, list[object]]]:
    """Say what should come: each transaction's rows, but for what was not sent and is not found."""
    missing = {name_row(row) for row in lost} - found
    expected: list[tuple[int, list[object]]] = []
    for number, entry in enumerate(entries):
        records = [one.record for one in Connector(entries).write_entry(number)]
        rows: list[object] = [
            name_row(one)
            for one in records
            if isinstance(one, RowChange) and one.table == TABLE and name_row(one) not in missing
        ]
        if rows and not entry.rolled_back:
            expected.append((entry.gtid.sequence, rows))
    return expected


@settings(max_examples=200)
@given(
    _binlogs(),
    st.booleans(),
    st.lists(st.integers(1, 60), max_size=5),
    st.lists(st.integers(1, 80), max_size=4),
)
def test_every_transaction_comes_once(
    entries: list[BinlogEntry],
    heartbeats: bool,  # noqa: FBT001 - drawn
    restarts: list[int],
    crashes: list[int],
) -> None:
    """Restarts of connector and translator behind any record lose and double nothing.

    But for the new image of a row whose key changes: it is lost by the connector that restarts
    behind the old one, and the transaction is doubted.
    """
    connector = Connector(entries, heartbeats=heartbeats)
    log = connector.write(restarts)
    steps = read(log, crashes)
    found = [(txid, [name_row(row) for row in rows]) for txid, rows in unspill(steps)]
    came = {name for _, names in found for name in names}
    assert found == expect(entries, connector.lost, came)
    doubted = {step.txid for step in steps if isinstance(step, Doubt)}
    assert {row.txid for row in connector.lost} <= doubted
    lsns = [step.lsn for step in steps if isinstance(step, Transaction)]
    assert lsns == sorted(set(lsns))


@settings(max_examples=100)
@given(_binlogs(), st.lists(st.integers(1, 60), max_size=3))
def test_barriers_pass_behind_their_transaction(
    entries: list[BinlogEntry], restarts: list[int]
) -> None:
    """Each comes once, in order, at the position of its transaction, and is no change."""
    steps = read(Connector(entries).write(restarts), [])
    expected = [
        str(row.key)
        for entry in entries
        if not entry.rolled_back
        for event in entry.events
        for row in event
        if row.table == BARRIER
    ]
    assert [step.id for step in steps if isinstance(step, Barrier)] == expected


@settings(max_examples=200)
@given(_binlogs(), st.data())
def test_what_is_missing_is_found(entries: list[BinlogEntry], data: st.DataObject) -> None:
    """A log without one of its rows is refused."""
    log = Connector(entries).write()
    rows = [place for place, one in enumerate(log) if isinstance(one, RowChange)]
    over = {entry.gtid.sequence for entry in entries if entry.statement or entry.rolled_back}
    rows = [place for place in rows if log[place].txid not in over]  # type: ignore[union-attr]
    if not rows:
        return
    gone = data.draw(st.sampled_from(rows))
    with pytest.raises(Fatal):
        read([*log[:gone], *log[gone + 1 :]], [])


@settings(max_examples=200)
@given(_binlogs(), st.data())
def test_a_transaction_that_is_missing_is_found(
    entries: list[BinlogEntry], data: st.DataObject
) -> None:
    """So is a log without a transaction that others of its domain follow and precede."""
    places = [
        place
        for place, entry in enumerate(entries)
        if entry.gtid.domain in {one.gtid.domain for one in entries[:place]}
        and entry.gtid.domain in {one.gtid.domain for one in entries[place + 1 :]}
    ]
    if not places:
        return
    gone = data.draw(st.sampled_from(places))
    with pytest.raises(Fatal, match="transactions are missing"):
        read(Connector([*entries[:gone], *entries[gone + 1 :]]).write(), [])
