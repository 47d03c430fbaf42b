"""A session of the reference ERP on its database, PostgreSQL's or MariaDB's.

Enters: a URL and the schema. Leaves: an `ErpConnection`, which runs SQL that both understand; what
differs (bulk loading, the size of a stored text) has a name here. Unreachable when the server is
not there or goes away, Conflict when transactions met.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import errors, sql

from legacy_db.errors import Retriable, Unreachable
from legacy_db.keepalive import KEEPALIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager


class Rollback(Exception):  # noqa: N818 - not an error: it takes back a transaction or savepoint
    """Leaves a `transaction` and takes back what was done in it; nothing else happens."""


class Conflict(Retriable):
    """Transactions met: this one was taken back, and may be made again."""


class Answer(Protocol):
    """What a statement gave; `rowcount` counts the rows that it found or wrote."""

    @property
    def rowcount(self) -> int:
        """The number of rows."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, None behind the last."""
        ...

    def fetchall(self) -> Any:
        """Return all rows."""
        ...


class ErpConnection(Protocol):
    """A session: autocommit, but within `transaction`."""

    stored_bytes: str
    """The function that tells the size of a stored text, if it can without reading it."""

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Answer:
        """Execute one statement."""
        ...

    def execute_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for each row, in few round trips."""
        ...

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Load rows in bulk as the engine does it best, and return their number."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a transaction, or a savepoint within one; an exception takes it back."""
        ...

    def analyze(self, tables: Iterable[str]) -> None:
        """Let the planner know the tables."""
        ...

    def close(self) -> None:
        """Close the connection; an open transaction is taken back."""
        ...


class PostgreSQLErp:
    """Implements `ErpConnection` on PostgreSQL."""

    stored_bytes = "pg_column_size"

    def __init__(self, url: str, schema: str) -> None:
        try:
            self._connection = psycopg.connect(url, autocommit=True, **KEEPALIVE)
        except psycopg.OperationalError as error:
            raise Unreachable(str(error)) from error
        with self._wrapped():
            path = sql.SQL("set search_path to {}").format(sql.Identifier(schema))
            self._connection.execute(path)
            self._connection.execute("set timezone to 'UTC'")

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Answer:
        """Execute one statement."""
        with self._wrapped():
            return self._connection.execute(statement, parameters)

    def execute_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for each row, pipelined."""
        with self._wrapped(), self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Load rows by COPY."""
        statement = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self._wrapped(), self._connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
            return cursor.rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction or a savepoint."""
        try:
            with self._wrapped(), self._connection.transaction():
                yield
        except Rollback:
            return

    def analyze(self, tables: Iterable[str]) -> None:
        """Analyze; a role that does not own the tables gets only a warning."""
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        with self._wrapped():
            self._connection.execute(sql.SQL("analyze {}").format(names))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except (errors.DeadlockDetected, errors.SerializationFailure) as error:
            raise Conflict("transactions met") from error
        except (psycopg.OperationalError, errors.ReadOnlySqlTransaction) as error:
            raise Unreachable(str(error)) from error  # for who writes, a standby is not there
