"""PostgreSQL: a replication slot, a publication of exactly the captured tables, pgoutput.

The write-ahead log takes messages itself (`pg_logical_emit_message`): heartbeats and barriers need
no table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.engines.engine import (
    CONNECTION_FIXED,
    DECODED,
    NAMED,
    UNCHANGED_FIXED,
    Fixed,
    connect_to,
    list_tables,
    mark_unchanged,
)
from connectors.errors import Configuration
from connectors.names import POSTGRESQL_NAME_MAX

if TYPE_CHECKING:
    from connectors.declaration import Declaration
    from connectors.names import ModuleNames


class PostgreSQL:
    """PostgreSQL 15 and newer, by Debezium 3.7."""

    name = "postgresql"
    connector_class = "io.debezium.connector.postgresql.PostgresConnector"
    has_schemas = True
    default_barrier_table = None
    keeps_history = False
    fixed: tuple[Fixed, ...] = (
        *CONNECTION_FIXED,
        *UNCHANGED_FIXED,
        (r"database\.dbname|slot\.name|publication\..*|heartbeat\.action\.query", NAMED),
        (r"schema\.(include|exclude)\.list", NAMED),
        (r"plugin\.name|publish\.via\.partition\.root", DECODED),
        (r"(interval|hstore|binary)\.handling\.mode|include\.unknown\.datatypes", DECODED),
    )

    def check_names(self, names: ModuleNames) -> None:
        """Refuse a slot's name that PostgreSQL would cut silently."""
        if len(names.slot) > POSTGRESQL_NAME_MAX:
            raise Configuration(
                f"slot name {names.slot} is longer than {POSTGRESQL_NAME_MAX} characters: shorten "
                "the site's or the module's name"
            )

    def make_config(
        self,
        declaration: Declaration,
        names: ModuleNames,
        brokers: str,  # noqa: ARG002 - PostgreSQL's log tells the tables' definitions
    ) -> dict[str, str]:
        """Read the module's publication through the module's slot."""
        prefix = declaration.heartbeat.message_prefix.replace("'", "''")
        return {
            **connect_to(declaration),
            "database.dbname": declaration.database,
            "plugin.name": "pgoutput",
            "slot.name": names.slot,
            "publication.name": names.publication,
            # ours is made with the owner's rights, so that the capture role needs none
            "publication.autocreate.mode": "disabled",
            "publish.via.partition.root": "true",
            "table.include.list": list_tables(self, declaration),
            **mark_unchanged(),
            # the forms of values that lose nothing: docs/types.md
            "interval.handling.mode": "string",
            "hstore.handling.mode": "json",
            # or a column of a type that Debezium does not know would be null in every change
            "include.unknown.datatypes": "true",
            # a message outside transactions can be lost when a connector starts again behind an
            # END, and what follows it links to it all the same: the log would seem to have a hole
            "heartbeat.action.query": (
                f"select pg_logical_emit_message(true, '{prefix}', now()::text)"
            ),
        }

    def qualify(self, declaration: Declaration, table: str) -> str:
        """Give `schema.table`."""
        return f"{declaration.schema}.{table}"

    def signal_name(self, declaration: Declaration, table: str) -> str:
        """Give `schema.table`."""
        return self.qualify(declaration, table)
