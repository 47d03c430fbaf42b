"""Deleting a connector with all that it left, on an engine that has no slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from connectors.declaration import Declaration
from connectors.operate import delete_with_slot
from connectors.servers import Servers
from connectors.sources.mariadb import MariaDBSource
from connectors.target import Target

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.topics import TopicAdmin
    from legacy_db.mariadb.connection import MariaDBConnection

NAME = "retail.sales"
SALES = Declaration("sales", "mariadb", "db", 3306, "erp", "c", "${env:P}", "erp", ("ord_hdr",))


class OneConnector:
    """A Connect with one connector, which has offsets."""

    def __init__(self) -> None:
        self.config: dict[str, str] | None = {"name": NAME}
        self.state = "RUNNING"
        self.has_offsets = True

    def read_config(self, _name: str) -> dict[str, str] | None:
        """Read its config; None once it is deleted."""
        return self.config

    def read_status(self, _name: str) -> dict[str, Any]:
        """Read its state; it has no task."""
        return {"connector": {"state": self.state}, "tasks": []}

    def change_state(self, _name: str, _state: str) -> None:
        """Stop it."""
        self.state = "STOPPED"

    def delete_offsets(self, _name: str) -> None:
        """Forget its offsets."""
        self.has_offsets = False

    def delete(self, _name: str) -> bool:
        """Delete it."""
        self.config = None
        return True


def test_without_slots_a_connector_is_deleted_with_its_offsets() -> None:
    """On MariaDB there is nothing else to drop: the command ends well, and says what is next."""
    connect, told = OneConnector(), list[str]()
    servers = Servers(
        cast("ConnectClient", connect),
        cast("TopicAdmin", None),
        MariaDBSource(cast("MariaDBConnection", None)),
    )
    target = Target("retail", {"sales": SALES}, "", "", "")
    delete_with_slot(servers, target, NAME, report=told.append)
    assert (connect.config, connect.has_offsets) == (None, False)
    assert [line.split()[0] for line in told] == ["deleted", "raise"]
