"""A session of the reference ERP on MariaDB; see legacy_db.retail.erp_connection.

Enters: a URL and the database's name. Leaves: `MariaDBErp`, in UTC, with quoted identifiers as in
PostgreSQL; a statement that waited too long for a lock is a Conflict, as a deadlock is.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT

from legacy_db.errors import Unreachable
from legacy_db.mariadb.connection import (
    CONNECT_SECONDS_MAX,
    GONE,
    READ_SECONDS_MAX,
    WRITE_SECONDS_MAX,
    explain,
    parse_url,
)
from legacy_db.retail.erp_connection import Conflict, Rollback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from legacy_db.retail.erp_connection import Answer

MET = frozenset({1020, 1205, 1213})
"""Codes of transactions that met: a row changed meanwhile, a lock waited for, a deadlock."""
_SESSION = "set session time_zone = '+00:00', session sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES'"


class MariaDBErp:
    """Implements `ErpConnection` on MariaDB; READ COMMITTED, as PostgreSQL is by default."""

    stored_bytes = "octet_length"

    def __init__(self, url: str, schema: str) -> None:
        arguments = {**parse_url(url), "database": schema}
        try:
            self._connection = pymysql.connect(
                **arguments,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=CONNECT_SECONDS_MAX,
                read_timeout=READ_SECONDS_MAX,
                write_timeout=WRITE_SECONDS_MAX,
                # an UPDATE counts the rows that it finds, changed or not
                client_flag=CLIENT.FOUND_ROWS,
                init_command=_SESSION,
            )
        except pymysql.MySQLError as error:
            raise Unreachable(explain(error)) from error
        self._depth = 0
        self.execute("set session transaction isolation level read committed")

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Answer:
        """Execute one statement."""
        with self._wrapped():
            cursor = self._connection.cursor()
            cursor.execute(statement, tuple(parameters))
            answer: Answer = cursor
            return answer

    def execute_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for each row; an INSERT takes many rows at once."""
        with self._wrapped(), self._connection.cursor() as cursor:
            cursor.executemany(statement, [tuple(row) for row in rows])

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Load rows by INSERTs of many rows: LOAD DATA LOCAL is switched off on most servers."""
        given = [tuple(row) for row in rows]
        names = ", ".join(f'"{name}"' for name in columns)
        places = ", ".join(["%s"] * len(columns))
        self.execute_many(f'insert into "{table}" ({names}) values ({places})', given)
        return len(given)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction, or a savepoint within one."""
        depth = self._depth
        self.execute(f"savepoint level_{depth}" if depth else "begin")
        self._depth = depth + 1
        try:
            yield
            if not depth:
                self.execute("commit")
        except Unreachable:
            raise
        except BaseException as error:
            self._take_back(depth, error)
            if not isinstance(error, Rollback):
                raise
        finally:
            self._depth = depth

    def analyze(self, tables: Iterable[str]) -> None:
        """Let the optimizer know the tables."""
        names = ", ".join(f'"{name}"' for name in tables)
        self.execute(f"analyze table {names}")

    def close(self) -> None:
        """Close the connection."""
        if self._connection.open:
            self._connection.close()

    def _take_back(self, depth: int, error: BaseException) -> None:
        """Take back what was done since the beginning; a deadlock has taken back everything."""
        if not depth:
            self.execute("rollback")
        elif not isinstance(error, Conflict):
            self.execute(f"rollback to savepoint level_{depth}")

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args else 0
            if code in MET:
                raise Conflict(explain(error)) from error
            if code in GONE:
                raise Unreachable(explain(error)) from error
            raise
