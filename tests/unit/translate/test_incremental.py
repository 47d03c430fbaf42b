"""What the translator makes of an incremental snapshot when the mirror lacks rows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from adapters import change_log
from adapters.aggregate import Adapter
from adapters.event import EventKind
from pipeline.simulate.database import Connection, Database
from pipeline.simulate.debezium import DebeziumConnector, LogRecord
from pipeline.simulate.kernel import Kernel, Process
from pipeline.simulate.legacy import LegacyDatabase
from pipeline.simulate.module_hub import MemoryModuleHub
from pipeline.simulate.oracle import decode
from pipeline.simulate.site import (
    ADAPTERS,
    CONTRACTS,
    LARGE,
    MODULES,
    SALES,
    SIGNALS,
    TABLES,
    CustomerAdapter,
    OrderAdapter,
)
from pipeline.translate import translator
from pipeline.translate.translator import Translator

WHOLE = {
    "order_id": 1, "deleted": False, "customer_id": 7, "customer_name": None, "status": "new",
    "remark": "long",
    "lines": [{"line_number": 1, "quantity": 3}, {"line_number": 2, "quantity": 3}],
}  # fmt: skip


class _Message:
    """A record as Kafka's client gives it."""

    def __init__(self, offset: int, record: LogRecord) -> None:
        self._offset = offset
        self._record = record

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return self._record.value

    def key(self) -> bytes | None:
        return self._record.key

    def headers(self) -> Any:
        return [*self._record.headers]


class Log:
    """A change log; it stops its reader when there is nothing more to do."""

    def __init__(self, records: list[LogRecord], hub: Database) -> None:
        self.stop = threading.Event()
        self._records = records
        self._hub = hub
        self._offset = 0

    def open(self, offset: int) -> Log:
        """Go on at an offset."""
        self._offset = offset
        return self

    def consume(self, records_max: int, bytes_max: int, wait_s: float) -> list[_Message]:
        """Give the next record alone, so that every one is a batch."""
        del records_max, bytes_max, wait_s
        if self._offset >= len(self._records):
            if not self._hub.rows("emission"):
                self.stop.set()
            return []
        self._offset += 1
        return [_Message(self._offset - 1, self._records[self._offset - 1])]

    def commit(self, offset: int) -> None:
        """Nothing is told."""

    def close(self) -> None:
        """Nothing is open."""


class Shop:
    """The module sales: a connector of the legacy model, and a hub in memory."""

    adapters: Sequence[Adapter] = ADAPTERS
    tables = MODULES[SALES]

    def __init__(self) -> None:
        self.legacy = LegacyDatabase(TABLES, out_of_line=LARGE)
        self.hub = Database("hub")
        self.connector = DebeziumConnector(
            self.legacy,
            SALES,
            self.tables,
            f"shop.{SALES}",
            signal_table=SIGNALS[SALES],
            chunk_rows=1,
        )
        self._kernel = Kernel(Random(1))  # noqa: S311 - not for secrets
        self._kernel.current = None
        self._process = Process("test", "test")
        self._records: list[LogRecord] = []

    def translate(self) -> None:
        """Translate what is new in the log, and work off what is asked for."""
        while chunk := self.connector.poll(100):
            self._records += chunk
            self.connector.commit_offsets()
        log = Log(self._records, self.hub)
        # the module's and those that it looks up, but no signal table
        tables = {table.name: table for table in TABLES if table.name in {*self.tables, "cust"}}

        def open_hub() -> MemoryModuleHub:
            connection = Connection(self._kernel, self.hub, self._process)
            return MemoryModuleHub(connection, SALES, lambda: tables)

        Translator(
            site="shop",
            module=SALES,
            adapters=self.adapters,
            contracts=CONTRACTS,
            checks={},
            open_hub=open_hub,
            open_log=log.open,  # type: ignore[arg-type] - as much of a consumer as it needs
            signal_table=SIGNALS[SALES],
        ).run(log.stop)

    def states(self, since: int) -> list[dict[str, Any]]:
        """Decode the state events behind the first `since`."""
        events = sorted(self.hub.rows("event").items())
        return [
            decode(one.type, one.payload)
            for _, one in events[since:]
            if one.kind is EventKind.STATE
        ]


class OwnCustomers(CustomerAdapter):
    """The customers, as part of the module sales."""

    module = SALES


