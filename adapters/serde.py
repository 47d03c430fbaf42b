"""Avro values: encoding and decoding one event, and the Confluent wire format around it.

Enters: a contract and a dict, or bytes. Leaves: bytes, or a dict. fastavro reads, and writes the
schemas that adapters.avro_writer does not know. Poison names the field that does not fit.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

import fastavro
from fastavro.schema import SchemaParseException

from adapters.avro_writer import Misfit, compile_writer
from adapters.contract import Contract
from adapters.errors import Configuration, Poison

_FRAME: Final = struct.Struct(">bI")
_MAGIC: Final = 0
FRAME_BYTES: Final = _FRAME.size


def frame(schema_id: int, payload: bytes) -> bytes:
    """Put the magic byte and the registry's schema id in front (Confluent wire format)."""
    return _FRAME.pack(_MAGIC, schema_id) + payload


def unframe(value: bytes) -> tuple[int, bytes]:
    """Split a framed value into (schema id, payload); Poison when it is not framed."""
    if len(value) < FRAME_BYTES or value[0] != _MAGIC:
        raise Poison(
            "the value does not begin with the Confluent frame (a zero byte and a schema id): "
            "it was not written by this pipeline"
        )
    return _FRAME.unpack_from(value)[1], value[FRAME_BYTES:]


class Encoder:
    """Writes values of one contract."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._write = compile_writer(contract.parsed)

    def encode(self, data: Mapping[str, Any]) -> bytes:
        """Encode one value, without frame; Poison names the field that does not fit."""
        if self._write is None:
            return self._encode_slowly(data)
        parts: list[bytes] = []
        try:
            self._write(parts.append, data)
        except Misfit as misfit:
            raise self._refuse(misfit.path) from misfit
        return b"".join(parts)

    def _encode_slowly(self, data: Mapping[str, Any]) -> bytes:
        buffer = BytesIO()
        try:
            fastavro.schemaless_writer(buffer, self.contract.parsed, data)
        except Exception as error:
            raise self._refuse(self._find_misfit(data)) from error
        return buffer.getvalue()

    def _find_misfit(self, data: Mapping[str, Any]) -> str:
        for field in self.contract.parsed["fields"]:
            value = data.get(field["name"], field.get("default"))
            if not fastavro.validate(value, field["type"], raise_errors=False):
                return str(field["name"])
        return "the value"

    def _refuse(self, field: str) -> Poison:
        return Poison(
            f"{self.contract.type}: {field} does not fit the contract: correct the adapter or the "
            "row, then replay"
        )


class Decoder:
    """Reads values one by one; batches are the replicator's business."""

    def __init__(self, writer_schema: str | Any, reader_schema: str | Any | None = None) -> None:
        self._writer = _parse(writer_schema)
        self._reader = _parse(reader_schema) if reader_schema is not None else None

    def decode(self, payload: bytes) -> dict[str, Any]:
        """Decode one payload without frame; Poison when it is not of the writer's schema."""
        buffer = BytesIO(payload)
        try:
            value = fastavro.schemaless_reader(buffer, self._writer, self._reader)
        except Exception as error:
            raise Poison(
                f"the value is not of the schema that it names ({type(error).__name__})"
            ) from error
        if buffer.tell() != len(payload):
            raise Poison("the value has bytes behind its end: it is not of the schema it names")
        if not isinstance(value, dict):
            raise Poison("the value is not a record")
        return value


def _parse(schema: str | Any) -> Any:
    try:
        return fastavro.parse_schema(
            json.loads(schema) if isinstance(schema, str) else schema,
            named_schemas={},
        )
    except (SchemaParseException, ValueError, KeyError, TypeError) as error:
        raise Configuration(f"not an Avro schema: {error}") from error
