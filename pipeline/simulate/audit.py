"""Holds what a run has written against the oracle: at every write of a region, and at the end.

Enters: the world. Leaves: `Violation` with what was lost, doubled, reordered or half.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from adapters.event import EventKind
from pipeline.simulate.oracle import (
    CUSTOMER,
    ORDER,
    Violation,
    decode,
    expect,
    is_poison,
    parse_position,
    poisoned,
    region_rows,
)
from pipeline.simulate.site import MODULES, PARTY, SALES
from pipeline.simulate.world import REGIONS, changes_topic, events_topic

if TYPE_CHECKING:
    from pipeline.replicate.batch import StoreBatch
    from pipeline.simulate.oracle import Oracle
    from pipeline.simulate.world import World

MODULE_OF = {CUSTOMER: PARTY, ORDER: SALES}
TABLE_OF = {CUSTOMER: "cust", ORDER: "ord_hdr"}


class LoggedRecord(msgspec.Struct, gc=False):
    """What tells transactions apart in a change log's record; the rows are left undecoded."""

    id: str = ""
    status: str | None = None
    op: str | None = None
    type: str | None = None


_decode_logged = msgspec.json.Decoder(LoggedRecord).decode


class LoggedTransaction(NamedTuple):
    """A whole transaction that stands in a change log; `restarted` is a connector within it."""

    epoch: int
    lsn: int
    truncates: bool
    restarted: bool


