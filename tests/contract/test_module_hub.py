"""What every hub of a module does, in memory or in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
import pytest

from adapters.change_steps import TableChanged
from adapters.envelope import RowChange
from adapters.event import EventKind, IntegrationEvent
from adapters.log_state import (
    BinlogState,
    BinlogTransaction,
    LogState,
    OpenTransaction,
    SnapshotState,
)
from legacy_db.definition import Column
from legacy_db.postgresql_database import PostgreSQLDatabase
from pipeline.connection import open_connection
from pipeline.errors import Fatal
from pipeline.hub.migrate import migrate_hub
from pipeline.hub.module_hub import PostgresModuleHub
from pipeline.publish.outbox import Outbox
from pipeline.publish.publisher import EventStore
from pipeline.simulate.database import Connection, Database
from pipeline.simulate.kernel import Kernel, Process
from pipeline.simulate.module_hub import MemoryModuleHub
from pipeline.simulate.outbox import MemoryOutbox
from pipeline.simulate.site import ADAPTERS, CONTRACTS, SALES, TABLES
from pipeline.translate.event_maker import UNKNOWN, Failure, Letter
from pipeline.translate.mirror_tables import MirrorTables
from pipeline.translate.module_hub import ModuleHub

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ORDER = "sales.Order"
LEGACY = """
create table erp.cust (cust_no integer primary key, name varchar(40));
create table erp.ord_hdr
    (ord_no integer primary key, cust_no integer, stat character(2), remark text);
create table erp.ord_lin
    (ord_no integer, lin_no integer, qty integer, primary key (ord_no, lin_no));
"""


@dataclass
class Hubs:
    """Opens hubs of one module, and its event store as the publisher sees it."""

    open: Callable[[], ModuleHub]
    open_outbox: Callable[[], EventStore]


@pytest.fixture(params=["memory", "postgres"])
def hubs(request: pytest.FixtureRequest) -> Iterator[Hubs]:
    """Give an empty hub, with legacy tables of the simulator's site."""
    with ExitStack() as stack:
        if request.param == "memory":
            yield _make_memory(stack)
        else:
            yield _make_postgres(stack, request.getfixturevalue("databases")())


def _make_memory(stack: ExitStack) -> Hubs:
    kernel, database = Kernel(Random(1)), Database("hub")  # noqa: S311 - not for secrets
    kernel.current = None
    process = Process("test", "test")
    stack.callback(process.threads.clear)

    def connect() -> Connection:
        return Connection(kernel, database, process)

    tables = {table.name: table for table in TABLES}
    return Hubs(
        lambda: MemoryModuleHub(connect(), SALES, lambda: tables),
        lambda: MemoryOutbox(connect, SALES),
    )


def _make_postgres(stack: ExitStack, variables: dict[str, str]) -> Hubs:
    with psycopg.connect(variables["ISTHMUS_LEGACY_OWNER_URL"]) as legacy:
        legacy.execute(LEGACY)
    url = variables["ISTHMUS_HUB_URL"]
    migrate_hub(url)

    def open_hub() -> ModuleHub:
        tables = MirrorTables(
            open_legacy=lambda: PostgreSQLDatabase.open(variables["ISTHMUS_LEGACY_OWNER_URL"]),
            schema="erp",
            module=SALES,
            tables=["ord_hdr", "ord_lin"],
            adapters=ADAPTERS,
        )
        connection = open_connection(url, "test", "-c timezone=UTC")
        stack.callback(connection.close)
        return PostgresModuleHub(connection, SALES, tables)

    def open_outbox() -> Outbox:
        outbox = Outbox(url, SALES)
        stack.callback(outbox.close)
        return outbox

    return Hubs(open_hub, open_outbox)


def make_event(number: int) -> IntegrationEvent:
    """Make an event of an order."""
    return IntegrationEvent(
        id=f"id{number}", kind=EventKind.STATE, type="sales.Order.v1", aggregate=ORDER,
        subject=str(number), sequence=f"{number:08x}", time=NOW, source="/shop/sales",
        fingerprint=CONTRACTS["sales.Order.v1"].fingerprint, payload=b"state",
    )  # fmt: skip


def make_letter(subject: str, reason: str, last_good: Any) -> Letter:
    """Make a dead letter of an order."""
    return Letter(
        aggregate=ORDER, subject=subject, root_key=f"[{subject}]".encode(), type="sales.Order.v1",
        sequence="1", failure=Failure(reason), last_good=last_good,
    )  # fmt: skip


