"""How a mirror table follows the definition of its legacy table.

Enters: a definition. Leaves: the mirror table with its columns, types and key, what was done, and
what only a new snapshot of the table can make right. A column is known by the number that the
legacy catalogue gives it (attnum), kept as a comment on the mirror's column.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import sql

from legacy_db.column_change import keeps_values
from legacy_db.key_range import type_sql
from legacy_db.supported_types import stored_type
from pipeline.errors import Configuration, Fatal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from legacy_db.definition import Column, Table

SCHEMA = "mirror"
MARKS = ("_epoch", "_lsn", "_snapshot")
"""Added to the legacy columns: the position of a row's last change and the snapshot that saw it."""
NAME_MAX = 63
_COMMENT = "legacy column "
_AGAIN = "take a snapshot of the table again (isthmus connectors snapshot {table}), then reconcile"


class _Present(NamedTuple):
    """A column that the mirror has; the legacy column's facts are None where no comment tells."""

    type: str
    attnum: int | None
    legacy_type: str | None


@dataclass(slots=True)
class Following:
    """What was done to a mirror table; `doubts` say what rows in it may not hold any more."""

    done: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def follow_table(
    connection: psycopg.Connection[Any], table: Table, indexes: Iterable[tuple[str, ...]]
) -> Following:
    """Create or alter a mirror table so that it has the definition's columns, types and key.

    A renamed column keeps its values, a dropped one goes, an added one gets what the legacy
    database gives its older rows. `indexes` are the columns by which adapters look rows up, made
    unless the primary key begins with them. Fatal where values or keys can't follow.
    """
    following = Following()
    present = _read_columns(connection, table.name)
    if not present:
        connection.execute(_create(table))
        following.done.append(f"created {SCHEMA}.{table.name}")
    else:
        try:
            _follow(connection, table, present, following)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
            if not error.sqlstate:
                raise
            raise Fatal(
                f"{SCHEMA}.{table.name} can't follow the legacy table's new definition "
                f"({error.diag.message_primary}): drop {SCHEMA}.{table.name} in the hub, start "
                f"again, and {_AGAIN.format(table=table.name)}"
            ) from error
    _number(connection, table, present)
    names = {column.name for column in table.columns}
    for columns in indexes:
        if absent := sorted(set(columns) - names):
            raise Configuration(
                f"an adapter looks rows of {table.schema}.{table.name} up by {', '.join(absent)}, "
                "which the table does not have: was it renamed or dropped? Correct the adapter"
            )
        if table.key[: len(columns)] != columns:
            connection.execute(
                sql.SQL("create index if not exists {} on {} ({})").format(
                    sql.Identifier(short_name(f"{table.name}_by_{'_'.join(columns)}")),
                    _name(table),
                    _identifiers(columns),
                )
            )
    return following


def has_mirror(connection: psycopg.Connection[Any], table: Table) -> bool:
    """Say whether a table has a mirror already."""
    return bool(_read_columns(connection, table.name))


def short_name(name: str) -> str:
    """Shorten a name to what PostgreSQL takes, so that different names stay different."""
    if len(name.encode()) <= NAME_MAX:
        return name
    digest = blake2b(name.encode(), digest_size=5).hexdigest()
    return f"{name.encode()[: NAME_MAX - 11].decode(errors='ignore')}_{digest}"


def _create(table: Table) -> sql.Composed:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), type_sql(stored_type(column.type)))
        for column in table.columns
    ]
    columns += [sql.SQL("{} bigint not null default 0").format(sql.Identifier(m)) for m in MARKS]
    return sql.SQL("create table {} ({}, primary key ({}))").format(
        _name(table), sql.SQL(", ").join(columns), _identifiers(table.key)
    )


