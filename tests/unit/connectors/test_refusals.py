"""How a refusal of the legacy database is told: by its cause, so that the exit code is right."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pymysql
import pytest
from confluent_kafka import KafkaError

from connectors.database import explained
from connectors.declaration import Declaration
from connectors.errors import Configuration, Fatal, IsthmusError, Retriable, Unreachable
from connectors.plan import Action, Change, Kind
from connectors.sources.mariadb import MariaDBSource
from connectors.sources.postgresql import PostgreSQLSource
from connectors.topic_lag import read_time_ms

if TYPE_CHECKING:
    from confluent_kafka import Message

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


class BusyServer:
    """Refuses each statement with one of MariaDB's errors."""

    def __init__(self, code: int) -> None:
        self._code = code

    def fetch(self, _statement: str, _parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Refuse as MariaDBConnection tells it."""
        cause = pymysql.err.OperationalError(self._code, "no")
        raise Retriable("the legacy database refuses a statement") from cause


@pytest.mark.parametrize(
    ("code", "family"),
    [(1205, Retriable), (1213, Retriable), (1142, Configuration), (1064, Configuration)],
)
def test_a_deadlock_is_not_a_missing_right(code: int, family: type[IsthmusError]) -> None:
    """What passes when others are done is told as such by MariaDB's source, too."""
    source = MariaDBSource(cast("MariaDBConnection", BusyServer(code)))
    signals = dataclasses.replace(SALES, config=(("signal.data.collection", "erp.sales_signal"),))
    with pytest.raises(family, match="cannot make signal of a snapshot"):
        source.write_signal(signals, "stop-snapshot", "{}")


class OwnerWithoutReplication:
    """A database with one slot, whose owner may not drop it."""

    def execute(self, query: str, _parameters: object) -> OwnerWithoutReplication:
        """Refuse to drop the slot."""
        if "pg_drop_replication_slot" in query:
            raise psycopg.errors.InsufficientPrivilege("permission denied")
        return self

    def fetchall(self) -> list[tuple[str, None]]:
        """Give the slot, which nobody reads."""
        return [("isthmus_retail_old", None)]


def test_a_slot_that_can_not_be_dropped_ends_a_removal() -> None:
    """Its topics stay: by them the next plan knows that the slot is left behind."""
    source = PostgreSQLSource(cast("psycopg.Connection[Any]", OwnerWithoutReplication()))
    change = Change(Kind.SLOT, "isthmus_retail_old", Action.REMOVE)
    with pytest.raises(Fatal, match=r"select pg_drop_replication_slot.*apply again"):
        source.drop(change, lambda _line: None)


class Answer:
    """What Kafka's client gives: a record of a time, or an error."""

    def __init__(self, code: int | None = None) -> None:
        self._code = code

    def error(self) -> KafkaError | None:
        """Give the error, if it is one."""
        return None if self._code is None else KafkaError(self._code)

    def timestamp(self) -> tuple[int, int]:
        """Give the time of a record."""
        return (1, 1_234)


def test_records_of_unknown_age_are_not_young_ones() -> None:
    """Where Kafka does not say how old the unread records are, no retention is made shorter."""
    record, end = cast("Message", Answer()), cast("Message", Answer(KafkaError._PARTITION_EOF))
    assert read_time_ms(record, "retail.sales.changes") == 1_234.0
    assert read_time_ms(end, "retail.sales.changes") is None
    for bad in (None, cast("Message", Answer(KafkaError._ALL_BROKERS_DOWN))):
        with pytest.raises(Unreachable, match=r"retail\.sales\.changes"):
            read_time_ms(bad, "retail.sales.changes")
