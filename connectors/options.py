"""Whether every property of a connector is one that somebody reads: a misspelt one does nothing.

Enters: a connector's config, and the names that Connect's validation gave back for its plugin.
Leaves: a complaint for each property that nobody knows, with the nearest name that is known. Pure.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from connectors.kafka_options import (
    ADMIN_OPTIONS,
    CONSUMER_OPTIONS,
    PRODUCER_OPTIONS,
    TOPIC_OPTIONS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connectors.client import Validation

_PREFIXED = {
    # behind these prefixes stand options of Kafka's: Connect gives every name back there, whether
    # there is such an option or not, or none
    "producer.override.": PRODUCER_OPTIONS,
    "consumer.override.": CONSUMER_OPTIONS,
    "admin.override.": ADMIN_OPTIONS,
    "schema.history.internal.producer.": PRODUCER_OPTIONS,
    "schema.history.internal.consumer.": CONSUMER_OPTIONS,
    "signal.consumer.": CONSUMER_OPTIONS,
    "topic.creation.default.": TOPIC_OPTIONS,
}
_UNTOLD = frozenset(
    # Debezium reads these in parts of its own that do not tell their options when it validates
    {
        "schema.history.internal.kafka.bootstrap.servers",
        "schema.history.internal.kafka.topic",
        "schema.history.internal.kafka.recovery.poll.interval.ms",
        "schema.history.internal.kafka.recovery.attempts",
        "schema.history.internal.kafka.query.timeout.ms",
        "schema.history.internal.kafka.create.timeout.ms",
        "signal.kafka.bootstrap.servers",
        "signal.kafka.topic",
        "signal.kafka.groupId",
        "signal.kafka.poll.timeout.ms",
        "signal.file",
        "notification.sink.topic.name",
        "unavailable.value.placeholder",  # told by PostgreSQL's and Oracle's connectors alone
        "topic.cache.size",
        "topic.delimiter",
        "topic.heartbeat.prefix",
        "topic.transaction",
    }
)
_FREE = re.compile(
    # names that are made by whoever writes them, or that somebody else's program reads
    r"driver\..+"  # of the JDBC driver
    r"|internal\..+"  # of Debezium's own, told nowhere
    r"|snapshot\.select\.statement\.overrides\..+"
    r"|column\.mask\.with\.\d+\.chars|column\.truncate\.to\.\d+\.chars"
    r"|column\.mask\.hash(\.v2)?\.[^.]+\.with\.salt\..+"
)
_ALIASED = ("converters", "post.processors")
"""Properties that list aliases, each of which is a prefix of further properties."""


def collect_complaints(config: Mapping[str, str], found: Validation) -> dict[str, list[str]]:
    """Give Connect's own words by property, and ours about properties that nobody reads."""
    unknown = {name: [words] for name, words in describe_unknown(config, found.options).items()}
    return {**unknown, **found.errors}


def describe_unknown(config: Mapping[str, str], told: Iterable[str]) -> dict[str, str]:
    """Say of each property of `config` that nobody reads which known one is the nearest.

    `told` are the names of all options, as Connect's validation of `config` gave them back.
    """
    plain = _UNTOLD.union(name for name in told if _find_prefix(name) is None)
    aliases = {
        alias.strip() for name in _ALIASED for alias in config.get(name, "").split(",") if alias
    }
    complaints = {}
    for name in config:
        prefixed = _find_prefix(name)
        known = plain if prefixed is None else {prefixed + one for one in _PREFIXED[prefixed]}
        free = _FREE.fullmatch(name) or name.partition(".")[0] in aliases
        if name not in known and not free:
            complaints[name] = f"there is no such option: did you mean {_nearest(name, known)}?"
    return complaints


def _find_prefix(name: str) -> str | None:
    """Find the prefix of a name whose rest is an option of Kafka's; None for all other names."""
    return next((prefix for prefix in _PREFIXED if name.startswith(prefix)), None)


def _nearest(name: str, known: Iterable[str]) -> str:
    return get_close_matches(name, sorted(known), n=1, cutoff=0.0)[0]
