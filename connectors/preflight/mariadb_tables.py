"""The rules of MariaDB's and MySQL's preflight for tables.

Enters: one module's BinlogModule. Leaves: findings, pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.preflight.finding import Finding, Weight
from connectors.sizes import SNAPSHOT_ROWS_PER_S, say_bytes, say_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.preflight.mariadb_facts import BinlogModule, BinlogTable

_TRANSACTIONAL = ("InnoDB", "RocksDB", "TokuDB")


def judge_tables(module: BinlogModule) -> Iterator[Finding]:
    """Judge the tables of one module."""
    for name in module.absent:
        yield Finding(
            Weight.BLOCKER,
            "absent",
            f"{module.schema}.{name}",
            f"module {module.module!r}: no table {module.schema}.{name} in the legacy database",
            "it is declared: correct the declaration's tables",
            module=module.module,
        )
    for name in module.unwritable:
        yield Finding(
            Weight.BLOCKER,
            "own_table",
            f"{module.schema}.{name}",
            f"module {module.module!r}: the owner may not make {module.schema}.{name}, or may not "
            "read, write and delete its rows",
            "barriers are rows of it, by which a reconciliation knows when it may look",
            f"grant create, select, insert, delete on `{module.schema}`.* to ...; -- the owner",
            module=module.module,
        )
    for table in module.tables:
        if table.name not in module.own_tables:
            yield from _judge_table(module, table)


def _judge_table(module: BinlogModule, table: BinlogTable) -> Iterator[Finding]:
    if table.kind != "BASE TABLE":
        yield _find(
            module,
            table,
            "no_table",
            what=f"is a {table.kind.lower()}",
            why="only tables have changes in the binary log",
        )
        return
    if not table.has_key and table.name not in module.keys:
        yield _find(
            module,
            table,
            "no_key",
            what="has no primary key",
            why="its rows can't be told apart: add a key, or declare which columns do it (`keys`)",
            mend=f"alter table {_sql(module, table)} add primary key (...);",
        )
    if table.cascades:
        yield _find(
            module,
            table,
            "cascade",
            what=f"is changed by foreign keys: {', '.join(table.cascades)}",
            why="rows that ON DELETE removes or empties are changed by the storage engine, and are "
            "not in the binary log: the change is lost; let the application, or a trigger, do it",
            mend=" ".join(
                f"alter table {_sql(module, table)} drop foreign key `{name.split(' ')[0]}`; "
                "-- and add it with ON DELETE RESTRICT"
                for name in table.cascades
            ),
        )
    for column, type_ in table.unsupported:
        yield Finding(
            Weight.BLOCKER,
            "type",
            f"{module.schema}.{table.name}.{column}",
            f"module {module.module!r}: {module.schema}.{table.name}.{column} is of type {type_}, "
            "which can't be mirrored",
            "leave the column out of the capture (column.exclude.list), or the table",
            module=module.module,
        )
    yield from _warn_of_table(module, table)


def _warn_of_table(module: BinlogModule, table: BinlogTable) -> Iterator[Finding]:
    name = f"{module.schema}.{table.name}"
    if table.engine not in _TRANSACTIONAL:
        yield Finding(
            Weight.WARNING,
            "storage_engine",
            name,
            f"{name} is stored by {table.engine}, which has no transactions",
            "its changes stay when the transaction around them is rolled back, and a snapshot does "
            "not see it as of one moment",
            f"alter table {_sql(module, table)} engine = InnoDB;",
        )
    if table.update_cascades:
        yield Finding(
            Weight.WARNING,
            "cascade_update",
            name,
            f"{name} follows changed keys of others: {', '.join(table.update_cascades)}",
            "rows that ON UPDATE changes are not in the binary log: a key that is ever changed "
            "there leaves the mirror with the old one",
        )
    for column, charset in table.strange_charsets:
        yield Finding(
            Weight.WARNING,
            "charset",
            f"{name}.{column}",
            f"{name}.{column} is in the character set {charset}",
            "Java has only a similar one: some letters arrive as others",
            f"alter table {_sql(module, table)} convert to character set utf8mb4;",
        )
    if not module.connected:
        seconds = table.rows / SNAPSHOT_ROWS_PER_S
        yield Finding(
            Weight.NOTICE,
            "snapshot",
            name,
            f"{name}: about {table.rows:,} rows, {say_bytes(table.bytes)}",
            f"all of them are read once, in about {say_seconds(seconds)} at "
            f"{SNAPSHOT_ROWS_PER_S:,} rows a second; it begins under a read lock on all tables, "
            "for a moment",
        )


def _find(
    module: BinlogModule, table: BinlogTable, code: str, *, what: str, why: str, mend: str = ""
) -> Finding:
    name = f"{module.schema}.{table.name}"
    text = f"module {module.module!r}: {name} {what}"
    return Finding(Weight.BLOCKER, code, name, text, why, mend, module.module)


def _sql(module: BinlogModule, table: BinlogTable) -> str:
    return f"`{module.schema}`.`{table.name}`"
