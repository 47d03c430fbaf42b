"""Decodes the events of one type: whole batches with polars, few or foreign ones with fastavro.

Enters: framed values and the schema that their headers name. Leaves: `Decoded`. Both ways give
equal values; what the fast one can't read is read one by one, and so the poison is found. Polars
is loaded with the first large batch: it takes half a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from adapters.contract import Contract
from adapters.serde import Decoder
from pipeline.errors import Configuration, Poison
from pipeline.replicate.batch import Decoded

if TYPE_CHECKING:
    import polars as pl

    from pipeline.replicate.avro_frame import FrameDecoder

VECTOR_EVENTS_MIN = 100
"""Below this many events polars' fixed cost is higher than fastavro's for each (docs/adr)."""

_SCHEMA_URN = b"urn:isthmus:schema:"


class SchemaSource(Protocol):
    """Where the schema of an id comes from: the registry, or a dict in tests."""

    def schema(self, schema_id: int) -> str:
        """Return the schema's JSON text; Poison when there is no such id, else Retriable."""


@dataclass(frozen=True, slots=True)
class SchemaKey:
    """What an event says about its schema: the registry's id, and the fingerprint if it has one."""

    schema_id: int
    fingerprint: str | None

    @classmethod
    def read(cls, value: bytes, dataschema: bytes | None) -> SchemaKey:
        """Read the Confluent frame and the header ce_dataschema; Poison when it is no frame."""
        if len(value) < 5 or value[0] != 0:  # noqa: PLR2004 - magic byte and four bytes of id
            raise Poison("the value does not begin with the Confluent frame")
        fingerprint = None
        if dataschema is not None and dataschema.startswith(_SCHEMA_URN):
            fingerprint = dataschema[len(_SCHEMA_URN) :].decode("ascii", "replace")
        return cls(int.from_bytes(value[1:5], "big"), fingerprint)


class GroupDecoder:
    """Decodes bodies of one writer's schema into one contract's fields."""

    def __init__(self, writer: Mapping[str, Any], contract: Contract) -> None:
        self._writer = writer
        self._contract = contract
        self._rows = Decoder(writer, contract.schema)

    @cached_property
    def _frames(self) -> FrameDecoder | None:
        from pipeline.replicate.avro_frame import FrameDecoder  # noqa: PLC0415 - see above

        return FrameDecoder.make(self._writer, self._contract.schema)

    def decode(self, bodies: Sequence[bytes], *, required: Sequence[str] = ()) -> Decoded:
        """Decode all bodies; those that can't be, or lack a `required` field, are `poison`."""
        if len(bodies) >= VECTOR_EVENTS_MIN and self._frames is not None:
            frame = self._frames.decode(bodies)
            if frame is not None and not _lacks(frame, required):
                return Decoded(frame=frame)
        return self._decode_rows(bodies, required)

    def _decode_rows(self, bodies: Sequence[bytes], required: Sequence[str]) -> Decoded:
        values: list[dict[str, Any]] = []
        poison: dict[int, str] = {}
        for index, body in enumerate(bodies):
            try:
                values.append(self._decode_row(body, required))
            except Poison as error:
                poison[index] = str(error)
                values.append({})
        return Decoded(values=tuple(values), poison=poison)

    def _decode_row(self, body: bytes, required: Sequence[str]) -> dict[str, Any]:
        value = self._rows.decode(body)
        missing = [name for name in required if value[name] is None]
        if missing:
            raise Poison(f"the event has no value for {', '.join(missing)}")
        return value


class Decoders:
    """The decoders of all (type, schema) pairs that were seen; asks `schemas` once for each."""

    def __init__(self, contracts: Mapping[str, Contract], schemas: SchemaSource) -> None:
        self._contracts = contracts
        self._schemas = schemas
        self._known: dict[tuple[str, SchemaKey], GroupDecoder] = {}

    def find(self, type_: str, key: SchemaKey) -> GroupDecoder:
        """Return the decoder; Poison when the schema is unknown or not one of this type."""
        decoder = self._known.get((type_, key))
        if decoder is None:
            decoder = self._make(self._contracts[type_], key)
            self._known[type_, key] = decoder
        return decoder

    def _make(self, contract: Contract, key: SchemaKey) -> GroupDecoder:
        if key.fingerprint == contract.fingerprint:
            return GroupDecoder(contract.schema, contract)  # a lost registry loses nothing
        try:
            writer = json.loads(self._schemas.schema(key.schema_id))
        except ValueError as error:
            raise Poison(f"schema id {key.schema_id} is not JSON") from error
        if key.fingerprint is not None and _fingerprint(writer) != key.fingerprint:
            raise Poison(
                f"schema id {key.schema_id} is another schema than the one in ce_dataschema"
            )
        if not isinstance(writer, dict) or _full_name(writer) != contract.subject:
            raise Poison(f"schema id {key.schema_id} is not a schema of {contract.subject}")
        try:
            return GroupDecoder(writer, contract)
        except Configuration as error:
            raise Poison(f"schema id {key.schema_id} is no schema that can be read") from error


def _lacks(frame: pl.DataFrame, required: Sequence[str]) -> bool:
    return any(frame[name].null_count() for name in required)


def _full_name(schema: Mapping[str, Any]) -> str:
    name, namespace = str(schema.get("name")), schema.get("namespace")
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _fingerprint(schema: Any) -> str:
    """Fingerprint a schema as adapters.contract does."""
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
