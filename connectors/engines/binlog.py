"""What MariaDB and MySQL share: both are read through their binary log, as a replica would.

A server id that no other replica has, a topic that keeps the tables' definitions, DDL in the change
log, and a table by which barriers are written: the binary log takes no messages.
"""

from __future__ import annotations

import hashlib
import re
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

_SERVER_ID_MIN = 1_000_000
"""Administrators number their servers by small numbers, or by the last parts of an address."""
_SERVER_ID_MAX = 2**31


class BinlogEngine:
    """A server of the MySQL family; the database takes the place of a schema."""

    name: str
    connector_class: str
    has_schemas = False
    default_barrier_table = BARRIER_TABLE
    keeps_history = True
    fixed: tuple[Fixed, ...] = (
        *CONNECTION_FIXED,
        *HISTORY_FIXED,
        (r"database\.(include|exclude)\.list|table\.ignore\.builtin", NAMED),
        (
            r"bigint\.unsigned\.handling\.mode|binary\.handling\.mode|enable\.time\.adjuster",
            DECODED,
        ),
        (r"event\.(processing|deserialization)\.failure\.handling\.mode", DECODED),
        (r"inconsistent\.schema\.handling\.mode|gtid\.source\..*", DECODED),
    )

    def check_names(self, names: ModuleNames) -> None:
        """Accept every name: nothing in the database is named after the module."""

    def make_config(
        self, declaration: Declaration, names: ModuleNames, brokers: str
    ) -> dict[str, str]:
        """Read the binary log as a replica of its own."""
        return {
            **connect_to(declaration),
            "database.server.id": str(derive_server_id(names)),
            "database.include.list": re.escape(declaration.database),
            "table.include.list": list_tables(self, declaration),
            **keep_history(names, brokers),
            # or years below 100 would become 19xx and 20xx
            "enable.time.adjuster": "false",
            # BIGINT UNSIGNED beyond 2^63 would come out negative as a long
            "bigint.unsigned.handling.mode": "precise",
            # the one decimal that Debezium does not give as text: a JSON number, not base64
            "key.converter.decimal.format": "NUMERIC",
            "value.converter.decimal.format": "NUMERIC",
        }

    def qualify(self, declaration: Declaration, table: str) -> str:
        """Give `database.table`."""
        return f"{declaration.database}.{table}"

    def signal_name(self, declaration: Declaration, table: str) -> str:
        """Give `database.table`."""
        return self.qualify(declaration, table)


def derive_server_id(names: ModuleNames) -> int:
    """Derive the id by which the module's connector is a replica: the same after every apply.

    Two replicas of one id throw each other out; `config: {database.server.id: ...}` overrides it.
    """
    digest = hashlib.sha256(names.connector.encode()).digest()
    return _SERVER_ID_MIN + int.from_bytes(digest[:4], "big") % (_SERVER_ID_MAX - _SERVER_ID_MIN)
