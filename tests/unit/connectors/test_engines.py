"""Engines: what each adds to the one kind of connector, and what it does not let be changed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.config import build_config
from connectors.declaration import Declaration, parse_declaration
from connectors.engines import ENGINES
from connectors.engines.binlog import derive_server_id
from connectors.errors import Configuration
from connectors.names import ModuleNames
from connectors.target import Target, desired_state
from legacy_db.engine_names import BARRIER_TABLE

BODY = {
    "module": "sales",
    "host": "db.example",
    "port": 3306,
    "database": "erp",
    "user": "capture",
    "password": "${env:CAPTURE_PASSWORD}",
    "tables": ["ord_hdr", "ord_lin"],
}


def declare(engine: str, **changes: Any) -> Declaration:
    """Parse a declaration of an engine; engines with schemas get one."""
    schema = {"schema": "dbo"} if ENGINES[engine].has_schemas else {}
    return parse_declaration(Path("s.yaml"), {**BODY, **schema, "engine": engine, **changes}, {})


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_writes_one_log(engine: str) -> None:
    """Router, transactions, exactly-once and the epoch stand in every engine's connector."""
    config = build_config(declare(engine), "retail", brokers="kafka:9092")
    expected = {
        "connector.class": ENGINES[engine].connector_class,
        "transforms.one.replacement": "retail.sales.changes",
        "provide.transaction.metadata": "true",
        "exactly.once.support": "required",
        "skipped.operations": "none",
        "snapshot.mode": "initial",
        "time.precision.mode": "isostring",
        "decimal.handling.mode": "string",
    }
    assert expected.items() <= config.items()
    assert all(isinstance(value, str) for value in config.values())


def test_mariadb_reads_the_binary_log() -> None:
    """A server id of its own, a topic for definitions, DDL in the log, and the barrier table."""
    config = build_config(declare("mariadb"), "retail", brokers="kafka:9092")
    expected = {
        "database.include.list": "erp",
        "table.include.list": r"erp\.isthmus_barrier,erp\.ord_hdr,erp\.ord_lin",
        "database.server.id": str(derive_server_id(ModuleNames("retail", "sales"))),
        "schema.history.internal.kafka.bootstrap.servers": "kafka:9092",
        "schema.history.internal.kafka.topic": "retail.sales.history",
        "include.schema.changes": "true",
        "bigint.unsigned.handling.mode": "precise",
        "value.converter.decimal.format": "NUMERIC",
    }
    assert expected.items() <= config.items()
    assert not any(key.startswith(("slot.", "publication.", "plugin.")) for key in config)


@pytest.mark.parametrize(
    ("engine", "tables", "database"),
    [
        ("postgresql", r"dbo\.ord_hdr,dbo\.ord_lin", "database.dbname"),
        ("sqlserver", r"dbo\.isthmus_barrier,dbo\.ord_hdr,dbo\.ord_lin", "database.names"),
        ("oracle", rf"dbo\.{BARRIER_TABLE.upper()},dbo\.ord_hdr,dbo\.ord_lin", "database.dbname"),
    ],
)
def test_tables_stand_in_their_schema(engine: str, tables: str, database: str) -> None:
    """Where there are schemas, a table's name in the lists begins with its schema."""
    config = build_config(declare(engine), "retail", brokers="kafka:9092")
    assert config["table.include.list"] == tables
    assert config[database] == "erp"


def test_a_server_id_is_of_one_module_and_steady() -> None:
    """Modules and sites have different server ids, the same one each time, fit for the server."""
    names = [ModuleNames(site, f"m{n}") for site in ("eu", "us") for n in range(200)]
    ids = [derive_server_id(one) for one in names]
    assert len(set(ids)) == len(ids)
    assert ids == [derive_server_id(one) for one in names]
    assert all(1_000_000 <= one < 2**31 for one in ids)


def test_a_server_id_and_encryption_can_be_overridden() -> None:
    """What the declaration does not derive from the names is free, also among `database.`."""
    overrides = {"database.server.id": 77, "database.ssl.mode": "trust"}
    config = build_config(declare("mariadb", config=overrides), "retail")
    assert (config["database.server.id"], config["database.ssl.mode"]) == ("77", "trust")