def _follow(
    connection: psycopg.Connection[Any],
    table: Table,
    present: dict[str, _Present],
    following: Following,
) -> None:
    where = f"{SCHEMA}.{table.name}"
    survivors = find_survivors(table, {name: one.attnum for name, one in present.items()})
    dropped = present.keys() - survivors.keys()
    if dropped & set(_read_key(connection, table.name)):
        _drop_key(connection, table)  # it would go with its columns unseen
    for name in sorted(dropped):
        _alter(connection, table, "drop column {}", name)
        following.done.append(f"dropped {where}.{name}")
    renames = {old: new for old, new in survivors.items() if old != new}
    for old, new in renames.items():  # by way of other names: two columns may swap theirs
        _alter(connection, table, "rename column {} to {}", old, short_name(f"_renamed_{new}"))
        following.done.append(f"renamed {where}.{old} to {new}")
    for new in renames.values():
        _alter(connection, table, "rename column {} to {}", short_name(f"_renamed_{new}"), new)
    kept = {new: present[old] for old, new in survivors.items()}
    for column in table.columns:
        known = kept.get(column.name)
        if known is None:
            _add(connection, table, column, following)
        elif known.type != stored_type(column.type):
            _retype(connection, table, column, known.legacy_type or known.type, following)
        elif known.legacy_type not in (None, column.type):
            _narrow(connection, table, column, known.legacy_type or "", following)
    _follow_key(connection, table, following)


def find_survivors(table: Table, present: dict[str, int | None]) -> dict[str, str]:
    """Return which of the mirror's columns are still there, and under which name.

    A column that was dropped and added again under its name has a higher number than any before. A
    restored database numbers its columns anew, but keeps their order: where the order of names that
    stayed is another, columns have taken each other's names, and the numbers count alone.
    """
    if not table.numbered:
        return {column.name: column.name for column in table.columns if column.name in present}
    by_number = {number: name for name, number in present.items() if number is not None}
    newest = max(by_number, default=0)
    wanted = {column.name: column.attnum for column in table.columns}
    same = [
        name
        for name, number in present.items()
        if name in wanted and (number is None or wanted[name] <= newest)
    ]
    numbered = [name for name in same if present[name] is not None]
    ordered = sorted(numbered, key=lambda name: present[name] or 0)
    if ordered != sorted(numbered, key=wanted.__getitem__):
        return {by_number[n]: name for name, n in wanted.items() if n in by_number}
    renames = {
        by_number[number]: name
        for name, number in wanted.items()
        if number in by_number and name not in present and by_number[number] not in wanted
    }
    return {**{name: name for name in same}, **renames}


def _add(
    connection: psycopg.Connection[Any], table: Table, column: Column, following: Following
) -> None:
    """Add a column, with the value that the legacy database gives the rows before it."""
    where = f"{SCHEMA}.{table.name}.{column.name}"
    type_ = stored_type(column.type)
    default: sql.Composable = sql.SQL("")
    if column.missing is not None:
        default = sql.SQL(" default {}").format(missing_value(column))
    connection.execute(
        sql.SQL("alter table {} add column {} {}{}").format(
            _name(table), sql.Identifier(column.name), type_sql(type_), default
        )
    )
    if column.missing is not None:
        _alter(connection, table, "alter column {} drop default", column.name)
    following.done.append(f"added {where} {type_}")
    untold = column.filled or (not table.numbered and column.missing is None)
    if untold and _has_rows(connection, table):
        following.doubts.append(
            f"{where} was added with values that no change tells (a default that is not constant, "
            "an identity, a new name where columns have no numbers): "
            f"{_AGAIN.format(table=table.name)}"
        )


def missing_value(column: Column) -> sql.Composable:
    """Return the SQL of the value that rows hold which are older than the column."""
    return sql.SQL("(({}::text[])[1])::{}").format(
        sql.Literal(column.missing), type_sql(column.type)
    )


def _retype(
    connection: psycopg.Connection[Any],
    table: Table,
    column: Column,
    before: str,
    following: Following,
) -> None:
    where = f"{SCHEMA}.{table.name}.{column.name}"
    connection.execute(
        sql.SQL("alter table {0} alter column {1} type {2} using {1}::{3}").format(
            _name(table),
            sql.Identifier(column.name),
            type_sql(stored_type(column.type)),
            type_sql(column.type),
        )
    )
    following.done.append(f"changed {where} from {before} to {column.type}")
    _doubt(connection, table, column, before, following)


