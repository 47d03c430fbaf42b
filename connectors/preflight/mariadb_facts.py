"""What the preflight knows of a MariaDB or MySQL server before anything is created there.

Enters: nothing. Leaves: values that connectors.preflight.mariadb_reading fills and that the rules
judge. None stands for what the owner may not see.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BinlogServer:
    """The server's settings."""

    log_bin: bool = True
    format: str = "ROW"
    row_image: str = "FULL"
    expire_s: int = 864_000
    """How long binary logs are kept; 0 is for ever."""
    compressed: bool = False
    gtid_strict: bool | None = True
    """None where the server has no such setting (MySQL)."""
    gtid_domains: int = 1
    """How many GTID domains the binary log holds transactions of."""
    server_id: int = 1
    read_only: bool = False
    filtered: str | None = ""
    """What binlog_do_db or binlog_ignore_db leave out of this database; '' when nothing."""
    relays: bool = False
    """A replica that does not log what it replays (log_slave_updates is off)."""
    replica_ids: frozenset[int] | None = frozenset()
    """The server ids of the replicas that are registered now."""
    database: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class CaptureUser:
    """The capture user: its accounts, and what all of them may do."""

    name: str
    accounts: tuple[str, ...] | None = ()
    """As `'user'@'host'`; None when the owner may not see accounts."""
    missing: tuple[str, ...] = ()
    """Privileges on the whole server that it lacks."""


@dataclass(frozen=True, slots=True)
class LongStatement:
    """A statement that runs for long; its text is never read."""

    id: int
    seconds: int


@dataclass(frozen=True, slots=True)
class BinlogTable:
    """One table that is to be captured."""

    name: str
    kind: str = "BASE TABLE"
    engine: str = "InnoDB"
    has_key: bool = True
    rows: int = 0
    bytes: int = 0
    cascades: tuple[str, ...] = ()
    """Foreign keys by which the engine itself deletes or empties rows when others are deleted."""
    update_cascades: tuple[str, ...] = ()
    """Foreign keys by which it changes rows when the keys of others are."""
    unsupported: tuple[tuple[str, str], ...] = ()
    """Columns that can't be mirrored: name, type."""
    strange_charsets: tuple[tuple[str, str], ...] = ()
    """Columns whose character set Java knows only nearly: name, character set."""


@dataclass(frozen=True, slots=True)
class BinlogModule:
    """One module's part: who reads which tables, and whether its connector is there already."""

    module: str
    schema: str
    user: CaptureUser
    tables: tuple[BinlogTable, ...]
    absent: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()
    server_id: int | None = None
    connected: bool = False
    own_tables: tuple[str, ...] = ()
    unwritable: tuple[str, ...] = ()
    """Own tables that the owner may neither make nor write to."""


@dataclass(frozen=True, slots=True)
class BinlogFacts:
    """Everything that the rules look at."""

    server: BinlogServer
    modules: tuple[BinlogModule, ...]
    statements: tuple[LongStatement, ...] | None = ()
