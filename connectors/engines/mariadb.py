"""MariaDB, tried with 10.11 and Debezium 3.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.engines.binlog import BinlogEngine

if TYPE_CHECKING:
    from connectors.declaration import Declaration
    from connectors.names import ModuleNames


class MariaDB(BinlogEngine):
    """MariaDB 10.11 and newer."""

    name = "mariadb"
    connector_class = "io.debezium.connector.mariadb.MariaDbConnector"

    def make_config(
        self, declaration: Declaration, names: ModuleNames, brokers: str
    ) -> dict[str, str]:
        """Read the binary log as a replica of its own."""
        return {
            **super().make_config(declaration, names, brokers),
            # as dates, the driver can't read the YEAR 0000, and the snapshot fails
            "driver.yearIsDateType": "false",
        }