def _narrow(
    connection: psycopg.Connection[Any],
    table: Table,
    column: Column,
    before: str,
    following: Following,
) -> None:
    """Round the values of a column whose legacy type lost precision: the mirror's has none."""
    if keeps_values(before, column.type):
        return
    connection.execute(
        sql.SQL("update {0} set {1} = {1}::{2} where {1} is distinct from {1}::{2}").format(
            _name(table), sql.Identifier(column.name), type_sql(column.type)
        )
    )
    following.done.append(f"cut {SCHEMA}.{table.name}.{column.name} from {before} to {column.type}")
    _doubt(connection, table, column, before, following)


def _doubt(
    connection: psycopg.Connection[Any],
    table: Table,
    column: Column,
    before: str,
    following: Following,
) -> None:
    if not keeps_values(before, column.type) and _has_rows(connection, table):
        following.doubts.append(
            f"{SCHEMA}.{table.name}.{column.name} went from {before} to {column.type}, which may "
            f"have changed values without telling: {_AGAIN.format(table=table.name)}"
        )


def _follow_key(connection: psycopg.Connection[Any], table: Table, following: Following) -> None:
    key = _read_key(connection, table.name)
    if key == table.key:
        return
    if key:
        _drop_key(connection, table)
    connection.execute(
        sql.SQL("alter table {} add primary key ({})").format(_name(table), _identifiers(table.key))
    )
    following.done.append(f"key of {SCHEMA}.{table.name} is ({', '.join(table.key)})")


def _drop_key(connection: psycopg.Connection[Any], table: Table) -> None:
    rows = connection.execute(
        "select conname from pg_constraint where conrelid = to_regclass(%s) and contype = 'p'",
        (_regclass(table.name),),
    ).fetchall()
    for (name,) in rows:
        _alter(connection, table, "drop constraint {}", name)


def _number(
    connection: psycopg.Connection[Any], table: Table, present: dict[str, _Present]
) -> None:
    """Keep each column's number in the legacy catalogue as a comment, where it is another."""
    for column in table.columns:
        known = present.get(column.name)
        if known is None or (known.attnum, known.legacy_type) != (column.attnum, column.type):
            connection.execute(
                sql.SQL("comment on column {} is {}").format(
                    sql.Identifier(SCHEMA, table.name, column.name),
                    sql.Literal(f"{_COMMENT}{column.attnum} {column.type}"),
                )
            )


def _read_columns(connection: psycopg.Connection[Any], table: str) -> dict[str, _Present]:
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)"
        " from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
        " and attname <> all(%s) order by attnum",
        (_regclass(table), list(MARKS)),
    ).fetchall()
    return {name: _Present(type_, *_read_comment(comment)) for name, type_, comment in rows}


def _read_comment(comment: str | None) -> tuple[int | None, str | None]:
    number, _, type_ = (comment or "").removeprefix(_COMMENT).partition(" ")
    return (int(number), type_ or None) if number.isdigit() else (None, None)


def _read_key(connection: psycopg.Connection[Any], table: str) -> tuple[str, ...]:
    rows = connection.execute(
        "select a.attname from pg_index i cross join lateral unnest(i.indkey::int2[])"
        " with ordinality as k(attnum, place)"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum"
        " where i.indrelid = to_regclass(%s) and i.indisprimary order by k.place",
        (_regclass(table),),
    ).fetchall()
    return tuple(name for (name,) in rows)


def _has_rows(connection: psycopg.Connection[Any], table: Table) -> bool:
    query = sql.SQL("select exists (select from {})").format(_name(table))
    row = connection.execute(query).fetchone()
    return row is not None and bool(row[0])


def _alter(connection: psycopg.Connection[Any], table: Table, what: str, *names: str) -> None:
    connection.execute(
        sql.SQL("alter table {} {}").format(
            _name(table),
            sql.SQL(what).format(*map(sql.Identifier, names)),
        )
    )


def _name(table: Table) -> sql.Identifier:
    return sql.Identifier(SCHEMA, table.name)


def _regclass(table: str) -> str:
    quoted = table.replace('"', '""')
    return f'{SCHEMA}."{quoted}"'


def _identifiers(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
