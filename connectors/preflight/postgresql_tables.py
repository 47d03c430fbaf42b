"""The rules of PostgreSQL's preflight for tables: what can't be captured, or arrives otherwise.

Enters: one module's ModuleFacts. Leaves: findings, pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.preflight.finding import Finding, Weight
from connectors.quoting import name_sql, table_sql
from connectors.sizes import SNAPSHOT_ROWS_PER_S, say_bytes, say_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.preflight.postgresql_facts import ModuleFacts, ServerFacts, TableFacts


GENERATED_VERSION = 180000
"""Since then a publication can publish stored generated columns."""

_NO_TABLES = {
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
    "S": "a sequence",
    "c": "a composite type",
    "i": "an index",
    "I": "an index",
    "t": "a TOAST table",
}
_PERSISTENCE = {"u": "unlogged", "t": "temporary"}


def judge_tables(module: ModuleFacts, server: ServerFacts) -> Iterator[Finding]:
    """Judge the tables of one module."""
    for name in module.absent:
        if name not in module.own_tables:
            yield Finding(
                Weight.BLOCKER,
                "absent",
                name,
                f"module {module.module!r}: no table {name} in the legacy database",
                "it is declared: correct the declaration's tables",
                module=module.module,
            )
    for table in module.tables:
        kind = _NO_TABLES.get(table.kind)
        if kind is not None:
            yield _refuse(
                module,
                table,
                "no_table",
                what=f"is {kind}",
                why="only tables have changes in the log",
            )
            continue
        yield from _judge_logging(module, table)
        yield from _judge_identity(module, table)
        yield from _judge_rights(module, table, server)
        if table.full_name not in module.own_tables:
            yield from _judge_columns(module, table, server)
            yield from _tell_partitions(module, table)
            if not module.slot_there:
                yield _tell_size(table)


def _judge_logging(module: ModuleFacts, table: TableFacts) -> Iterator[Finding]:
    persistence = _PERSISTENCE.get(table.persistence)
    if persistence is not None:
        mend = f"alter table {_sql(table)} set logged;" if table.persistence == "u" else ""
        yield _refuse(
            module,
            table,
            "unlogged",
            what=f"is {persistence}: it cannot be captured",
            why="its changes are not in the log",
            mend=mend,
        )


def _judge_identity(module: ModuleFacts, table: TableFacts) -> Iterator[Finding]:
    if table.identified or table.name in module.keys:
        return  # apply gives a table with declared keys REPLICA IDENTITY FULL
    if table.unidentified_partitions:
        parts = table.unidentified_partitions
        mend = " ".join(f"alter table {part} replica identity full;" for part in parts)
        yield _refuse(
            module,
            table,
            "identity",
            what=f"has partitions without a replica identity: {', '.join(parts)}",
            why="once published, every UPDATE and DELETE of their rows would fail in the legacy "
            "application; the root's replica identity does not count for them",
            mend=mend,
        )
        return
    lacks = "has no primary key"
    if table.identity == "n":
        lacks = "has no replica identity (NOTHING)"
    elif table.has_key:
        lacks = "has a primary key that is deferrable or not valid: it identifies no row in the log"
    yield _refuse(
        module,
        table,
        "identity",
        what=lacks,
        why="once published, every UPDATE and DELETE of it would fail in the legacy application; "
        f"add a key, or `alter table {_sql(table)} replica identity full` and declare which "
        "columns tell its rows apart (`keys`)",
        mend=f"alter table {_sql(table)} replica identity full;",
    )


def _judge_rights(module: ModuleFacts, table: TableFacts, server: ServerFacts) -> Iterator[Finding]:
    if not table.owned:
        yield _refuse(
            module,
            table,
            "ownership",
            what=f"does not belong to role {server.owner}",
            why="only its owner, or a member of the owning role, may publish it",
            mend=f"alter table {_sql(table)} owner to {name_sql(server.owner)};",
        )
    role = module.role
    if not table.selectable and role.there:
        yield _refuse(
            module,
            table,
            "select",
            what=f"can't be read by {role.name!r}, and {server.owner} may not grant it",
            why="the snapshot reads every row with the capture role",
            mend=f"grant select on {_sql(table)} to {name_sql(role.name)};",
        )
    if table.row_security and role.there and not role.sees_all_rows:
        yield _refuse(
            module,
            table,
            "row_security",
            what=f"has row-level security, which hides rows from {role.name!r}",
            why="the snapshot would leave them out without a word, while their changes are told",
            mend=f"alter role {name_sql(role.name)} bypassrls;",
        )


def _judge_columns(
    module: ModuleFacts, table: TableFacts, server: ServerFacts
) -> Iterator[Finding]:
    for column, type_, reason, advice in table.unsupported:
        yield Finding(
            Weight.BLOCKER,
            "type",
            f"{table.full_name}.{column}",
            f"module {module.module!r}: {table.full_name}.{column} is of type {type_}, which can't "
            "be mirrored",
            f"{reason}; {advice}",
            module=module.module,
        )
    for column, type_, reason, mend in table.hazards if table.identity != "f" else ():
        yield Finding(
            Weight.WARNING,
            "array",
            f"{table.full_name}.{column}",
            f"module {module.module!r}: {table.full_name}.{column} is of type {type_}, whose large "
            "values may get lost",
            reason,
            f"{mend};",
            module=module.module,
        )
    if table.generated:
        columns = ", ".join(table.generated)
        can = server.version >= GENERATED_VERSION
        since = "unless a publication says so, which ours does not" if can else "before version 18"
        yield Finding(
            Weight.NOTICE,
            "generated",
            table.full_name,
            f"{table.full_name} has generated columns: {columns}",
            f"their values are not published {since}: they are neither mirrored nor compared; "
            "adapters compute them from the others",
        )


def _tell_partitions(module: ModuleFacts, table: TableFacts) -> Iterator[Finding]:
    if table.kind == "p":
        yield Finding(
            Weight.NOTICE,
            "partitioned",
            table.full_name,
            f"{table.full_name} is partitioned ({table.partitions} partitions)",
            "rows arrive under its own name, those of partitions made later, too; TRUNCATE, ATTACH "
            "and DETACH of a single partition are not told: delete its rows first, or reconcile",
        )
    if table.is_partition:
        yield Finding(
            Weight.WARNING,
            "partition",
            table.full_name,
            f"module {module.module!r}: {table.full_name} is a partition of another table",
            "rows that go to other partitions are not captured: declare the partitioned table",
        )
    if table.children:
        yield Finding(
            Weight.WARNING,
            "inheritance",
            table.full_name,
            f"{table.children} tables inherit from {table.full_name}",
            "a snapshot reads their rows as this table's, but their changes are not told: declare "
            "all of them, and no snapshot of this one, or make it a partitioned table",
        )


def _tell_size(table: TableFacts) -> Finding:
    meanwhile = "meanwhile the slot keeps the log, and VACUUM removes no row that is newer"
    if table.rows is None:
        return Finding(
            Weight.NOTICE,
            "snapshot",
            table.full_name,
            f"{table.full_name}: {say_bytes(table.bytes)}, never analyzed",
            f"all of its rows are read once, in a time that can't be told; {meanwhile}",
            f"analyze {_sql(table)};",
        )
    seconds = table.rows / SNAPSHOT_ROWS_PER_S
    return Finding(
        Weight.NOTICE,
        "snapshot",
        table.full_name,
        f"{table.full_name}: about {table.rows:,} rows, {say_bytes(table.bytes)}",
        f"all of them are read once, in about {say_seconds(seconds)} at {SNAPSHOT_ROWS_PER_S:,} "
        f"rows a second; {meanwhile}",
    )


def _refuse(
    module: ModuleFacts, table: TableFacts, code: str, *, what: str, why: str, mend: str = ""
) -> Finding:
    text = f"module {module.module!r}: {table.full_name} {what}"
    return Finding(Weight.BLOCKER, code, table.full_name, text, why, mend, module.module)


def _sql(table: TableFacts) -> str:
    return table_sql(table.schema, table.name)
