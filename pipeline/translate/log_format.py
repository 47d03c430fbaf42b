"""How a module's change log is read: by a decoder and an assembler for the engine that wrote it.

Enters: a module and what its declaration says. Leaves: the pair of them; the steps that come out
are the same for every engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from adapters.change_log import ChangeLog
from adapters.envelope import decode_change
from adapters.mariadb_envelope import decode_mariadb_change
from adapters.mariadb_log import MariaDBLog, MariaDBTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.change_steps import Step
    from adapters.envelope import Headers
    from adapters.log_state import LogState


class Assembler(Protocol):
    """Assembles decoded records into steps; see `adapters.change_log.ChangeLog`."""

    resume_offset: int

    def stored_state(self) -> LogState:
        """Return the state that belongs to `resume_offset`."""

    def feed(self, record: Any, offset: int, epoch: int | None) -> list[Step]:
        """Take the record at `offset`."""

    def skip(self, offset: int) -> None:
        """Pass a record that could not be decoded."""


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A decoder of records, and how to open an assembler at a state and offset."""

    decode: Callable[[bytes | None, bytes | None, Headers | None], Any]
    open: Callable[[LogState, int], Assembler]


def postgresql_format(module: str, signal_table: str | None) -> LogFormat:
    """Read the log of PostgreSQL's connector."""
    return LogFormat(
        decode_change, lambda state, offset: ChangeLog(module, state, offset, signal_table)
    )


def mariadb_format(module: str, tables: MariaDBTables) -> LogFormat:
    """Read the log of MariaDB's connector."""
    return LogFormat(
        decode_mariadb_change, lambda state, offset: MariaDBLog(module, tables, state, offset)
    )