def test_marks_come_back_to_the_next_owner(hubs: Hubs) -> None:
    """Whoever takes the module over has the marks of the last batch, and a higher owner."""
    hub = hubs.open()
    marks = hub.take()
    assert (marks.owner, marks.log, marks.source_offset, marks.next_number) == (1, LogState(), 0, 1)
    opened = OpenTransaction(7, order=3, spilled=2, links=[5, None], barriers=["b"])
    log = LogState(2, 40, 40, SnapshotState.COMPLETE, 1, {"ord_hdr": 3}, opened, incremental=True)
    written = replace(marks, log=log, source_offset=9, next_number=4, revision=2, source_time=NOW)
    with hub.transaction():
        hub.save_marks(written)
    opened.order = 99  # what a translator goes on to do is not what it has written
    again = hubs.open().take()
    assert again.log.open is not None
    assert again.log.open.order == 3
    again.log.open.order = 99
    assert again == replace(written, owner=2)


def test_marks_of_a_binary_log_come_back(hubs: Hubs) -> None:
    """So do GTIDs, and what is open there."""
    hub = hubs.open()
    marks = hub.take()
    opened = BinlogTransaction("0", 8, lsn=1 << 40, last=(1 << 40 | 5, 2, 1), barriers=["b"])
    binlog = BinlogState({"0": 7, "3": 1}, 1_000_000, opened)
    written = replace(marks, log=LogState(1, 40, binlog=binlog))
    with hub.transaction():
        hub.save_marks(written)
    opened.order = 99
    again = hubs.open().take()
    assert again.log.binlog is not None
    assert again.log.binlog.open == BinlogTransaction(
        "0", 8, lsn=1 << 40, last=(1 << 40 | 5, 2, 1), barriers=["b"]
    )
    assert again.log.binlog.sequences == binlog.sequences


def test_a_definition_out_of_the_log_is_followed_once(hubs: Hubs) -> None:
    """The same step again changes nothing: a translator that goes back meets it twice."""
    hub = hubs.open()
    hub.take()
    table = hub.open_mirror().codecs["ord_hdr"].table
    added = Column("memo", "text", nullable=True, attnum=1)
    step = TableChanged(replace(table, columns=(added, *table.columns)), "alter table", {})
    for is_new in (True, False):
        with hub.transaction():
            assert hub.change_table(step) is is_new


def test_a_fenced_owner_writes_nothing(hubs: Hubs) -> None:
    """After a take-over the batch of the owner before is refused as a whole."""
    first = hubs.open()
    marks = first.take()
    hubs.open().take()

    def write() -> None:
        with first.transaction():
            first.append_events(1, [make_event(1)])
            first.save_marks(replace(marks, next_number=2))

    with pytest.raises(Fatal, match="another translator took over module sales"):
        write()
    outbox = hubs.open_outbox()
    assert outbox.read_last_number() == 0
    assert outbox.read_after(0, last=9, rows_max=9, bytes_max=99) == []


def test_events_are_read_after_the_mark(hubs: Hubs) -> None:
    """The publisher reads what is committed, in order, and moves the mark from where it was."""
    hub, outbox = hubs.open(), hubs.open_outbox()
    marks = hub.take()
    contract = CONTRACTS["sales.Order.v1"]
    with hub.transaction():
        hub.append_events(1, [make_event(one) for one in (1, 2, 3)])
        hub.keep_schemas([contract, contract])
        hub.save_marks(replace(marks, next_number=4))
    assert (outbox.read_mark(), outbox.read_last_number()) == (0, 3)
    stored = outbox.read_after(1, last=3, rows_max=1, bytes_max=1_000)
    assert [(one.number, one.event) for one in stored] == [(2, make_event(2))]
    assert outbox.read_schema(contract.fingerprint) == (contract.subject, contract.text)
    with pytest.raises(Fatal, match=r"hub\.schema has no fingerprint f00"):
        outbox.read_schema("f00")
    assert outbox.move_mark(0, 2)
    assert not outbox.move_mark(0, 3)
    assert outbox.read_mark() == 2


