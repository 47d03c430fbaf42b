"""What comes of a change log of a real MariaDB when it is assembled and its rows are applied.

Enters: raw records. Leaves: the rows of each table by key, as a mirror would hold them, and what
is doubted; and the same of the model of the legacy database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from fidelity_log import RawRecord
from fidelity_mariadb_model import ModelMariaDB
from fidelity_mariadb_script import MODULE_TABLES

from adapters.change_steps import Doubt, SnapshotRow, SpillChunk, Transaction
from adapters.envelope import RowChange
from adapters.log_state import LogState
from adapters.mariadb_envelope import decode_mariadb_change
from adapters.mariadb_log import MariaDBLog, MariaDBTables

Rows = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


def assemble(
    records: Sequence[RawRecord], database: str, tables: Iterable[str]
) -> tuple[Rows, list[Doubt]]:
    """Assemble a whole log from its first record."""
    log = MariaDBLog("m", MariaDBTables(database, frozenset(tables)), LogState(), 0)
    rows: Rows = {table: {} for table in tables}
    doubts = []
    for offset, record in enumerate(records):
        decoded = decode_mariadb_change(record.value, record.key, None)
        for step in log.feed(decoded, offset, 1):
            if isinstance(step, SnapshotRow):
                _apply(rows, step.change)
            elif isinstance(step, (SpillChunk, Transaction)):
                for change in step.changes:
                    _apply(rows, change)
            elif isinstance(step, Doubt):
                doubts.append(step)
    return rows, doubts


def list_rows(model: ModelMariaDB) -> Rows:
    """List the rows that the model's database holds, as JSON has them."""
    return {
        name: {
            key: {
                column: str(value) if isinstance(value, Decimal) else value
                for column, value in row.items()
            }
            for key, row in model.database.tables[name].items()
        }
        for name in MODULE_TABLES
    }


def _apply(rows: Rows, change: RowChange) -> None:
    table = rows[change.table]
    if change.operation == "t":
        table.clear()
        return
    key = tuple(msgspec.json.decode(change.key or b"{}").values())
    if change.after is None:
        table.pop(key, None)
    else:
        table[key] = msgspec.json.decode(change.after)
