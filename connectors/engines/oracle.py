"""Oracle, by Debezium 3.6: declared and validated against the real plugin, not run here.

LogMiner is used; Oracle's driver is not Debezium's to give away and must be put beside the plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.engines.engine import (
    CONNECTION_FIXED,
    DECODED,
    HISTORY_FIXED,
    NAMED,
    UNCHANGED_FIXED,
    Fixed,
    connect_to,
    keep_history,
    list_tables,
    mark_unchanged,
)
from legacy_db.engine_names import BARRIER_TABLE

if TYPE_CHECKING:
    from connectors.declaration import Declaration
    from connectors.names import ModuleNames

_PDB = "database.pdb.name"


class Oracle:
    """Oracle 19c and newer; `config: {database.pdb.name: ...}` names a pluggable database."""

    name = "oracle"
    connector_class = "io.debezium.connector.oracle.OracleConnector"
    has_schemas = True
    default_barrier_table = BARRIER_TABLE.upper()
    keeps_history = True
    fixed: tuple[Fixed, ...] = (
        *CONNECTION_FIXED,
        *UNCHANGED_FIXED,
        *HISTORY_FIXED,
        (r"database\.(dbname|url)|schema\.(include|exclude)\.list", NAMED),
        (r"binary\.handling\.mode|interval\.handling\.mode|legacy\..*", DECODED),
    )

    def check_names(self, names: ModuleNames) -> None:
        """Accept every name: nothing in the database is named after the module."""

    def make_config(
        self, declaration: Declaration, names: ModuleNames, brokers: str
    ) -> dict[str, str]:
        """Mine the redo log of one database."""
        return {
            **connect_to(declaration),
            "database.dbname": declaration.database,
            "table.include.list": list_tables(self, declaration),
            **keep_history(names, brokers),
            **mark_unchanged(),
            "interval.handling.mode": "string",
        }

    def qualify(self, declaration: Declaration, table: str) -> str:
        """Give `SCHEMA.TABLE`."""
        return f"{declaration.schema}.{table}"

    def signal_name(self, declaration: Declaration, table: str) -> str:
        """Give `DATABASE.SCHEMA.TABLE`, the database being the pluggable one where one is named."""
        database = dict(declaration.config).get(_PDB, declaration.database)
        return f"{database}.{declaration.schema}.{table}"
