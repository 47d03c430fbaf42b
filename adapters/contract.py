"""Contracts: the Avro schemas of integration events, one `<type>.avsc` file each.

Enters: a folder of schemas. Leaves: `Contract` values with a fingerprint that covers all of the
schema (the canonical form of Avro drops logical types and defaults, so it can't be used here).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro

from adapters.errors import Configuration

_TYPE = re.compile(r"(?P<module>[a-z][a-z0-9_]*)\.(?P<name>[A-Z][A-Za-z0-9]*)\.v(?P<major>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract: `type` as in ce_type, `subject` as in the registry (the record's full name).

    `schema` is the JSON document as written, `text` its one-line form with sorted keys, which is
    what is registered; `fingerprint` 32 hex digits of its SHA-256; `parsed` is fastavro's form.
    """

    type: str
    subject: str
    text: str
    fingerprint: str
    schema: dict[str, Any]
    parsed: Any


def make_contract(type_: str, schema: dict[str, Any]) -> Contract:
    """Make a contract of a parsed JSON schema; Configuration says what is wrong with it."""
    match = _TYPE.fullmatch(type_)
    if match is None:
        raise Configuration(f"contract {type_!r} is not named <module>.<Name>.v<major>")
    try:
        parsed = fastavro.parse_schema(schema, named_schemas={})
    except (fastavro.schema.SchemaParseException, KeyError, TypeError) as error:
        raise Configuration(f"contract {type_}: not an Avro schema: {error}") from error
    if schema.get("type") != "record" or schema.get("name") != match["name"]:
        raise Configuration(f"contract {type_}: must be a record named {match['name']}")
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:32]
    namespace = schema.get("namespace")
    subject = f"{namespace}.{schema['name']}" if namespace else str(schema["name"])
    return Contract(type_, subject, text, fingerprint, schema, parsed)


def load_contracts(folder: Path) -> dict[str, Contract]:
    """Load every `*.avsc` of a folder, by type; Configuration names the file that is wrong."""
    contracts = {}
    for path in sorted(folder.glob("*.avsc")):
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Configuration(f"{path} is not JSON: {error}") from error
        contracts[path.stem] = make_contract(path.stem, schema)
    if not contracts:
        raise Configuration(f"no *.avsc contracts in {folder}: correct [site] contracts")
    return contracts
