"""MySQL, by Debezium 3.6: declared and validated against the real plugin, not run here."""

from __future__ import annotations

from connectors.engines.binlog import BinlogEngine


class MySQL(BinlogEngine):
    """MySQL 8.0 and newer."""

    name = "mysql"
    connector_class = "io.debezium.connector.mysql.MySqlConnector"
