"""What an adapter does with rows that it was not written for: a letter, or a stop with a name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from adapters.aggregate import AggregateRows, DomainEvent, Key, Lookup, Member
from legacy_db.definition import Column, Table
from pipeline.errors import Fatal
from pipeline.translate.event_maker import EventMaker, Failure
from pipeline.translate.row_values import OutlyingMoment
from pipeline.translate.rows import TableCodec

COLUMNS = (
    Column("id", "integer", nullable=False, attnum=1),
    Column("at", "timestamp with time zone", nullable=True, attnum=2),
)
CODEC = TableCodec(Table("erp", "ord_hdr", COLUMNS, ("id",)))


class YearAdapter:
    """Tells the year of a moment, as long as there is one."""

    aggregate = "shop.Order"
    contract = "shop.Order.v1"
    domain_contracts: tuple[str, ...] = ()
    module = "shop"
    root = "ord_hdr"
    members: tuple[Member, ...] = ()
    lookups: tuple[Lookup, ...] = ()

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute

    def subject(self, key: Key) -> str:
        """Return the number."""
        return str(key[0])

    def state(self, rows: AggregateRows) -> dict[str, Any]:
        """Return the year."""
        at: datetime = getattr(rows.root, self._attribute)
        return {"id": rows.root.id, "year": at.year}

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the number."""
        return {"id": key[0]}

    def domain_events(
        self, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> tuple[DomainEvent, ...]:
        """Return nothing."""
        del before, after
        return ()


@pytest.fixture
def maker() -> EventMaker:
    """Give a maker of events without contracts."""
    return EventMaker(site="s", module="shop", contracts={}, checks={}, last_good={})


def make_rows(at: object) -> AggregateRows:
    """Make an aggregate of one row."""
    return AggregateRows(CODEC.make_row((1, at)))


def test_a_value_that_an_adapter_stumbles_over_is_a_letter(maker: EventMaker) -> None:
    """An infinite moment has no year: the aggregate goes to the dead letters, nothing stops."""
    state = maker.state_of(YearAdapter("at"), make_rows(OutlyingMoment("infinity")))
    assert isinstance(state, Failure)
    assert state.reason.startswith("shop.Order stumbled over its rows (AttributeError)")
    assert state.payload == b'{"root":{"id":1,"at":"infinity"}}'


def test_a_column_that_is_gone_stops_with_its_name(maker: EventMaker) -> None:
    """Every row would trip the adapter: who must deploy what is said, and nothing is lost."""
    with pytest.raises(Fatal, match=r"shop\.Order reads 'gone' of a row of OrdHdr, which has no"):
        maker.state_of(YearAdapter("gone"), make_rows(None))
