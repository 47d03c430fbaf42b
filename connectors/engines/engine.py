"""What an engine adds to the one kind of connector: how to connect, what to read, what it limits.

Enters: a Declaration. Leaves: the engine's part of Connect's config, and the properties in it that
no override may change. What all engines have in common stands in connectors.config.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from connectors.declaration import Declaration
    from connectors.names import ModuleNames

NAMED = "Isthmus derives it from the declaration"
DECODED = "the decoder of the change log relies on it"
UNAVAILABLE_VALUE = "__isthmus_unavailable_value__"

Fixed = tuple[str, str]
"""A pattern of a property's whole name, and why no override may change it."""


class Engine(Protocol):
    """One kind of legacy database."""

    @property
    def name(self) -> str:
        """What a declaration calls it."""

    @property
    def connector_class(self) -> str:
        """Debezium's connector for it."""

    @property
    def has_schemas(self) -> bool:
        """Tell whether tables stand in schemas, or directly in the database."""

    @property
    def default_barrier_table(self) -> str | None:
        """The table by which barriers are written; None where the log takes messages itself."""

    @property
    def keeps_history(self) -> bool:
        """Tell whether the connector keeps the tables' definitions in a topic of its own."""

    @property
    def fixed(self) -> tuple[Fixed, ...]:
        """The engine's properties that no override may change."""

    def check_names(self, names: ModuleNames) -> None:
        """Raise Configuration when the engine can't take a name that is derived for the module."""

    def make_config(
        self, declaration: Declaration, names: ModuleNames, brokers: str
    ) -> dict[str, str]:
        """Make the engine's part of the config; `brokers` are Kafka's, as Connect reaches them."""

    def qualify(self, declaration: Declaration, table: str) -> str:
        """Give a table's name as the connector's lists of tables have it."""

    def signal_name(self, declaration: Declaration, table: str) -> str:
        """Give a table's name as `signal.data.collection` has it."""


def connect_to(declaration: Declaration) -> dict[str, str]:
    """Say where the server is and who captures: the same properties for every engine."""
    return {
        "database.hostname": declaration.host,
        "database.port": str(declaration.port),
        "database.user": declaration.user,
        "database.password": declaration.password,
    }


def list_tables(engine: Engine, declaration: Declaration) -> str:
    """Give the captured tables as a list of regular expressions that match nothing else."""
    names = (engine.qualify(declaration, table) for table in declaration.captured)
    return ",".join(re.escape(name) for name in names)


def keep_history(names: ModuleNames, brokers: str) -> dict[str, str]:
    """Keep the tables' definitions in the module's own topic, and tell DDL in the change log."""
    return {
        "schema.history.internal.kafka.bootstrap.servers": brokers,
        "schema.history.internal.kafka.topic": names.history,
        "include.schema.changes": "true",
    }


def mark_unchanged() -> dict[str, str]:
    """Say what stands for an unchanged value that the log does not hold."""
    return {"unavailable.value.placeholder": UNAVAILABLE_VALUE}


UNCHANGED_FIXED: tuple[Fixed, ...] = ((r"unavailable\.value\.placeholder", DECODED),)
HISTORY_FIXED: tuple[Fixed, ...] = (
    (r"schema\.history\.internal(\.kafka\.topic|\.store\.only\..*)?", NAMED),
    (r"include\.schema\.changes", DECODED),
)
CONNECTION_FIXED: tuple[Fixed, ...] = ((r"database\.(hostname|port|user|password)", NAMED),)
