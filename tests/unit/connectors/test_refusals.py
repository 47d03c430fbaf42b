"""How a refusal of the legacy database is told: by its cause, so that the exit code is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from connectors.database import explained
from connectors.declaration import Declaration
from connectors.errors import Configuration, Fatal, IsthmusError, Unreachable
from connectors.sources.mariadb import MariaDBSource

if TYPE_CHECKING:
    from legacy_db.mariadb.connection import MariaDBConnection

SALES = Declaration("sales", "mariadb", "db", 3306, "erp", "c", "${env:P}", "erp", ("ord_hdr",))


@pytest.mark.parametrize(
    ("error", "family"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), Unreachable),
        (psycopg.errors.AdminShutdown("terminating connection"), Unreachable),
        (psycopg.errors.LockNotAvailable("canceling statement"), Fatal),
        (psycopg.errors.InsufficientPrivilege("permission denied"), Configuration),
    ],
)
def test_a_lost_connection_is_not_a_missing_right(
    error: psycopg.Error, family: type[IsthmusError]
) -> None:
    """A database that goes away is Unreachable, a lock Fatal, a missing right Configuration."""
    with pytest.raises(family, match="grant on erp"), explained("grant on erp"):
        raise error


class Server:
    """Fills parameters in as PyMySQL does, and keeps what it was asked."""

    asked = ""

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Take a statement in which % stands for parameters."""
        self.asked = statement % tuple(parameters)
        return []


def test_a_condition_may_hold_a_percent_sign() -> None:
    """LIKE 'A%' is a condition as any other, also for MariaDB."""
    server = Server()
    source = MariaDBSource(cast("MariaDBConnection", server))
    source.check_condition(SALES, "ord_hdr", "name like 'A%'")
    assert server.asked.endswith("`erp`.`ord_hdr` where name like 'A%'")
