"""What the preflight knows of a PostgreSQL database before anything is created there.

Enters: nothing. Leaves: values that connectors.preflight.postgresql_reading fills and that the
rules judge.
"""

from __future__ import annotations

from dataclasses import dataclass

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class SlotCost:
    """A replication slot that is there, and how much log it holds back."""

    name: str
    database: str
    active: bool
    retained_bytes: int
    failover: bool = False


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server's settings and what is left of its places."""

    version: int
    """As PostgreSQL numbers itself: 180004 is 18.4."""
    wal_level: str = "logical"
    slots_max: int = 10
    senders_max: int = 10
    senders_used: int = 0
    slot_keep_mb: int = UNLIMITED
    idle_slot_timeout_s: int = 0
    encoding: str = "UTF8"
    in_recovery: bool = False
    wal_bytes_per_s: float | None = None
    slots: tuple[SlotCost, ...] = ()
    database: str = ""
    owner: str = ""
    may_create: bool = True
    """Whether the owner may create publications in this database."""
    hba_refuses: bool | None = None
    """Whether no rule of pg_hba.conf lets the capture role in over TCP; None: can't be read."""
    sees_all_sessions: bool = True
    synchronized_slots: tuple[str, ...] = ()
    """Physical slots that failover slots never run ahead of (synchronized_standby_slots)."""


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """The capture role."""

    name: str
    there: bool = True
    may_login: bool = True
    may_replicate: bool = True
    sees_all_rows: bool = True
    """Superuser or BYPASSRLS."""
    expired: bool = False
    may_connect: bool = True
    may_emit: bool = True
    """Whether it may write messages into the log: heartbeats."""
    timeouts: tuple[str, ...] = ()
    """Time limits that are set for it, as `statement_timeout=30s`."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that has written something and is still open; None where it is not shown."""

    pid: int | None
    application: str
    age_s: float | None
    database: str | None
    prepared: str | None = None
    """The name of a prepared transaction, which has no session."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table that is to be captured, or that Debezium writes its signals to."""

    schema: str
    name: str
    kind: str = "r"
    """pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table."""
    persistence: str = "p"
    identity: str = "d"
    """pg_class.relreplident: d default, n nothing, f full, i index."""
    has_key: bool = True
    identified: bool = True
    """Whether UPDATE and DELETE of it (or of each partition) can be published."""
    unidentified_partitions: tuple[str, ...] = ()
    row_security: bool = False
    is_partition: bool = False
    partitions: int = 0
    children: int = 0
    """Tables that inherit from it the old way."""
    rows: int | None = 0
    """As last counted by ANALYZE; None when it never was."""
    bytes: int = 0
    owned: bool = True
    """Whether the owner's URL may publish it: by owning it."""
    selectable: bool = True
    """Whether the capture role may read it already, or the owner may let it."""
    generated: tuple[str, ...] = ()
    unsupported: tuple[tuple[str, str, str, str], ...] = ()
    """Columns that can't be mirrored: name, type, reason, advice."""
    hazards: tuple[tuple[str, str, str, str], ...] = ()
    """Columns whose large values get lost unless the replica identity is full: the same."""

    @property
    def full_name(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """One module's part: who reads which tables, and whether it begins anew."""

    module: str
    role: RoleFacts
    tables: tuple[TableFacts, ...]
    absent: tuple[str, ...] = ()
    """Declared tables that are not there, as `schema.table`."""
    slot_there: bool = False
    keys: frozenset[str] = frozenset()
    """Tables for which the declaration states a key: these get REPLICA IDENTITY FULL."""
    own_tables: frozenset[str] = frozenset()
    """Tables that are Isthmus's and Debezium's own: made when they are not there."""
    slot: str = ""
    failover: bool = False
    """Whether its slot is declared to be a failover slot."""


@dataclass(frozen=True, slots=True)
class PostgreSQLFacts:
    """Everything that the rules look at."""

    server: ServerFacts
    modules: tuple[ModuleFacts, ...]
    transactions: tuple[OpenTransaction, ...] = ()
