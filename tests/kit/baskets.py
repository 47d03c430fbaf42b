"""A shop of baskets in memory: tables, an adapter, a mirror, and one batch translated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.aggregate import AggregateRows, DomainEvent, Key, Lookup, Member, Row
from adapters.contract import Contract, make_contract
from adapters.envelope import UNAVAILABLE, RowChange
from adapters.event import EventKind, IntegrationEvent
from adapters.serde import Decoder
from legacy_db.definition import Column, Table
from pipeline.errors import Poison
from pipeline.translate.batch import DecodedTransaction, Translation, decode_write, load_rows
from pipeline.translate.event_maker import EventMaker, Moment, Outcome
from pipeline.translate.rows import TableCodec
from pipeline.translate.working_set import Roles, WorkingSet


def make_table(name: str, key: tuple[str, ...], /, **types: str) -> Table:
    """Make a table's definition of column names and types."""
    columns = tuple(
        Column(column, type_, column not in key, place)
        for place, (column, type_) in enumerate(types.items(), 1)
    )
    return Table("erp", name, columns, key)


CODECS = {
    table.name: TableCodec(table)
    for table in (
        make_table("head", ("id",), id="integer", who="integer", code="text", memo="text"),
        make_table("line", ("no",), no="integer", head_id="integer", qty="integer"),
        make_table("person", ("who",), who="integer", name="text", shoe="integer"),
    )
}
STATE = make_contract(
    "shop.Basket.v1",
    {
        "type": "record",
        "name": "Basket",
        "fields": [
            {"name": "id", "type": "int"},
            {"name": "deleted", "type": "boolean"},
            {"name": "code", "type": ["null", "string"]},
            {"name": "memo", "type": ["null", "string"]},
            {"name": "name", "type": ["null", "string"]},
            {"name": "quantities", "type": {"type": "array", "items": "int"}},
        ],
    },
)
OPENED = make_contract(
    "shop.Opened.v1",
    {"type": "record", "name": "Opened", "fields": [{"name": "id", "type": "int"}]},
)
CONTRACTS: dict[str, Contract] = {one.type: one for one in (STATE, OPENED)}


