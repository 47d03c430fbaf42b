"""Makes events of an aggregate's states before and after a transaction, or dead letters.

Enters: states. Leaves: integration events with their sequence and dedup key, letters for what can't
be understood or breaks an expectation, and the letters that are thereby resolved. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from adapters.event import EventKind, IntegrationEvent, make_event_id
from adapters.position import Sequence
from adapters.serde import Decoder, Encoder
from pipeline.errors import Fatal, Poison
from pipeline.translate.row_values import encode_special

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.aggregate import Adapter, AggregateRows, Key
    from adapters.contract import Contract

State = dict[str, Any]
LEGACY_REGION = "legacy"
"""`ce_region` of every change that was made in the legacy database."""
BARRIER_TYPE = "isthmus.Barrier.v1"
_LETTER_PAYLOAD_BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """A state that can't be published: why, and the expectation that it broke, if it was one."""

    reason: str
    expectation: str | None = None
    payload: bytes | None = None


UNKNOWN = Failure("the last published state is not known")


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where the change stands that events are made of."""

    epoch: int
    lsn: int
    revision: int
    time: datetime
    transaction: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """The aggregate that events are made of, and the moment; `name` is (aggregate, subject)."""

    adapter: Adapter
    root_key: Key
    moment: Moment
    name: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter to be: the aggregate that can't be published, and its last good state."""

    aggregate: str
    subject: str
    root_key: bytes
    type: str
    sequence: str
    failure: Failure
    last_good: State | Failure | None


@dataclass(slots=True)
class Outcome:
    """What a batch yields beside mirror rows."""

    events: list[IntegrationEvent] = field(default_factory=list)
    letters: dict[tuple[str, str], Letter] = field(default_factory=dict)
    resolved: set[tuple[str, str]] = field(default_factory=set)
    contracts: dict[str, Contract] = field(default_factory=dict)


class EventMaker:
    """Makes the events of one module's aggregates.

    `checks` are row-level expectations by contract type; `last_good` holds, for every aggregate
    with an open dead letter, the last state that was published (None: there was none; UNKNOWN).
    """

    def __init__(
        self,
        *,
        site: str,
        module: str,
        contracts: Mapping[str, Contract],
        checks: Mapping[str, Callable[[State], object | None]],
        last_good: dict[tuple[str, str], State | Failure | None],
    ) -> None:
        self.source = f"/{site}/{module}"
        self.last_good = last_good
        self._module = module
        self._contracts = contracts
        self._checks = checks
        self._encoders: dict[str, Encoder] = {}

    def state_of(self, adapter: Adapter, rows: AggregateRows | None) -> State | Failure | None:
        """Return the state of an aggregate's rows; None when it is not there."""
        if rows is None:
            return None
        state = _ask_adapter(adapter, rows)
        if state is None or isinstance(state, Failure):
            return state
        check = self._checks.get(adapter.contract)
        broken = check(state) if check is not None else None
        if broken is not None:
            return Failure(f"broken expectation: {broken}", str(broken), _encode_payload(state))
        return state

    def take_change(
        self,
        outcome: Outcome,
        target: Target,
        before: State | Failure | None,
        after: State | Failure | None,
    ) -> None:
        """Add the events of a transaction's change of one aggregate from `before` to `after`."""
        name = target.name
        if isinstance(after, Failure):
            self._add_letter(outcome, target, before, after)
            return
        if name in self.last_good:
            before = self.last_good[name]
        elif before == after:
            return
        # where the state before is not known, nobody can tell what happened
        self._add_events(outcome, target, after if isinstance(before, Failure) else before, after)

    def take_emission(
        self, outcome: Outcome, target: Target, state: State | Failure | None
    ) -> None:
        """Add the state event of an aggregate that is emitted again, whatever was before.

        Domain events are only added for an aggregate whose last change went to the dead letters.
        """
        if isinstance(state, Failure):
            self._add_letter(outcome, target, state, state)
            return
        before = self.last_good.get(target.name, state)
        self._add_events(outcome, target, state if isinstance(before, Failure) else before, state)

    def make_barrier(self, barrier: str, moment: Moment) -> IntegrationEvent:
        """Make the event that tells every region that all before it has been published."""
        sequence = str(Sequence(moment.epoch, moment.lsn))
        document = {
            "barrier": barrier,
            "module": self._module,
            "position": sequence,
            "quarantined": sorted(self.last_good),
        }
        return IntegrationEvent(
            id=barrier,
            kind=EventKind.BARRIER,
            type=BARRIER_TYPE,
            aggregate="",
            subject=barrier,
            sequence=sequence,
            time=moment.time,
            source=self.source,
            payload=msgspec.json.encode(document),
        )

    def _add_events(
        self, outcome: Outcome, target: Target, before: State | None, after: State | None
    ) -> None:
        adapter = target.adapter
        state = after if after is not None else adapter.deleted_state(target.root_key)
        try:
            made = [self._make(outcome, target, 0, adapter.contract, state)]
            if before is not after:
                for happened in adapter.domain_events(before, after):
                    data = dict(happened.data)
                    made.append(self._make(outcome, target, len(made), happened.type, data))
        except Poison as error:
            self._add_letter(
                outcome, target, before, Failure(str(error), payload=_encode_payload(state))
            )
            return
        if after is None:
            made.append(self._make(outcome, target, len(made), adapter.contract, None))
        outcome.events += made
        if target.name in self.last_good:
            del self.last_good[target.name]
            outcome.letters.pop(target.name, None)
            outcome.resolved.add(target.name)

    def _make(
        self, outcome: Outcome, target: Target, ordinal: int, type_: str, data: State | None
    ) -> IntegrationEvent:
        moment, subject = target.moment, target.name[1]
        sequence = str(Sequence(moment.epoch, moment.lsn, moment.revision, ordinal))
        id_ = make_event_id(type_, subject, sequence)
        fingerprint = payload = None
        kind = EventKind.TOMBSTONE
        if data is not None:
            kind = EventKind.STATE if ordinal == 0 else EventKind.DOMAIN
            contract = self._contracts[type_]
            fingerprint, payload = contract.fingerprint, self._encoder(contract).encode(data)
            outcome.contracts[fingerprint] = contract
        return IntegrationEvent(
            id=id_,
            kind=kind,
            type=type_,
            aggregate=target.name[0],
            subject=subject,
            sequence=sequence,
            time=moment.time,
            source=self.source,
            transaction=moment.transaction,
            region=LEGACY_REGION,
            traceparent=_make_traceparent(self.source, moment, id_),
            fingerprint=fingerprint,
            payload=payload,
        )

    def _encoder(self, contract: Contract) -> Encoder:
        encoder = self._encoders.get(contract.type)
        if encoder is None:
            encoder = self._encoders[contract.type] = Encoder(contract)
        return encoder

    def _add_letter(
        self,
        outcome: Outcome,
        target: Target,
        before: State | Failure | None,
        failure: Failure,
    ) -> None:
        name, moment = target.name, target.moment
        if name not in self.last_good:
            self.last_good[name] = UNKNOWN if isinstance(before, Failure) else before
        outcome.resolved.discard(name)
        outcome.letters[name] = Letter(
            aggregate=name[0],
            subject=name[1],
            root_key=msgspec.json.encode(target.root_key, enc_hook=encode_special),
            type=target.adapter.contract,
            sequence=str(Sequence(moment.epoch, moment.lsn, moment.revision)),
            failure=failure,
            last_good=self.last_good[name],
        )