def test_what_is_rolled_back_was_never_there(hubs: Hubs) -> None:
    """Rows, letters and requests of a transaction that fails are gone."""
    hub = hubs.open()
    hub.take()
    mirror = hub.open_mirror()
    row = mirror.codecs["ord_lin"].make_row((1, 1, 5))

    def fail() -> None:
        with hub.transaction():
            mirror.merge("ord_lin", {(1, 1): row}, 1, 10)
            hub.write_letters([make_letter("1", "why", None)], CONTRACTS)
            hub.request_all(ORDER, "why")
            hub.spill_changes(0, [make_change(1)])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    mirror.forget_stages()
    assert mirror.load_by_key("ord_lin", [(1, 1)]) == {}
    assert hub.load_last_good() == {}
    assert hub.next_emission() is None
    assert list(hub.read_spill(10)) == []


def test_mirror_rows_are_found_by_key_and_by_columns(hubs: Hubs) -> None:
    """Merged rows are loaded, paged and deleted; a snapshot overwrites only what is older."""
    hub = hubs.open()
    mirror = hub.open_mirror()
    make = mirror.codecs["ord_lin"].make_row
    rows = {(order, line): make((order, line, 5)) for order in (1, 2, 3) for line in (1, 2)}
    with hub.transaction():
        mirror.merge("ord_lin", rows, 1, 10)
        mirror.merge("ord_lin", {(2, 2): None, (9, 9): None, (1, 1): make((1, 1, 6))}, 1, 20)
    assert mirror.load_by_key("ord_lin", [(1, 1), (2, 2)]) == {(1, 1): make((1, 1, 6))}
    assert mirror.load("ord_lin", ("ord_no",), [(2,), (1,)]) == [
        make((1, 1, 6)), make((1, 2, 5)), make((2, 1, 5)),
    ]  # fmt: skip
    assert mirror.page_keys("ord_lin", ("ord_no",), None, 2) == [(1,), (2,)]
    assert mirror.page_keys("ord_lin", ("ord_no",), (1,), 9) == [(2,), (3,)]
    where = (("lin_no",), [(2,)])
    assert mirror.page_keys("ord_lin", ("ord_no",), None, 9, where=where) == [(1,), (3,)]
    with hub.transaction():
        seen = {(1, 1): make((1, 1, 0)), (1, 2): make((1, 2, 0)), (4, 1): make((4, 1, 0))}
        mirror.merge_snapshot("ord_lin", seen, 1, 15, 2)
    assert mirror.load("ord_lin", ("ord_no",), [(1,), (4,)]) == [
        make((1, 1, 6)), make((1, 2, 0)), make((4, 1, 0)),
    ]  # fmt: skip
    assert sorted(mirror.unseen_keys("ord_lin", ("ord_no",), 2)) == [(1,), (2,), (3,)]
    assert mirror.count_unseen("ord_lin", 2) == 4
    with hub.transaction():
        assert mirror.sweep("ord_lin", 2) == 4
    assert mirror.count_unseen("ord_lin", 2) == 0
    assert mirror.page_keys("ord_lin", ("ord_no", "lin_no"), None, 9) == [(1, 2), (4, 1)]
    with hub.transaction():
        mirror.truncate("ord_lin")
    assert mirror.load("ord_lin", ("ord_no",), [(1,), (4,)]) == []


def test_the_bound_of_a_sweep_is_kept_until_it_is_forgotten(hubs: Hubs) -> None:
    """Nobody has set one at first; it is there for the next translator, too, and goes by None."""
    hub = hubs.open()
    hub.take()
    assert hub.read_deletes_max() is None
    with hub.transaction():
        hub.set_deletes_max(7)
    assert hubs.open().read_deletes_max() == 7
    with hub.transaction():
        hub.set_deletes_max(None)
    assert hub.read_deletes_max() is None


def test_requests_are_worked_off_in_order(hubs: Hubs) -> None:
    """The oldest request comes first; one for all is not doubled before it has begun."""
    hub = hubs.open()
    with hub.transaction():
        hub.request_all(ORDER, "first")
        hub.request_all(ORDER, "the same")
        hub.request_keys("party", "party.Customer", [(1,)], reason="not ours")
        hub.request_keys(SALES, ORDER, [(3,), (2,)], reason="keys")
        hub.request_keys(SALES, ORDER, [(7,)], reason="cust changed", lookup_table="cust")
    first = hub.next_emission()
    assert first is not None
    assert (first.aggregate, first.scope, first.after_key, first.reason) == (
        ORDER, "all", None, "first",
    )  # fmt: skip
    with hub.transaction():
        hub.advance_emission(first, (5,))
    begun = hub.next_emission()
    assert begun is not None
    assert (begun.id, begun.after_key) == (first.id, [5])
    with hub.transaction():
        hub.request_all(ORDER, "once more")
        hub.request_all_of_other(SALES, ORDER, "and once more")
    found = []
    while (one := hub.next_emission()) is not None:
        found.append((one.scope, one.keys or [], one.lookup_table, one.reason))
        with hub.transaction():
            hub.finish_emission(one)
    assert found == [
        ("all", [], None, "first"),
        ("keys", [[2], [3]], None, "keys"),
        ("lookup", [[7]], "cust", "cust changed"),
        ("all", [], None, "once more"),
        ("all", [], None, "and once more"),
    ]


