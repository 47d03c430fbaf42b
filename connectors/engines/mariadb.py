"""MariaDB, tried with 10.11 and Debezium 3.5."""

from __future__ import annotations

from connectors.engines.binlog import BinlogEngine


class MariaDB(BinlogEngine):
    """MariaDB 10.11 and newer."""

    name = "mariadb"
    connector_class = "io.debezium.connector.mariadb.MariaDbConnector"
