"""The engines that can be declared, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.engines.mariadb import MariaDB
from connectors.engines.mysql import MySQL
from connectors.engines.oracle import Oracle
from connectors.engines.postgresql import PostgreSQL
from connectors.engines.sqlserver import SQLServer

if TYPE_CHECKING:
    from connectors.engines.engine import Engine

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (PostgreSQL(), MariaDB(), MySQL(), SQLServer(), Oracle())
}
