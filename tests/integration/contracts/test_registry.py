"""Contracts in a real registry, and what others read of our events (adapters.registry, .serde)."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from adapters.contract import Contract, load_contracts, make_contract
from adapters.contract_check import CheckState, check_contract, register_contracts
from adapters.errors import Configuration, Poison, Unreachable
from adapters.event import EventKind, IntegrationEvent, make_event_id, make_headers
from adapters.registry import COMPATIBILITY, SchemaRegistry
from adapters.serde import Encoder, frame
from pipeline.local_stack.stack import LocalStack

CONTRACTS = load_contracts(Path(__file__).parents[3] / "adapters" / "retail" / "contracts")
ORDER: dict[str, Any] = {
    "order_id": 5_000_000_001,
    "deleted": False,
    "customer_name": "Łucja Ærø",
    "order_date": date(2024, 2, 29),
    "total": Decimal("-1234.56"),
    "line_count": 1,
    "lines": [{"line_number": 1, "quantity": Decimal("3.500"), "unit_price": Decimal("0.0001")}],
    "changed_at": datetime(2024, 3, 1, 12, 30, 1, 250_000, tzinfo=UTC),
}


@pytest.fixture
def registry_url(stack: LocalStack) -> str:
    """Give the URL of the stack's registry."""
    return stack.variables()["ISTHMUS_REGISTRY_URL"]


@pytest.fixture
def registry(registry_url: str) -> SchemaRegistry:
    """Give a client of the stack's registry."""
    return SchemaRegistry(registry_url)


def rename(contract: Contract) -> Contract:
    """Return the same contract in a namespace that no other test uses."""
    schema = {**contract.schema, "namespace": f"t{secrets.token_hex(4)}.v1"}
    return make_contract(contract.type, schema)


def change(contract: Contract, *fields: dict[str, Any], **scale: int) -> Contract:
    """Return a contract with more fields, and other scales of its decimals."""
    schema = json.loads(contract.text)
    for field in schema["fields"]:
        if field["name"] in scale:
            field["type"][1]["scale"] = scale[field["name"]]
    schema["fields"] += fields
    return make_contract(contract.type, schema)


def test_a_contract_keeps_its_id(registry: SchemaRegistry) -> None:
    """Registering again gives the same id and no new version; the id gives the text back."""
    contract = rename(CONTRACTS["sales.Order.v1"])
    ids = {registry.register(contract.subject, contract.text) for _ in range(3)}
    (schema_id,) = ids
    assert json.loads(registry.schema(schema_id)) == contract.schema
    assert [one.version for one in registry.versions(contract.subject)] == [1]
    assert registry.compatibility(contract.subject) == COMPATIBILITY
    assert contract.subject in registry.subjects()


def test_an_optional_field_is_accepted(registry: SchemaRegistry) -> None:
    """Both versions stay registered, under their own ids."""
    old = rename(CONTRACTS["sales.Order.v1"])
    new = change(old, {"name": "channel", "type": ["null", "string"], "default": None})
    first = register_contracts(registry, [old])
    assert check_contract(registry, new).state is CheckState.COMPATIBLE
    second = register_contracts(registry, [new])
    assert first != second
    assert check_contract(registry, old).schema_id == first["sales.Order.v1"]


def test_a_mandatory_field_is_refused_by_both(registry: SchemaRegistry) -> None:
    """We name the field before the registry is asked; the registry refuses it as well."""
    old = rename(CONTRACTS["sales.Order.v1"])
    register_contracts(registry, [old])
    bad = change(old, {"name": "channel", "type": "string"})
    assert [one.field for one in check_contract(registry, bad).findings] == ["channel"]
    assert not registry.accepts(bad.subject, bad.text, 1)
    with pytest.raises(Configuration, match="channel is new and has no default"):
        register_contracts(registry, [bad])
    with pytest.raises(Configuration, match="refuses the schema as not compatible"):
        registry.register(bad.subject, bad.text)
    assert len(registry.versions(bad.subject)) == 1


def test_compatibility_is_transitive(registry: SchemaRegistry) -> None:
    """A field that was removed can't come back with another type: the first events are there."""
    first = rename(change(CONTRACTS["sales.Order.v1"], {"name": "x", "type": "int", "default": 0}))
    schema = json.loads(first.text)
    schema["fields"].pop()
    register_contracts(registry, [first])
    register_contracts(registry, [make_contract(first.type, schema)])
    schema["fields"].append({"name": "x", "type": "boolean", "default": False})
    third = make_contract(first.type, schema)
    assert [(one.version, one.field) for one in check_contract(registry, third).findings] == [
        (1, "x")
    ]
    with pytest.raises(Configuration, match="not compatible"):
        registry.register(third.subject, third.text)


