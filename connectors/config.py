"""From a declaration to the connector's full configuration: one ordered change log per module.

Enters: a Declaration, the site's name, the largest record. Leaves: Connect's config, text to text.
What an override must not change, because the log would lose its order, is refused here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.errors import Configuration
from connectors.names import POSTGRESQL_NAME_MAX, ModuleNames

if TYPE_CHECKING:
    from connectors.declaration import Declaration

POSTGRESQL_CONNECTOR = "io.debezium.connector.postgresql.PostgresConnector"
UNAVAILABLE_VALUE = "__isthmus_unavailable_value__"
EPOCH_HEADER = "epoch"
RECORD_BYTES_MAX = 16 * 1024 * 1024
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"

_ONE_LOG = "the change log would not be one ordered log that proves its own completeness"
_EXACTLY_ONCE = "without exactly-once, records would be repeated or lost over a restart"
_NAMED = "Isthmus derives it from the declaration"
_DECODED = "the decoder of the change log relies on it"

_FIXED: tuple[tuple[str, str], ...] = (
    # pattern of the property, why it can't be overridden; the first match counts
    (r"provide\.transaction\.metadata", _ONE_LOG),
    (r"transforms(\..*)?|predicates(\..*)?", _ONE_LOG),
    (r"tasks\.max", _ONE_LOG),
    (r"skipped\.operations|tombstones\.on\.delete", _ONE_LOG),
    (r"notification\..*|topic\.creation\.(default\.partitions|enable|groups)", _ONE_LOG),
    (r"exactly\.once\.support|transaction\.boundary(\..*)?|errors\.tolerance", _EXACTLY_ONCE),
    (r"producer\.override\.(enable\.idempotence|transactional\.id|acks)", _EXACTLY_ONCE),
    (r"name|connector\.class|topic\.prefix|slot\.name|publication\..*", _NAMED),
    (r"(table|schema)\.(include|exclude)\.list|database\..*|heartbeat\..*", _NAMED),
    (r"plugin\.name|publish\.via\.partition\.root|snapshot\.mode", _DECODED),
    (r"(key|value|header)\.converter(\..*)?|unavailable\.value\.placeholder", _DECODED),
    (r"decimal\.handling\.mode|time\.precision\.mode", _DECODED),
)


def build_config(
    declaration: Declaration, site: str, *, record_bytes_max: int = RECORD_BYTES_MAX
) -> dict[str, str]:
    """Build Connect's config; Configuration when an override would break the one ordered log."""
    names = ModuleNames(site, declaration.module)
    if len(names.slot) > POSTGRESQL_NAME_MAX:
        raise Configuration(
            f"slot name {names.slot} is longer than {POSTGRESQL_NAME_MAX} characters: shorten the "
            "site's or the module's name"
        )
    config = {
        "name": names.connector,
        "connector.class": POSTGRESQL_CONNECTOR,
        "tasks.max": "1",
        **_read_from(declaration, names),
        **_shape_of_records(),
        **_one_log(declaration, names),
        **_produce(record_bytes_max),
    }
    return _override(declaration, config)


def _read_from(declaration: Declaration, names: ModuleNames) -> dict[str, str]:
    prefix = declaration.heartbeat.message_prefix.replace("'", "''")
    tables = (f"{declaration.schema}.{table}" for table in declaration.tables)
    return {
        "database.hostname": declaration.host,
        "database.port": str(declaration.port),
        "database.dbname": declaration.database,
        "database.user": declaration.user,
        "database.password": declaration.password,
        "plugin.name": "pgoutput",
        "slot.name": names.slot,
        "publication.name": names.publication,
        # ours is made with the owner's rights, so that the capture role needs none
        "publication.autocreate.mode": "disabled",
        "publish.via.partition.root": "true",
        "table.include.list": ",".join(re.escape(table) for table in tables),
        "snapshot.mode": "initial",
        "heartbeat.interval.ms": str(declaration.heartbeat.interval_ms),
        # a message outside transactions can be lost when a connector starts again behind an END,
        # and what follows it links to it all the same: the log would seem to have a hole
        "heartbeat.action.query": (
            f"select pg_logical_emit_message(true, '{prefix}', now()::text)"
        ),
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
        "unavailable.value.placeholder": UNAVAILABLE_VALUE,
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


def _override(declaration: Declaration, config: dict[str, str]) -> dict[str, str]:
    merged = dict(config)
    for key, value in declaration.config:
        if config.get(key) == value:
            continue
        for pattern, reason in _FIXED:
            if re.fullmatch(pattern, key):
                fixed = f"is {config[key]!r}" if key in config else "is not set"
                raise Configuration(
                    f"module {declaration.module!r}: config.{key}: {value!r} is refused, it "
                    f"{fixed} in every connector: {reason}"
                )
        merged[key] = value
    return merged
