"""The connector's config: one ordered change log, and no way to switch that off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.config import build_config
from connectors.declaration import Declaration
from connectors.errors import Configuration

SALES = Declaration(
    module="sales",
    engine="postgresql",
    host="127.0.0.1",
    port=5432,
    database="legacy",
    user="capture",
    password="${env:ISTHMUS_CAPTURE_PASSWORD}",
    schema="erp",
    tables=("ord_hdr", "ord_lin"),
    epoch=3,
)


def test_everything_goes_to_one_log() -> None:
    """One router over all topics, exactly once, with transactions and the epoch in a header."""
    config = build_config(SALES, "retail")
    expected = {
        "name": "retail.sales",
        "topic.prefix": "retail.sales",
        "slot.name": "isthmus_retail_sales",
        "publication.name": "isthmus_retail_sales",
        "publication.autocreate.mode": "disabled",
        "table.include.list": "erp\\.ord_hdr,erp\\.ord_lin",
        "transforms.one.regex": ".*",
        "transforms.one.replacement": "retail.sales.changes",
        "transforms.epoch.value.literal": "3",
        "provide.transaction.metadata": "true",
        "exactly.once.support": "required",
        "skipped.operations": "none",
        "database.password": "${env:ISTHMUS_CAPTURE_PASSWORD}",
        "unavailable.value.placeholder": "__isthmus_unavailable_value__",
        "topic.creation.default.partitions": "1",
        "errors.tolerance": "none",
        "producer.override.max.request.size": str(16 * 1024 * 1024),
    }
    assert expected.items() <= config.items()
    assert all(isinstance(value, str) for value in config.values())


def test_names_are_fit_for_postgresql() -> None:
    """What a slot's name may not hold becomes an underscore; a name too long is refused."""
    assert build_config(SALES, "north-west")["slot.name"] == "isthmus_north_west_sales"
    with pytest.raises(Configuration, match="longer than 63"):
        build_config(replace(SALES, module="m" * 30), "s" * 40)


def test_heartbeat_prefix_is_quoted() -> None:
    """A quote in the heartbeat's prefix stays inside its literal."""
    heartbeat = replace(SALES.heartbeat, message_prefix="it's", interval_ms=500)
    config = build_config(replace(SALES, heartbeat=heartbeat), "retail")
    assert "'it''s'" in config["heartbeat.action.query"]
    assert config["heartbeat.interval.ms"] == "500"


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("provide.transaction.metadata", "false", "one ordered log"),
        ("exactly.once.support", "requested", "exactly-once"),
        ("transforms", "epoch", "one ordered log"),
        ("transforms.one.regex", "x.*", "one ordered log"),
        ("tasks.max", "2", "one ordered log"),
        ("notification.enabled.channels", "log", "one ordered log"),
        ("topic.creation.default.partitions", "3", "one ordered log"),
        ("errors.tolerance", "all", "exactly-once"),
        ("producer.override.enable.idempotence", "false", "exactly-once"),
        ("value.converter", "x.Avro", "decoder"),
        ("slot.name", "mine", "derives it"),
        ("database.user", "me", "derives it"),
    ],
)
def test_override_that_breaks_the_log_is_refused(key: str, value: str, reason: str) -> None:
    """An override that would end the one ordered log is refused with module, key and reason."""
    with pytest.raises(Configuration) as caught:
        build_config(replace(SALES, config=((key, value),)), "retail")
    text = str(caught.value)
    assert "'sales'" in text
    assert f"config.{key}: '{value}' is refused" in text
    assert reason in text


def test_other_overrides_are_taken() -> None:
    """Tuning is free; an override that says what holds anyway is no contradiction."""
    overrides = (("exactly.once.support", "required"), ("max.batch.size", "4096"))
    config = build_config(replace(SALES, config=overrides), "retail")
    assert config["max.batch.size"] == "4096"