def test_another_scale_is_refused_though_the_registry_takes_it(registry: SchemaRegistry) -> None:
    """Old amounts would be read as other amounts, which registries do not look at."""
    old = rename(CONTRACTS["sales.Order.v1"])
    register_contracts(registry, [old])
    bad = change(old, total=3)
    assert registry.accepts(bad.subject, bad.text, 1)
    assert check_contract(registry, bad).findings[0].reason == "scale is 3, was 2"


def test_an_unknown_id_is_poison(registry: SchemaRegistry) -> None:
    """A value that names a schema which is not there can't be read, now or later."""
    with pytest.raises(Poison, match="no schema id 2000000000"):
        registry.schema(2_000_000_000)


def test_a_registry_that_is_not_there_is_unreachable(registry_url: str) -> None:
    """No port, and a server that is no registry, are told apart."""
    with pytest.raises(Unreachable, match="does not answer"):
        SchemaRegistry("http://127.0.0.1:9/apis/ccompat/v7").versions("any")
    with pytest.raises(Unreachable, match="not as a registry does"):
        SchemaRegistry(f"{registry_url}/wrong").versions("any")
    with pytest.raises(Configuration, match="not a registry's URL"):
        SchemaRegistry("bogus")


def make_event(contract: Contract) -> IntegrationEvent:
    """Make the event that carries ORDER."""
    sequence = "00000001-00000000000000ff-00000000-00000000"
    return IntegrationEvent(
        id=make_event_id(contract.type, "5000000001", sequence),
        kind=EventKind.STATE,
        type=contract.type,
        aggregate="sales.Order",
        subject="5000000001",
        sequence=sequence,
        time=datetime(2024, 3, 1, 12, 30, 2, tzinfo=UTC),
        source="/retail/sales",
        transaction="762",
        region="eu",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        fingerprint=contract.fingerprint,
        payload=Encoder(contract).encode(ORDER),
    )


def expand(contract: Contract, data: dict[str, Any]) -> dict[str, Any]:
    """Return data with None in every optional field."""
    whole = {field["name"]: None for field in contract.schema["fields"]} | data
    line = dict.fromkeys(("item_code", "amount", "status"))
    return whole | {"lines": [one | line for one in data["lines"]]}


def test_confluents_own_deserializer_reads_our_events(
    registry: SchemaRegistry, registry_url: str
) -> None:
    """A consumer with nothing but AvroDeserializer gets dates, times and exact decimals."""
    contract = rename(CONTRACTS["sales.Order.v1"])
    event = make_event(contract)
    assert event.payload is not None
    value = frame(registry.register(contract.subject, contract.text), event.payload)
    with SchemaRegistryClient({"url": registry_url, "timeout": 30}) as client:
        read = AvroDeserializer(client)
        context = SerializationContext("retail.sales.events", MessageField.VALUE)
        assert read(value, context) == expand(contract, ORDER)


def test_cloudevents_own_sdk_parses_our_events(registry: SchemaRegistry) -> None:
    """Headers and value of a record are a CloudEvent in Kafka's binary mode."""
    contract = rename(CONTRACTS["sales.Order.v1"])
    event = make_event(contract)
    assert event.payload is not None
    value = frame(registry.register(contract.subject, contract.text), event.payload)
    message = KafkaMessage(headers=dict(make_headers(event)), key=b"5000000001", value=value)
    parsed = from_binary(message, JSONFormat())
    assert (parsed.get_id(), parsed.get_type()) == (event.id, "sales.Order.v1")
    assert (parsed.get_source(), parsed.get_subject()) == ("/retail/sales", "5000000001")
    assert (parsed.get_specversion(), parsed.get_time()) == ("1.0", event.time)
    assert parsed.get_datacontenttype() == "application/avro"
    assert parsed.get_dataschema() == f"urn:isthmus:schema:{contract.fingerprint}"
    for name in ("sequence", "transaction", "region", "traceparent"):
        assert parsed.get_extension(name) == getattr(event, name)
    assert parsed.get_data() == value
