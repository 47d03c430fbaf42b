"""A site whose legacy database is a real MariaDB: every table is told as it is.

Enters: a folder, the stack's variables, a server and a Connect worker. Leaves: a site written by
hand (site file, one declaration, a package of identity adapters) and its running processes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient
from live_site import WAIT_SECONDS_MAX, LiveSite
from mariadb_connect import MariaDBConnect
from mariadb_server import USER, MariaDBServer, MariaDBSession

from adapters.identity import write_site_package
from connectors.names import ModuleNames
from legacy_db.database import open_legacy_database
from pipeline.demo.landscape import apply_connectors, migrate_targets, register_site_contracts
from pipeline.local_stack.ports import HOST
from pipeline.settings import SITE_FILE, STACK_STATE_FILE, STATE_FOLDER

MODULE = "shop"
KAFKA_SECONDS_MAX = 30
PASSWORD = "ISTHMUS_CAPTURE_PASSWORD"
BARRIER_DDL = (
    "create table isthmus_barrier (id varchar(36) primary key, "
    "written_at timestamp not null default current_timestamp)"
)
_SITE = """
[site]
name = "{name}"
connectors = "connectors"
adapters = "{package}"
contracts = "{package}/contracts"
store_migrations = "{package}/store_migrations"
[kafka]
bootstrap_servers = "${{ISTHMUS_KAFKA}}"
event_partitions = 2
[connect]
url = "${{ISTHMUS_CONNECT_URL}}"
[registry]
url = "${{ISTHMUS_REGISTRY_URL}}"
[hub]
url = "${{ISTHMUS_HUB_URL}}"
[legacy]
engine = "mariadb"
schema = "{database}"
url = "{url}"
owner_url = "{url}"
[regions.eu]
url = "${{ISTHMUS_STORE_EU_URL}}"
[regions.us]
url = "${{ISTHMUS_STORE_US_URL}}"
"""
_DECLARATION = """
module: {module}
engine: mariadb
host: {host}
port: {port}
database: {database}
user: {user}
password: ${{env:{password}}}
tables: [{tables}]
epoch: 1
config:
  database.ssl.mode: disable
{config}
"""


class MariaDBSite(LiveSite):
    """The site; `ddl` makes its tables, all of which are captured."""

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        server: MariaDBServer,
        connect: MariaDBConnect,
        *,
        name: str,
        ddl: tuple[str, ...],
        config: Mapping[str, str] | None = None,
        wait_seconds_max: float = WAIT_SECONDS_MAX,
    ) -> None:
        self.server, self.connect, self.database = server, connect, name
        with closing(server.open_session()) as admin:
            admin.execute(f"create database {name} character set utf8mb4")
        self.owner = server.open_session(name)
        for statement in (BARRIER_DDL, *ddl):
            self.owner.execute(statement)
        url = f"mysql://{USER}:{server.password}@{HOST}:{server.port}/{name}"
        package = f"{name}_adapters"
        with closing(open_legacy_database("mariadb", url)) as legacy:
            self.tables = [one for one in legacy.list_tables(name) if one != "isthmus_barrier"]
            definitions = legacy.read_tables(name, self.tables)
        write_site_package(folder / package, name, {MODULE: tuple(definitions.values())})
        (folder / SITE_FILE).write_text(
            _SITE.format(name=name, package=package, database=name, url=url)
        )
        (folder / "connectors").mkdir()
        (folder / "connectors" / "shop.yaml").write_text(
            _DECLARATION.format(
                module=MODULE, host=HOST, port=server.port, database=name, user=USER,
                password=PASSWORD, tables=", ".join(self.tables),
                config="".join(f"  {key}: {value}\n" for key, value in (config or {}).items()),
            )
        )  # fmt: skip
        (folder / STATE_FOLDER).mkdir()
        own = {**variables, "ISTHMUS_CONNECT_URL": connect.url}
        (folder / STATE_FOLDER / STACK_STATE_FILE).write_text(json.dumps({"variables": own}))
        super().__init__(folder, modules=(MODULE,), wait_seconds_max=wait_seconds_max)

    def set_up(self) -> None:
        """Migrate the targets, register contracts and connectors."""
        migrate_targets(self.settings, _ignore)
        register_site_contracts(self.settings, _ignore)
        apply_connectors(self.settings, _ignore)

    def session(self) -> MariaDBSession:
        """Open another client of the legacy database."""
        return self.server.open_session(self.database)

    def legacy(self, *statements: str) -> None:
        """Run statements in one transaction of the legacy application's owner."""
        for statement in ("begin", *statements, "commit"):
            self.owner.execute(statement)

    def write_barrier(self, barrier: str) -> None:
        """Write a barrier as the reconciliation does: by a row."""
        self.owner.execute(f"insert into isthmus_barrier (id) values ('{barrier}')")

    def reconcile(self) -> Any:
        """Compare legacy database, mirror and both regions; return exit code and document."""
        return self.run_json("reconcile")

    def check_whole(self) -> None:
        """Assert that legacy database, mirror and both regions are equal, and nothing doubled."""
        self.wait_for_quiet()
        code, document = self.reconcile()
        findings = [one for one in document["tables"] if one["state"] != "MATCH"]
        assert code == 0, json.dumps(findings)
        assert "doubts" not in document
        assert len(document["tables"]) == len(self.tables) * 3
        doubled = "select id from hub.event where kind <> 3 group by id having count(*) > 1"
        assert self.hub(doubled) == []
        gaps = "select 1 from hub.event having count(*) <> max(number)"
        assert self.hub(gaps) == []
        assert self.hub("select reason from hub.dead_letter where state = 'open'") == []

    def close(self) -> None:
        """End the processes, remove the connector and the topics; the server ends by itself."""
        self.end()
        name = self.settings.site
        self.connect.ask("DELETE", f"/{ModuleNames(name, MODULE).connector}")
        client = AdminClient({"bootstrap.servers": self.settings.bootstrap_servers})
        topics = client.list_topics(timeout=KAFKA_SECONDS_MAX).topics
        mine = [topic for topic in topics if topic.startswith(f"{name}.")]
        for future in client.delete_topics(mine, operation_timeout=KAFKA_SECONDS_MAX).values():
            future.result(timeout=KAFKA_SECONDS_MAX)
        self.owner.close()


def _ignore(message: str) -> None:
    del message