class WholeShop(Shop):
    """A shop whose module owns the customers that its orders look up."""

    adapters = (OwnCustomers(), OrderAdapter())
    tables = ("cust", *MODULES[SALES])


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Give a shop with two orders that were translated."""
    monkeypatch.setattr(translator, "BATCH_RECORDS", 1)
    return fill(Shop())


def fill(made: Shop) -> Shop:
    """Place two orders and translate them."""
    made.translate()
    session = made.legacy.begin()
    for order in (1, 2):
        session.insert("ord_hdr", {"ord_no": order, "cust_no": 7, "stat": "N", "remark": "long"})
        for line in (1, 2):
            session.insert("ord_lin", {"ord_no": order, "lin_no": line, "qty": 3})
    session.commit()
    made.translate()
    return made


def test_what_is_there_already_is_not_told_again(shop: Shop) -> None:
    """A snapshot that reads what the mirror has lands nothing and asks for nothing."""
    events, rows = dict(shop.hub.rows("event")), dict(shop.hub.rows("mirror.ord_lin"))
    shop.connector.incremental_snapshot(MODULES[SALES])
    shop.translate()
    assert shop.hub.rows("event") == events
    assert shop.hub.rows("mirror.ord_lin") == rows


def test_what_was_missing_is_told_whole_once_the_snapshot_is_complete(shop: Shop) -> None:
    """An order of which nothing was left comes row by row, and is told as no half of one."""
    before = len(shop.hub.rows("event"))
    del shop.hub.rows("mirror.ord_hdr")[1,]
    del shop.hub.rows("mirror.ord_lin")[1, 1]
    del shop.hub.rows("mirror.ord_lin")[1, 2]
    shop.connector.incremental_snapshot(MODULES[SALES])
    shop.translate()
    told = shop.states(before)
    assert told
    assert all(state == WHOLE for state in told)
    assert shop.hub.rows("mirror.ord_lin")[1, 2].row.qty == 3


def test_a_row_that_is_looked_up_tells_no_half_order_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order whose customer is corrected before its lines are is told once they are."""
    monkeypatch.setattr(translator, "BATCH_RECORDS", 1)
    shop = fill(WholeShop())
    session = shop.legacy.begin()
    session.insert("cust", {"cust_no": 7, "name": "Ann"})
    session.commit()
    shop.translate()
    before = len(shop.hub.rows("event"))
    del shop.hub.rows("mirror.cust")[7,]
    del shop.hub.rows("mirror.ord_lin")[1, 1]
    shop.connector.incremental_snapshot(["ord_hdr", "cust", "ord_lin"])
    shop.translate()
    told = [one for one in shop.states(before) if one.get("order_id") == 1]
    assert told
    assert all(state == {**WHOLE, "customer_name": "Ann"} for state in told)


def test_a_row_that_does_not_fit_stops_nothing(shop: Shop) -> None:
    """It becomes a dead letter as it would in a transaction; once corrected, it is told."""
    session = shop.legacy.begin()
    session.insert("ord_hdr", {"ord_no": 9, "cust_no": "none", "stat": "N", "remark": "x"})
    session.commit()
    shop.connector.incremental_snapshot(["ord_hdr"])
    shop.translate()
    letters = shop.hub.rows("letter").values()
    assert [(one.subject, one.state) for one in letters] == [("9", "open")]
    session = shop.legacy.begin()
    session.update("ord_hdr", (9,), {"cust_no": 7, "remark": "y"})
    session.commit()
    shop.translate()
    assert [one.state for one in shop.hub.rows("letter").values()] == ["superseded"]
    assert [state["remark"] for state in shop.states(0) if state["order_id"] == 9] == ["y"]


@pytest.mark.parametrize("way", ["delete", "huge", "truncate", "snapshot"])
def test_the_letter_of_a_row_that_never_came_ends(
    shop: Shop, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarantined order that the mirror has no row of is gone, in whatever way it goes."""
    del shop.hub.rows("mirror.ord_hdr")[1,]
    del shop.hub.rows("mirror.ord_lin")[1, 1]
    del shop.hub.rows("mirror.ord_lin")[1, 2]
    session = shop.legacy.begin()
    session.update("ord_hdr", (1,), {"stat": "S"})  # its remark is not sent again
    session.commit()
    shop.translate()
    letters = shop.hub.rows("letter").values()
    assert [(one.subject, one.state) for one in letters] == [("1", "open")]
    if way == "huge":
        monkeypatch.setattr(change_log, "SPILL_ROWS", 1)
    session = shop.legacy.begin()
    if way == "truncate":
        session.truncate("ord_hdr", "ord_lin")
    else:
        session.delete("ord_hdr", (1,))
        session.delete("ord_lin", (1, 1))
        session.delete("ord_lin", (1, 2))
    session.commit()
    if way == "snapshot":  # the delete stands nowhere in the log
        shop.connector.resnapshot(2)
    shop.translate()
    assert [one.state for one in shop.hub.rows("letter").values()] == ["superseded"]
    assert any(state["deleted"] and state["order_id"] == 1 for state in shop.states(0))
