"""The open connections of one run of plan, apply or preflight.

Enters: a Target. Leaves: clients of Connect and Kafka, and the legacy database.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.client import ConnectClient
from connectors.errors import Configuration
from connectors.sources.opening import open_source
from connectors.sources.postgresql import PostgreSQLSource
from connectors.topics import TopicAdmin

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from connectors.sources.source import Source
    from connectors.target import Target


@dataclass(frozen=True, slots=True)
class Servers:
    """The open connections of one run."""

    connect: ConnectClient
    topics: TopicAdmin
    source: Source

    @property
    def has_slots(self) -> bool:
        """Whether the legacy database has replication slots and publications."""
        return isinstance(self.source, PostgreSQLSource)

    @property
    def owner(self) -> psycopg.Connection[Any]:
        """The owner's connection to PostgreSQL; Configuration where it is another engine."""
        if not isinstance(self.source, PostgreSQLSource):
            raise Configuration("this is possible on PostgreSQL only")
        return self.source.connection


@contextmanager
def open_servers(target: Target) -> Iterator[Servers]:
    """Connect to everything that plan and apply need."""
    source = open_source(target)
    try:
        yield Servers(
            ConnectClient(target.connect_url), TopicAdmin(target.bootstrap_servers), source
        )
    finally:
        source.close()
