"""Options: a property that nobody reads is told with the nearest one that somebody reads."""

from __future__ import annotations

import pytest

from connectors.client import Validation
from connectors.options import collect_complaints, describe_unknown

TOLD = {"name", "snapshot.mode", "max.batch.size", "max.queue.size", "converters"}


def test_known_options_pass() -> None:
    """What the plugin tells, and what Kafka's clients take behind a prefix, is no complaint."""
    config = {
        "name": "shop.sales",
        "max.batch.size": "10",
        "producer.override.linger.ms": "5",
        "schema.history.internal.kafka.topic": "history",
        "schema.history.internal.consumer.security.protocol": "SSL",
        "driver.socketTimeout": "5",
        "snapshot.select.statement.overrides.erp.ord_hdr": "select 1",
        "converters": "dates, bits",
        "dates.type": "my.Dates",
        "bits.format": "text",
        "column.mask.with.5.chars": "erp.ord_hdr.memo",
    }
    assert describe_unknown(config, TOLD) == {}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("max.bacth.size", "max.batch.size"),
        ("snaphot.mode", "snapshot.mode"),
        ("producer.override.linger", "producer.override.linger.ms"),
        ("producer.override.compresion.type", "producer.override.compression.type"),
        (
            "schema.history.internal.kafka.recovery.attempt",
            "schema.history.internal.kafka.recovery.attempts",
        ),
    ],
)
def test_a_misspelt_option_is_told_with_the_nearest(name: str, nearest: str) -> None:
    """A name that nobody reads is told with the nearest known one, behind the same prefix."""
    found = describe_unknown({name: "1"}, TOLD)
    assert found == {name: f"there is no such option: did you mean {nearest}?"}


def test_free_names_are_bound_to_their_form() -> None:
    """A name of the user's own making counts only where the plugin would read it."""
    config = {"column.mask.with.five.chars": "x", "dates.type": "my.Dates"}
    assert set(describe_unknown(config, TOLD)) == set(config)


def test_connect_tells_every_override_as_known() -> None:
    """Connect gives each producer.override back as an option: only Kafka's own list counts."""
    name = "producer.override.batchsize"
    assert "producer.override.batch.size" in describe_unknown({name: "1"}, {name, *TOLD})[name]


def test_complaints_of_both_stand_side_by_side() -> None:
    """Connect's words about one property and ours about another are collected."""
    found = Validation(frozenset(TOLD), {"snapshot.mode": ["is not one of them"]})
    complaints = collect_complaints({"snapshot.mode": "x", "max.batchsize": "1"}, found)
    assert set(complaints) == {"snapshot.mode", "max.batchsize"}
    assert complaints["snapshot.mode"] == ["is not one of them"]
