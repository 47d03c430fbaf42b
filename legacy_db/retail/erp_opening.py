"""Opens a session of the reference ERP on the engine that the URL's scheme names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_db.mariadb.connection import is_mariadb_url
from legacy_db.retail.erp_connection import PostgreSQLErp
from legacy_db.retail.erp_mariadb import MariaDBErp

if TYPE_CHECKING:
    from legacy_db.retail.erp_connection import ErpConnection


def open_erp(url: str, schema: str) -> ErpConnection:
    """Open a session; Unreachable gives the driver's reason alone, for a message of its own."""
    return MariaDBErp(url, schema) if is_mariadb_url(url) else PostgreSQLErp(url, schema)