def test_requests_of_one_reason_can_be_held_back(hubs: Hubs) -> None:
    """The oldest of the others comes meanwhile; afterwards the held one does."""
    hub = hubs.open()
    with hub.transaction():
        hub.request_keys(SALES, ORDER, [(1,)], reason="held")
        hub.request_keys(SALES, ORDER, [(2,)], reason="other")
    found = [hub.next_emission("held"), hub.next_emission()]
    assert [one.reason for one in found if one is not None] == ["other", "held"]


def test_a_letter_keeps_the_last_good_state(hubs: Hubs) -> None:
    """The first letter's last good state stays until the aggregate is resolved."""
    good = {
        "order_id": 1, "deleted": False, "customer_id": 2, "customer_name": "Zoë",
        "status": "new", "remark": None, "lines": [{"line_number": 1, "quantity": 2}],
    }  # fmt: skip
    hub = hubs.open()
    with hub.transaction():
        hub.keep_schemas(CONTRACTS.values())
        letters = [("1", good), ("2", None), ("3", UNKNOWN)]
        hub.write_letters([make_letter(one, "why", state) for one, state in letters], CONTRACTS)
        hub.write_undecodable(4, "no change event", b"rubbish")
        hub.write_undecodable(4, "no change event", b"rubbish")
    with hub.transaction():
        hub.write_letters([make_letter("1", "why again", None)], CONTRACTS)
    assert hub.load_last_good() == {(ORDER, "1"): good, (ORDER, "2"): None, (ORDER, "3"): UNKNOWN}
    with hub.transaction():
        hub.resolve_letters({(ORDER, "1"), (ORDER, "9")}, "superseded")
    assert hub.load_last_good() == {(ORDER, "2"): None, (ORDER, "3"): UNKNOWN}
    with hub.transaction():
        hub.request_quarantined(ORDER, "all rows are gone")
    request = hub.next_emission()
    assert request is not None
    assert (request.scope, request.keys, request.reason) == (
        "keys", [[2], [3]], "all rows are gone",
    )  # fmt: skip


def make_change(number: int, operation: str = "u") -> RowChange:
    """Make a change of an order's header."""
    key = None if operation == "t" else f'{{"ord_no":{number}}}'.encode()
    return RowChange("ord_hdr", operation, key, b"{}", None, 7, number, 1, number, 0)


def test_spilled_rows_come_back_in_order(hubs: Hubs) -> None:
    """All rows in chunks, those of some aggregates with every TRUNCATE; dropped they are gone."""
    changes = [make_change(1), make_change(2), make_change(0, "t"), make_change(3), make_change(1)]
    hub = hubs.open()
    with hub.transaction():
        hub.spill_changes(0, changes[:2])
    with hub.transaction():
        hub.spill_changes(2, changes[2:])
        assert list(hub.read_spill(2)) == [changes[:2], changes[2:4], changes[4:]]
        hub.make_touch_table()
        touches = [
            (ORDER, f"[{one}]".encode(), "ord_hdr", make_change(one).key) for one in (1, 2, 3)
        ]
        hub.add_touches([(a, b, c, key) for a, b, c, key in touches if key is not None])
        hub.add_touches([(ORDER, b"[9]", "ord_hdr", make_change(3).key or b"")])
        parts = list(hub.read_touched(3))
        assert parts == [[(ORDER, b"[1]"), (ORDER, b"[2]"), (ORDER, b"[3]")], [(ORDER, b"[9]")]]
        assert hub.read_spill_of([(ORDER, b"[1]")]) == [changes[0], changes[2], changes[4]]
        assert hub.read_spill_of([(ORDER, b"[9]")]) == [changes[2], changes[3]]
        hub.drop_spill()
    assert list(hub.read_spill(2)) == []