def make_target(adapter: Adapter, root_key: Key, moment: Moment) -> Target:
    """Name the aggregate with this root key."""
    return Target(adapter, root_key, moment, (adapter.aggregate, adapter.subject(root_key)))


def encode_last_good(contract: Contract, state: State) -> bytes:
    """Encode a last good state for the dead letter that keeps it."""
    return Encoder(contract).encode(state)


def decode_last_good(schema: str, payload: bytes) -> State:
    """Decode what `encode_last_good` wrote, with the schema that it was written by."""
    return Decoder(schema).decode(payload)


def _make_traceparent(source: str, moment: Moment, event_id: str) -> str | None:
    """Make a W3C trace context: one trace per transaction, one span per event."""
    if moment.transaction is None:
        return None
    trace = blake2b(
        f"{source}\n{moment.epoch}\n{moment.transaction}".encode(), digest_size=16
    ).hexdigest()
    return f"00-{trace}-{event_id[:16]}-01"


def _ask_adapter(adapter: Adapter, rows: AggregateRows) -> State | Failure | None:
    """Ask for a state; Fatal when the adapter reads a column that its table does not have."""
    try:
        return adapter.state(rows)
    except Poison as error:
        return Failure(str(error), payload=_encode_rows(rows))
    except AttributeError as error:
        if isinstance(error.obj, msgspec.Struct):
            raise Fatal(
                f"{adapter.aggregate} reads {error.name!r} of a row of {type(error.obj).__name__}, "
                "which has no such column (any more): deploy an adapter that reads the columns as "
                "they are now"
            ) from error
        return _stumble(adapter, error, rows)
    except (TypeError, ValueError, ArithmeticError) as error:
        return _stumble(adapter, error, rows)


def _stumble(adapter: Adapter, error: Exception, rows: AggregateRows) -> Failure:
    """Say that an adapter can't handle a value, e.g. a date that is infinite."""
    return Failure(
        f"{adapter.aggregate} stumbled over its rows ({type(error).__name__}): correct the adapter "
        "or the row, then replay",
        payload=_encode_rows(rows),
    )


def _encode_rows(rows: AggregateRows) -> bytes | None:
    return _encode_payload({"root": rows.root, **rows.members})


def _encode_payload(document: Any) -> bytes | None:
    """Encode what a letter is about as JSON; a huge one is left out: the mirror has it."""
    payload = msgspec.json.encode(document, enc_hook=encode_special)
    return payload if len(payload) <= _LETTER_PAYLOAD_BYTES_MAX else None
