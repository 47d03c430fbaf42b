"""SQL Server, by Debezium 3.6: declared and validated against the real plugin, not run here.

It reads the change tables of CDC, which an administrator enables per table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.engines.engine import (
    CONNECTION_FIXED,
    DECODED,
    HISTORY_FIXED,
    NAMED,
    Fixed,
    connect_to,
    keep_history,
    list_tables,
)
from legacy_db.engine_names import BARRIER_TABLE

if TYPE_CHECKING:
    from connectors.declaration import Declaration
    from connectors.names import ModuleNames


class SQLServer:
    """SQL Server 2019 and newer; one connector reads one database."""

    name = "sqlserver"
    connector_class = "io.debezium.connector.sqlserver.SqlServerConnector"
    has_schemas = True
    default_barrier_table = BARRIER_TABLE
    keeps_history = True
    fixed: tuple[Fixed, ...] = (
        *CONNECTION_FIXED,
        *HISTORY_FIXED,
        (r"database\.names|schema\.(include|exclude)\.list", NAMED),
        (r"binary\.handling\.mode", DECODED),
    )

    def check_names(self, names: ModuleNames) -> None:
        """Accept every name: nothing in the database is named after the module."""

    def make_config(
        self, declaration: Declaration, names: ModuleNames, brokers: str
    ) -> dict[str, str]:
        """Read the change tables of one database."""
        return {
            **connect_to(declaration),
            "database.names": declaration.database,
            "table.include.list": list_tables(self, declaration),
            **keep_history(names, brokers),
        }

    def qualify(self, declaration: Declaration, table: str) -> str:
        """Give `schema.table`."""
        return f"{declaration.schema}.{table}"

    def signal_name(self, declaration: Declaration, table: str) -> str:
        """Give `database.schema.table`."""
        return f"{declaration.database}.{declaration.schema}.{table}"