@pytest.mark.parametrize(
    ("engine", "key", "reason"),
    [
        ("mariadb", "schema.history.internal.kafka.topic", "derives it"),
        ("mariadb", "include.schema.changes", "decoder"),
        ("mariadb", "bigint.unsigned.handling.mode", "decoder"),
        ("mysql", "database.include.list", "derives it"),
        ("mysql", "gtid.source.includes", "decoder"),
        ("sqlserver", "database.names", "derives it"),
        ("oracle", "database.dbname", "derives it"),
        ("postgresql", "heartbeat.action.query", "derives it"),
    ],
)
def test_an_engine_fixes_properties(engine: str, key: str, reason: str) -> None:
    """An override of a property that the engine fixes is refused with the reason."""
    with pytest.raises(Configuration, match=rf"config\.{re.escape(key)}: .* refused.*{reason}"):
        build_config(declare(engine, config={key: "x"}), "retail")


@pytest.mark.parametrize("engine", ["mariadb", "mysql"])
def test_the_database_takes_the_place_of_a_schema(engine: str) -> None:
    """Without schemas, the schema is the database's name; another one is refused."""
    assert declare(engine).schema == "erp"
    assert declare(engine, schema="erp").schema == "erp"
    with pytest.raises(Configuration, match=f"schema: {engine} has none: leave it out"):
        declare(engine, schema="other")


def test_barrier_table_is_captured_and_not_mirrored() -> None:
    """The barrier table has a name of its own choice and stands in no list of mirrored tables."""
    declaration = declare("mariadb", barrier_table="barriers")
    assert declaration.captured == ("barriers", "ord_hdr", "ord_lin")
    assert declaration.tables == ("ord_hdr", "ord_lin")
    with pytest.raises(Configuration, match="barrier_table: 'ord_hdr' must be a table of its own"):
        declare("mariadb", barrier_table="ord_hdr")


def test_a_log_without_messages_has_no_prefix_for_them() -> None:
    """Where the log takes no messages, a heartbeat has no prefix; its interval counts."""
    declared = declare("mariadb", heartbeat={"interval_ms": 500})
    assert build_config(declared, "retail")["heartbeat.interval.ms"] == "500"
    with pytest.raises(Configuration, match=r"heartbeat\.message_prefix: the log of mariadb"):
        declare("mariadb", heartbeat={"message_prefix": "beat"})


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        ("postgresql", "dbo.signals"),
        ("mariadb", "erp.signals"),
        ("sqlserver", "erp.dbo.signals"),
        ("oracle", "erp.dbo.signals"),
    ],
)
def test_a_signal_table_has_the_name_that_the_engine_gives_it(engine: str, name: str) -> None:
    """Debezium knows the signal table by a name whose parts depend on the engine."""
    key = "signal.data.collection"
    assert declare(engine, config={key: name}).signal_table == "signals"
    with pytest.raises(Configuration, match=r"config\.signal\.data\.collection"):
        declare(engine, config={key: "elsewhere.signals"})


def test_keys_and_snapshot_are_told_to_the_connector() -> None:
    """Declared keys of keyless tables become message keys; no_data means no snapshot of rows."""
    keys = {"ord_lin": ["ord_no", "lin_no"], "ord_hdr": ["ord_no"]}
    config = build_config(declare("mariadb", keys=keys, snapshot="no_data"), "retail")
    assert config["message.key.columns"] == r"erp\.ord_hdr:ord_no;erp\.ord_lin:ord_no,lin_no"
    assert config["snapshot.mode"] == "no_data"
    assert "message.key.columns" not in build_config(declare("mariadb"), "retail")


def test_publications_are_postgresqls_alone() -> None:
    """Publications and grants on schemas are PostgreSQL's; topics of definitions the others'."""
    declared = {"sales": declare("mariadb"), "stock": declare("postgresql", module="stock")}
    state = desired_state(Target("retail", declared, "", "kafka:9092", ""))
    assert set(state.publications) == {"isthmus_retail_stock"}
    usage = [grant for grant in state.grants if grant.privilege == "usage"]
    assert {grant.schema for grant in usage} == {"dbo"}
    assert {name for name in state.topics if name.endswith("history")} == {"retail.sales.history"}
    history = state.topics["retail.sales.history"]
    assert (history.partitions, history.settings["retention.ms"]) == (1, "-1")
    brokers = "schema.history.internal.kafka.bootstrap.servers"
    assert state.connectors["retail.sales"][brokers] == "kafka:9092"


def test_a_module_of_another_engine_has_no_slot_to_name() -> None:
    """A name that is too long for a slot is no matter where there are no slots."""
    long = replace(declare("mariadb"), module="m" * 30)
    assert build_config(long, "s" * 40)["name"] == f"{'s' * 40}.{'m' * 30}"
