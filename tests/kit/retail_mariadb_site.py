"""The retail site with its legacy system on a real MariaDB.

Enters: a folder, the stack's variables, a server and a Connect worker. Leaves: a `LiveSite` whose
declarations are the repository's, of engine mariadb.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
from live_site import MODULES, REPOSITORY, LiveSite
from mariadb_connect import MariaDBConnect
from mariadb_server import USER, MariaDBServer
from retail_mariadb_queries import MARIADB_REGION_QUERIES

from legacy_db.mariadb.connection import parse_url
from pipeline.local_stack.ports import HOST
from pipeline.settings import SITE_FILE, STACK_STATE_FILE, STATE_FOLDER

CAPTURE_PASSWORD = "ISTHMUS_CAPTURE_PASSWORD"


class RetailMariaDBSite(LiveSite):
    """The site; `name` is also the database's."""

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        server: MariaDBServer,
        connect: MariaDBConnect,
        *,
        name: str,
        orders: int,
    ) -> None:
        self.database = name
        with closing(server.open_session()) as admin:
            admin.execute(f"create database {name} character set utf8mb4")
        url = server.url(name)
        own = {
            **variables,
            "ISTHMUS_CONNECT_URL": connect.url,
            "ISTHMUS_LEGACY_URL": url,
            "ISTHMUS_LEGACY_OWNER_URL": url,
            "ISTHMUS_LEGACY_APP_URL": url,
            "ISTHMUS_CAPTURE_HOST": HOST,
            "ISTHMUS_CAPTURE_PORT": str(server.port),
            "ISTHMUS_CAPTURE_DATABASE": name,
            "ISTHMUS_CAPTURE_USER": USER,
        }
        (folder / STATE_FOLDER).mkdir()
        (folder / STATE_FOLDER / STACK_STATE_FILE).write_text(json.dumps({"variables": own}))
        _write_site(folder, name)
        super().__init__(folder, orders=orders)

    def legacy(self, *statements: str) -> None:
        """Run statements in one transaction of the legacy application."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    def query_legacy(self, statement: str) -> list[tuple[Any, ...]]:
        """Query the legacy database; its moments are UTC."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return [tuple(map(_with_zone, row)) for row in cursor.fetchall()]

    def write_barrier(self, barrier: str) -> None:
        """Write a barrier as the reconciliation does: by a row."""
        self.legacy(f"insert into isthmus_barrier values ('{barrier}', utc_timestamp())")

    def differences(self) -> list[tuple[str, str, tuple[Any, ...]]]:
        """Compare every region with the hand-written queries: (region, table, row on one side)."""
        found = []
        for table, query in MARIADB_REGION_QUERIES.items():
            expected = set(self.query_legacy(query.format(db=self.database)))
            for region in self.settings.regions:
                stored = set(self.store(region, f"select * from {table}"))
                found += [(region, table, row) for row in expected ^ stored]
        return found

    def _connect(self) -> Any:
        url = parse_url(self.settings.legacy.owner_url)
        return pymysql.connect(**url, charset="utf8mb4", init_command="set time_zone = '+00:00'")


def _write_site(folder: Path, name: str) -> None:
    text = (REPOSITORY / SITE_FILE).read_text()
    text = re.sub(r'(?m)^name = ".*"$', f'name = "{name}"', text)
    for key in ("contracts", "store_migrations"):
        text = re.sub(rf'(?m)^{key} = "(.*)"$', rf'{key} = "{REPOSITORY}/\1"', text)
    text = text.replace('"connectors/retail"', '"connectors"')
    text = text.replace(
        'engine = "postgresql"\nschema = "erp"', f'engine = "mariadb"\nschema = "{name}"'
    )
    (folder / SITE_FILE).write_text(text)
    (folder / "connectors").mkdir()
    for module in MODULES:
        declared = (REPOSITORY / "connectors" / "retail" / f"{module}.yaml").read_text()
        declared = declared.replace("engine: postgresql", "engine: mariadb")
        declared = declared.replace("schema: erp\n", "")
        declared += "config:\n  database.ssl.mode: disable\n"
        (folder / "connectors" / f"{module}.yaml").write_text(declared)


def _with_zone(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
