"""Connects to MariaDB or MySQL and executes statements there.

Enters: a URL, `mysql://user:password@host:port/database`. Leaves: a `MariaDBConnection` in UTC,
whose values print the same on every server; Unreachable and Retriable say what failed.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
from pymysql.cursors import SSCursor

from legacy_db.errors import Configuration, Retriable, Unreachable
from legacy_db.keepalive import KEEPALIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMES = ("mysql", "mariadb")
PORT = 3306
_EXPECTED = (
    "the legacy database's URL must be mysql://user:password@host:port/database, with what has a "
    "meaning in URLs as %XX"
)
CONNECT_SECONDS_MAX = 10
READ_SECONDS_MAX = 600
"""Of one statement: a chunk of a table whose key no index serves takes its time."""
WRITE_SECONDS_MAX = 60
"""Of sending a statement: a server that is there reads it at once, however long it computes."""
GONE = frozenset({1927, 2003, 2006, 2013, 2055})
"""Codes of a connection that is lost: killed, refused, gone away, lost during a query."""

PASSING = frozenset({1020, 1205, 1213, 1317, 1969, 3024, 3572})
"""Codes of what passes: a row changed meanwhile, lock wait timeout, deadlock, interrupted, too long
(MariaDB, MySQL), a lock that was not waited for."""

_TCP_OPTIONS: dict[
    str, Literal["keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"]
] = {
    "TCP_KEEPIDLE": "keepalives_idle",
    "TCP_KEEPINTVL": "keepalives_interval",
    "TCP_KEEPCNT": "keepalives_count",
    "TCP_USER_TIMEOUT": "tcp_user_timeout",
}
"""The options of a socket that do what libpq does by its settings."""

_SESSION = (
    "set session time_zone = '+00:00', session sql_mode = '', session max_sort_length = 16384"
)
"""What a value's text depends on, and how much of a key is sorted by: all of it."""


def parse_url(url: str) -> dict[str, Any]:
    """Return PyMySQL's arguments; Configuration for a URL that is none of MariaDB's.

    `?ssl_ca=FILE` asks for encryption, and for a server with a certificate of that authority.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
    except ValueError:  # its message would show the password
        raise Configuration(_EXPECTED) from None
    database = unquote(parts.path.removeprefix("/"))
    user = unquote(parts.username or "")
    if parts.scheme not in SCHEMES or not all((parts.hostname, user, database)):
        raise Configuration(_EXPECTED)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = options.keys() - {"ssl_ca"}
    if unknown:
        raise Configuration(
            f"the legacy database's URL has the option {', '.join(sorted(unknown))}: "
            "the only one known is ssl_ca"
        )
    return {
        "host": parts.hostname,
        "port": port,
        "user": user,
        "password": unquote(parts.password or ""),
        "database": database,
        **options,
    }


def is_mariadb_url(url: str) -> bool:
    """Tell whether the URL's scheme is MariaDB's or MySQL's."""
    return url.partition("://")[0].lower() in SCHEMES


class MariaDBConnection:
    """An autocommit connection; close it."""

    def __init__(self, url: str) -> None:
        arguments = parse_url(url)
        self.database: str = arguments["database"]
        self._place = f"{arguments['host']}:{arguments['port']}/{self.database}"
        try:
            self._connection = pymysql.connect(
                **arguments,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=CONNECT_SECONDS_MAX,
                read_timeout=CONNECT_SECONDS_MAX,
                write_timeout=WRITE_SECONDS_MAX,
                init_command=_SESSION,
                defer_connect=True,
            )
            self._connection.connect(_open_socket(arguments["host"], arguments["port"]))
            # a server that hangs takes connections and greets nobody; statements may take longer
            timeout = "_read_timeout"  # its only name
            setattr(self._connection, timeout, READ_SECONDS_MAX)
        except (pymysql.MySQLError, OSError) as error:
            raise Unreachable(
                f"can't reach the legacy database {self._place} as {arguments['user']} "
                f"({explain(error)}): is it running, and is [legacy] url right?"
            ) from error

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute a statement and return all its rows."""
        with self._wrapped(), self._connection.cursor() as cursor:
            cursor.execute(statement, tuple(parameters))
            return list(cursor.fetchall())

    def stream(self, statement: str, rows_max: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield a statement's rows as the server sends them; nothing else runs meanwhile."""
        with self._wrapped(), self._connection.cursor(SSCursor) as cursor:
            cursor.execute(statement, ())
            while rows := cursor.fetchmany(rows_max):
                yield list(rows)

    def close(self) -> None:
        """Close the connection; one that is lost already is no error."""
        if self._connection.open:
            self._connection.close()

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except pymysql.MySQLError as error:
            if error.args and error.args[0] in GONE:
                raise Unreachable(
                    f"the legacy database {self._place} went away ({explain(error)}): see its log"
                ) from error
            raise Retriable(
                f"the legacy database {self._place} refuses a statement: {explain(error)}"
            ) from error


def _open_socket(host: str, port: int) -> socket.socket:
    """Open a socket that notices a machine that is gone, also while a statement runs for long."""
    opened = socket.create_connection((host, port), CONNECT_SECONDS_MAX)
    opened.settimeout(None)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, setting in _TCP_OPTIONS.items():
        option = getattr(socket, name, None)  # macOS lacks some
        if option is not None:
            opened.setsockopt(socket.IPPROTO_TCP, option, KEEPALIVE[setting])
    return opened


def is_passing(error: Retriable) -> bool:
    """Tell whether what the server refused may succeed as it is, once others are done."""
    cause = error.__cause__
    return isinstance(cause, pymysql.MySQLError) and bool(cause.args) and cause.args[0] in PASSING


def explain(error: Exception) -> str:
    """Return an error's code and the first line of its message."""
    lines = str(error.args[-1] if error.args else error).strip().splitlines() or [""]
    code = f" (error {error.args[0]})" if len(error.args) > 1 else ""
    return f"{lines[0] or type(error).__name__}{code}"