class BasketAdapter:
    """A head with its lines and the name of a person; code `?` can't be understood."""

    aggregate = "shop.Basket"
    contract = "shop.Basket.v1"
    domain_contracts: tuple[str, ...] = ("shop.Opened.v1",)
    module = "shop"
    root = "head"
    members: tuple[Member, ...] = (Member("line", ("head_id",)),)
    lookups: tuple[Lookup, ...] = (Lookup("person", "head", ("who",), ("name",)),)

    def subject(self, key: Key) -> str:
        """Return the head's number."""
        return str(key[0])

    def state(self, rows: AggregateRows) -> dict[str, Any] | None:
        """Return all that is shown of a basket."""
        if rows.root.code == "?":
            raise Poison("head.code: unknown code '?'")
        person = rows.lookup("person", rows.root.who)
        return {
            "id": rows.root.id,
            "deleted": False,
            "code": rows.root.code,
            "memo": rows.root.memo,
            "name": person.name if person is not None else None,
            "quantities": [line.qty for line in rows.rows("line")],
        }

    def deleted_state(self, key: Key) -> dict[str, Any]:
        """Return the state of a basket that is gone."""
        nothing = {"code": None, "memo": None, "name": None, "quantities": []}
        return {"id": key[0], "deleted": True, **nothing}

    def domain_events(
        self, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> Iterable[DomainEvent]:
        """Tell that a basket was opened."""
        if before is None and after is not None:
            yield DomainEvent("shop.Opened.v1", {"id": after["id"]})


class FakeMirror:
    """The mirror as of the last batch: rows by table and key."""

    def __init__(self, **rows: list[dict[str, Any]]) -> None:
        self.tables: dict[str, dict[Key, Row]] = {
            name: {
                CODECS[name].key_of(row): row
                for row in map(CODECS[name].row_type, *_columns(name, found))
            }
            if found
            else {}
            for name, found in rows.items()
        }

    def load_by_key(self, table: str, keys: Collection[Key]) -> dict[Key, Row]:
        """Load rows by their keys."""
        found = self.tables.get(table, {})
        return {key: found[key] for key in keys if key in found}

    def load(self, table: str, columns: tuple[str, ...], values: Collection[Key]) -> list[Row]:
        """Load rows by some of their columns."""
        value_of = CODECS[table].getter(columns)
        return [row for row in self.tables.get(table, {}).values() if value_of(row) in set(values)]

    def land(self, translation: Translation) -> None:
        """Take the net rows of a translation."""
        for table, rows in translation.rows.dirty.items():
            for key, row in rows.items():
                if row is None:
                    self.tables.setdefault(table, {}).pop(key, None)
                else:
                    self.tables.setdefault(table, {})[key] = row


def _columns(name: str, found: list[dict[str, Any]]) -> list[list[Any]]:
    return [[one[column] for one in found] for column in CODECS[name].columns]


def change(
    operation: str, table: str, /, *, old_key: int | None = None, **values: Any
) -> RowChange:
    """Make one change of a row; only the key's column counts for `d`."""
    key_column = CODECS[table].table.key[0]
    after = None if operation == "d" else msgspec.json.encode(values)
    return RowChange(
        table=table,
        operation=operation,
        key=msgspec.json.encode({key_column: values[key_column]}),
        after=after,
        before=None,
        txid=1,
        order=1,
        link=None,
        lsn=1,
        time_us=0,
        unavailable=after is not None and UNAVAILABLE.encode() in after,
        old_key=None if old_key is None else msgspec.json.encode({key_column: old_key}),
    )


def head(id_: int, *, code: str = "a", memo: str | None = None, who: int = 1) -> dict[str, Any]:
    """Return the values of a head."""
    return {"id": id_, "who": who, "code": code, "memo": memo}


def line(no: int, head_id: int, qty: int) -> dict[str, Any]:
    """Return the values of a line."""
    return {"no": no, "head_id": head_id, "qty": qty}


ANNA = {"who": 1, "name": "Anna", "shoe": 38}
ROLES = Roles("shop", [BasketAdapter()], CODECS)


def make_maker(**last_good: Any) -> EventMaker:
    """Make an event maker without checks."""
    good = {("shop.Basket", subject[1:]): state for subject, state in last_good.items()}
    return EventMaker(site="t", module="shop", contracts=CONTRACTS, checks={}, last_good=good)


def translate(
    mirror: FakeMirror, *transactions: Sequence[RowChange], maker: EventMaker | None = None
) -> Translation:
    """Translate transactions in one batch, as the translator does, and land them."""
    decoded = [
        DecodedTransaction(
            Moment(1, 100 + place, 0, datetime(2026, 1, 1, tzinfo=UTC), f"{place}:{100 + place}"),
            [decode_write(one, CODECS, lenient=True) for one in changes],
        )
        for place, changes in enumerate(transactions)
    ]
    translation = Translation(ROLES, maker or make_maker(), WorkingSet(ROLES), Outcome())
    load_rows(translation.rows, ROLES, mirror, [write for one in decoded for write in one.writes])
    for one in decoded:
        translation.apply(one)
    mirror.land(translation)
    return translation


def states(translation: Translation) -> list[dict[str, Any]]:
    """Decode the state events in order."""
    decoder = Decoder(STATE.text)
    return [
        decoder.decode(event.payload)
        for event in translation.outcome.events
        if event.kind is EventKind.STATE and event.payload is not None
    ]


def kinds(events: Iterable[IntegrationEvent]) -> list[tuple[str, str, EventKind]]:
    """Return subject, short type and kind of events."""
    return [(one.subject, one.type.split(".")[1], one.kind) for one in events]
