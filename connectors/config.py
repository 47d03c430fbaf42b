"""From a declaration to the connector's full configuration: one ordered change log per module.

Enters: a Declaration, the site's name, the largest record. Leaves: Connect's config, text to text:
what is common to all engines, and the engine's own part (connectors.engines). What an override must
not change, because the log would lose its order, is refused here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.engines import ENGINES
from connectors.engines.engine import DECODED, NAMED, Fixed
from connectors.errors import Configuration
from connectors.names import ModuleNames

if TYPE_CHECKING:
    from connectors.declaration import Declaration
    from connectors.engines.engine import Engine

EPOCH_HEADER = "epoch"
EPOCH_PROPERTY = f"transforms.{EPOCH_HEADER}.value.literal"
RECORD_BYTES_MAX = 16 * 1024 * 1024
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"

_ONE_LOG = "the change log would not be one ordered log that proves its own completeness"
_EXACTLY_ONCE = "without exactly-once, records would be repeated or lost over a restart"

_FIXED: tuple[Fixed, ...] = (
    # in every engine's connector; the engine adds its own; the first match counts
    (r"provide\.transaction\.metadata", _ONE_LOG),
    (r"transforms(\..*)?|predicates(\..*)?", _ONE_LOG),
    (r"tasks\.max", _ONE_LOG),
    (r"skipped\.operations|tombstones\.on\.delete", _ONE_LOG),
    (r"notification\..*|topic\.creation\.(default\.partitions|enable|groups)", _ONE_LOG),
    (r"exactly\.once\.support|transaction\.boundary(\..*)?|errors\.tolerance", _EXACTLY_ONCE),
    (r"producer\.override\.(enable\.idempotence|transactional\.id|acks)", _EXACTLY_ONCE),
    (r"name|connector\.class|topic\.prefix|snapshot\.mode|message\.key\.columns", NAMED),
    (r"table\.(include|exclude)\.list|heartbeat\..*", NAMED),
    (r"(key|value|header)\.converter(\..*)?", DECODED),
    (r"decimal\.handling\.mode|time\.precision\.mode", DECODED),
)


def build_config(
    declaration: Declaration,
    site: str,
    *,
    brokers: str = "",
    record_bytes_max: int = RECORD_BYTES_MAX,
) -> dict[str, str]:
    """Build Connect's config; Configuration when an override would break the one ordered log.

    `brokers` are Kafka's, as Connect reaches them: some connectors keep a topic of their own. The
    declaration's tables must be plain names (see connectors.tables).
    """
    engine = ENGINES[declaration.engine]
    names = ModuleNames(site, declaration.module)
    engine.check_names(names)
    config = {
        "name": names.connector,
        "connector.class": engine.connector_class,
        "tasks.max": "1",
        **engine.make_config(declaration, names, brokers),
        **_read_from(declaration, engine),
        **_shape_of_records(),
        **_one_log(declaration, names),
        **_produce(record_bytes_max),
    }
    return _override(declaration, engine, config)


def _read_from(declaration: Declaration, engine: Engine) -> dict[str, str]:
    keys = {
        "message.key.columns": ";".join(
            f"{re.escape(engine.qualify(declaration, table))}:{','.join(map(re.escape, columns))}"
            for table, columns in declaration.keys
        )
    }
    return {
        "snapshot.mode": declaration.snapshot,
        "heartbeat.interval.ms": str(declaration.heartbeat.interval_ms),
        **(keys if declaration.keys else {}),
    }


def _shape_of_records() -> dict[str, str]:
    return {
        "key.converter": JSON_CONVERTER,
        "key.converter.schemas.enable": "false",
        "value.converter": JSON_CONVERTER,
        "value.converter.schemas.enable": "false",
        # or a null in a column that has a default would be written as that default
        "key.converter.replace.null.with.default": "false",
        "value.converter.replace.null.with.default": "false",
        "decimal.handling.mode": "string",
        "time.precision.mode": "isostring",
        "tombstones.on.delete": "false",
        # Debezium leaves TRUNCATE out unless told otherwise
        "skipped.operations": "none",
    }


def _one_log(declaration: Declaration, names: ModuleNames) -> dict[str, str]:
    return {
        "topic.prefix": names.connector,
        "provide.transaction.metadata": "true",
        "exactly.once.support": "required",
        "transaction.boundary": "poll",
        "errors.tolerance": "none",
        "notification.enabled.channels": "sink",
        "notification.sink.topic.name": names.notifications,
        "transforms": "one,epoch",
        "transforms.one.type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms.one.regex": ".*",
        "transforms.one.replacement": names.changes,
        "transforms.epoch.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.epoch.header": EPOCH_HEADER,
        "transforms.epoch.value.literal": str(declaration.epoch),
        "topic.creation.default.partitions": "1",
        # -1: as many as the broker's own default says
        "topic.creation.default.replication.factor": "-1",
        "topic.creation.default.cleanup.policy": "delete",
        "topic.creation.default.retention.ms": str(declaration.retention.changes_ms),
    }


def _produce(record_bytes_max: int) -> dict[str, str]:
    return {
        "topic.creation.default.max.message.bytes": str(record_bytes_max),
        "producer.override.max.request.size": str(record_bytes_max),
        "producer.override.buffer.memory": str(4 * record_bytes_max),
        "producer.override.compression.type": "lz4",
        # a poll's records leave in few batches; 5 ms is far below the poll interval
        "producer.override.linger.ms": "5",
        "producer.override.batch.size": str(256 * 1024),
    }


def _override(declaration: Declaration, engine: Engine, config: dict[str, str]) -> dict[str, str]:
    merged = dict(config)
    for key, value in declaration.config:
        if config.get(key) == value:
            continue
        for pattern, reason in (*_FIXED, *engine.fixed):
            if re.fullmatch(pattern, key):
                fixed = f"is {config[key]!r}" if key in config else "is not set"
                raise Configuration(
                    f"module {declaration.module!r}: config.{key}: {value!r} is refused, it "
                    f"{fixed} in every connector: {reason}"
                )
        merged[key] = value
    return merged