class Audit:
    """The checks of one run."""

    def __init__(self, world: World, oracle: Oracle) -> None:
        self._world = world
        self._oracle = oracle
        self._sequences: dict[tuple[str, str, str], str] = {}
        self._offsets: dict[tuple[str, tuple[str, int]], int] = {}
        self._checked: dict[str, int] = dict.fromkeys(MODULES, 0)
        world.on_write = self.check_write

    def check_write(self, region: str, batch: StoreBatch) -> None:
        """Check what a region holds of every aggregate that it has just written."""
        store = self._world.stores[region]
        for place, next_offset in batch.offsets.items():
            if next_offset < self._offsets.get((region, place), 0):
                raise Violation(f"{region}: the offset of {place} went back to {next_offset}")
            self._offsets[region, place] = next_offset
        for aggregate, subject, *_ in batch.guard:
            row = store.guard[aggregate, subject]
            name = (region, aggregate, subject)
            if row.sequence < self._sequences.get(name, ""):
                raise Violation(f"{region}: {aggregate} {subject} went back to {row.sequence}")
            self._sequences[name] = row.sequence
            self._check_rows(region, aggregate, subject, row.sequence)

    def _check_rows(self, region: str, aggregate: str, subject: str, sequence: str) -> None:
        tables, number = self._world.stores[region].tables, int(subject)
        if aggregate == CUSTOMER:
            held: dict[str, Any] | None = tables.get("customers", {}).get((number,))
        else:
            held = tables.get("orders", {}).get((number,))
            lines = [
                {"line_number": key[1], "quantity": row["quantity"]}
                for key, row in sorted(
                    one for one in tables.get("order_lines", {}).items() if one[0][0] == number
                )
            ]
            if held is not None:
                held = {**held, "lines": lines}
            elif lines:
                raise Violation(f"{region}: lines of order {number}, which is not there")
        data = {"deleted": True} if held is None else {**held, "deleted": False}
        self._oracle.check_event(MODULE_OF[aggregate], aggregate, subject, sequence, data)

    def check_hub(self) -> None:
        """Check the events that were stored since the last time, each against the history."""
        events = self._world.hub.rows("event")
        self._check_corrections()
        for module in MODULES:
            number = self._checked[module] + 1
            while (event := events.get((module, number))) is not None:
                if event.kind is EventKind.STATE:
                    data = decode(event.type, event.payload)
                    self._oracle.check_event(
                        module, event.aggregate, event.subject, event.sequence, data
                    )
                number += 1
            self._checked[module] = number - 1

    def _check_corrections(self) -> None:
        """Check that nothing is corrected but what the log lacks: the rest is there already."""
        for module, emission in self._world.hub.rows("emission").values():
            if emission.reason != "incremental snapshot":
                continue
            losses = [loss for place, loss in self._oracle.losses.items() if place[0] == module]
            if not all(
                any(number in loss.since or None in loss.since for loss in losses)
                for (number,) in emission.keys
            ):
                raise Violation(f"{emission.aggregate} {emission.keys} was read again and told")

    def check_safety(self) -> None:
        """Check what must hold however a run ends: numbers, ids, sequences and repeats."""
        self.check_hub()
        for module in MODULES:
            stored = self._events(module)
            self._check_numbers(module, [number for number, _ in stored])
            self._check_order(module, [event for _, event in stored])
            self._check_topic(module, dict(stored))

    def check_quiet(self) -> None:
        """Check that everything has arrived: the last state, every step on the way, every event."""
        self.check_safety()
        for module in MODULES:
            self._check_complete(module)
        for region in REGIONS:
            self._check_region(region)

    def _events(self, module: str) -> list[tuple[int, Any]]:
        rows = self._world.hub.rows("event").items()
        return sorted((number, event) for (name, number), event in rows if name == module)

    def _check_numbers(self, module: str, numbers: list[int]) -> None:
        if numbers != list(range(1, len(numbers) + 1)):
            raise Violation(f"{module}: event numbers have a gap: {numbers}")

    def _check_order(self, module: str, events: list[Any]) -> None:
        last: dict[tuple[str, str], str] = {}
        ids: set[str] = set()
        for event in events:
            if event.kind is EventKind.BARRIER:
                continue
            if event.id in ids:
                raise Violation(f"{module}: event id {event.id} is given twice")
            ids.add(event.id)
            name = (event.aggregate, event.subject)
            if event.sequence <= last.get(name, ""):
                raise Violation(f"{module}: {name} goes back to {event.sequence}")
            last[name] = event.sequence

    def _check_topic(self, module: str, stored: dict[int, Any]) -> None:
        """Check the published events: in order, each with one content, none left out."""
        told = [one for one in stored.values() if one.kind is not EventKind.BARRIER]
        by_id = {event.id: event for event in told}
        seen: dict[str, bytes | None] = {}
        for partition in self._world.broker.topics[events_topic(module)]:
            last: dict[bytes | None, int] = {}
            numbers = {event.id: number for number, event in stored.items()}
            for entry in partition.ever_committed():
                headers = dict(entry.headers)
                id_ = (headers["ce_id"] or b"").decode()
                if headers["ce_type"] == b"isthmus.Barrier.v1":
                    continue
                if id_ not in by_id:
                    raise Violation(f"{module}: published an event that is not stored: {id_}")
                if id_ in seen and seen[id_] != entry.value:
                    raise Violation(f"{module}: event {id_} was published with two contents")
                if id_ not in seen and numbers[id_] < last.get(entry.key, 0):
                    raise Violation(f"{module}: event {numbers[id_]} was published out of order")
                if id_ not in seen:
                    last[entry.key] = numbers[id_]
                seen[id_] = entry.value
        mark = self._world.hub.rows("relay").get(module) or 0
        lost = [
            n
            for n, event in stored.items()
            if n <= mark and event.id in by_id and event.id not in seen
        ]
        retention = any(one.start for one in self._world.broker.topics[events_topic(module)])
        if lost and not retention:
            raise Violation(f"{module}: events {lost} are before the mark and were not published")

    def _check_complete(self, module: str) -> None:
        """Check that every transaction in the log gave its events, one of each."""
        told: dict[tuple[str, str, int, int], int] = {}
        placed: dict[tuple[str, int, int], int] = {}
        for _, event in self._events(module):
            if event.kind is EventKind.BARRIER:
                continue
            position = parse_position(event.sequence)
            if event.kind is EventKind.STATE and event.sequence[26:34] == "00000000":
                key = (event.aggregate, event.subject, *position)
                told[key] = told.get(key, 0) + 1
            if event.type == "sales.OrderPlaced.v1":
                placed[event.subject, *position] = placed.get((event.subject, *position), 0) + 1
        doubted = {
            position
            for (name, _), (position, _) in self._world.hub.rows("doubt").items()
            if name == module
        }
        self._check_doubts(module, doubted)
        for logged in self._logged(module):
            if logged.restarted and (logged.epoch, logged.lsn) not in doubted:
                raise Violation(
                    f"{module}: a connector started within the transaction at {logged.lsn:x}, "
                    "and no doubt was noted"
                )
            if not logged.truncates:
                self._check_transaction(module, logged, told, placed)

    def _check_doubts(self, module: str, doubted: set[tuple[int, int]]) -> None:
        """Check that no row was left out of the log without a doubt about its transaction."""
        for (name, epoch), loss in self._oracle.losses.items():
            for lsn, units in loss.transactions.items():
                if name == module and (epoch, lsn) not in doubted:
                    raise Violation(
                        f"{module}: {len(units)} rows of the transaction at {epoch}-{lsn:x} stand "
                        "nowhere in the log, and no doubt was noted"
                    )

    def _check_transaction(
        self,
        module: str,
        logged: LoggedTransaction,
        told: dict[tuple[str, str, int, int], int],
        placed: dict[tuple[str, int, int], int],
    ) -> None:
        history = self._oracle.epochs[module, logged.epoch]
        commit = history.commit_at(logged.lsn)
        before = history.commit_at(logged.lsn - 1).tables
        aggregate = CUSTOMER if module == PARTY else ORDER
        touched = {key[0] for table in MODULES[module] for key in commit.deltas.get(table, {})}
        for number in sorted(touched):
            old = expect(aggregate, number, before)
            new = expect(aggregate, number, commit.tables)
            if old == new or isinstance(new, str):
                continue
            if self._oracle.is_excused(module, logged.epoch, number, logged.lsn):
                continue
            place = (str(number), logged.epoch, logged.lsn)
            if told.get((aggregate, *place), 0) != 1:
                raise Violation(
                    f"{aggregate} {number} changed at {logged.epoch}-{logged.lsn:x} from {old} to "
                    f"{new}, and {told.get((aggregate, *place), 0)} events tell of it"
                )
            is_new = aggregate == ORDER and old is None and not self._was_poison(module, number)
            if is_new and placed.get(place, 0) != 1:
                raise Violation(
                    f"order {number} was placed at {logged.lsn:x}, and told "
                    f"{placed.get(place, 0)} times"
                )

    def _was_poison(self, module: str, number: int) -> bool:
        return any(
            is_poison(number, commit.tables)
            for (name, _), epoch in self._oracle.epochs.items()
            if name == module
            for commit in epoch.history
        )

    def _logged(self, module: str) -> Iterator[LoggedTransaction]:
        """List the transactions whose END stands in the change log, once each."""
        (partition,) = self._world.broker.topics[changes_topic(module)]
        seen: set[tuple[int, int]] = set()
        truncates, opened, begun_only, rows, epoch = False, "", "", 0, 0
        restarted: set[tuple[int, str]] = set()
        for entry in partition.entries:
            if entry.marker or entry.value is None or entry.value.startswith(b"rubbish"):
                continue
            record = _decode_logged(entry.value)
            came = int(dict(entry.headers)["epoch"] or 0)
            if came != epoch:  # what was open before never ends
                epoch, opened, begun_only = came, "", ""
            if record.status == "BEGIN":
                txid = record.id.partition(":")[0]
                truncates = truncates and txid == opened  # a BEGIN may be repeated
                if begun_only == txid:
                    restarted.add((epoch, txid))
                opened, begun_only, rows = txid, "", 0
            elif record.op == "r":
                continue
            elif record.op is not None:
                truncates, rows = truncates or record.op == "t", rows + 1
                # rows of another one: the connector went back to an END, and sends all again
                restarted.intersection_update({(epoch, opened)})
            elif record.type == "SKIPPED" and rows:
                restarted.add((epoch, opened))
            elif record.type == "SKIPPED":
                begun_only = opened  # another that comes first has it sent from its beginning
            elif record.status == "END":
                txid, _, lsn = record.id.partition(":")
                opened = ""
                if (epoch, int(lsn)) not in seen:
                    seen.add((epoch, int(lsn)))
                    yield LoggedTransaction(epoch, int(lsn), truncates, (epoch, txid) in restarted)

    def _check_region(self, region: str) -> None:
        store = self._world.stores[region]
        expected = region_rows(self._world.legacy.tables)
        poison = poisoned(self._world.legacy.tables)
        for table, rows in expected.items():
            held = store.tables.get(table, {})
            for key in sorted({*rows, *held}):
                if table != "customers" and key[0] in poison:
                    continue
                if rows.get(key) != held.get(key):
                    raise Violation(
                        f"{region}.{table} {key} is {held.get(key)}, but must be {rows.get(key)}"
                    )
        domain = {
            event.id
            for event in self._world.hub.rows("event").values()
            if event.kind is EventKind.DOMAIN
        }
        if store.domain_events.keys() != domain:
            raise Violation(
                f"{region}: {len(domain - store.domain_events.keys())} domain events are missing, "
                f"{len(store.domain_events.keys() - domain)} were never stored"
            )
        self._check_letters(poison)

    def _check_letters(self, poison: set[int]) -> None:
        letters = {
            int(letter.subject)
            for letter in self._world.hub.rows("letter").values()
            if letter.state == "open" and letter.aggregate == ORDER
        }
        if letters != poison:
            raise Violation(f"orders {poison} are poison, and letters are open for {letters}")
