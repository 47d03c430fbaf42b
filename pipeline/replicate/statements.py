"""The SQL of a projection: staging tables, and the merge of what was staged.

Enters: a projection. Leaves: statements, composed of quoted identifiers only. A staging table is
temporary, lives as long as the connection and is empty after each commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from adapters.projection import ChildTable, Projection
from pipeline.replicate.batch import DELETED, SUBJECT

GUARD_STAGE = "stage_aggregate"
GUARD_COLUMNS = ("aggregate", "subject", "sequence", "deleted", "event_id")

CREATE_GUARD_STAGE = sql.SQL(
    "create temporary table if not exists stage_aggregate on commit delete rows as"
    " select aggregate, subject, sequence, deleted, event_id"
    " from replication.aggregate with no data"
)

MERGE_GUARD = sql.SQL(
    """
    with accepted as (
        insert into replication.aggregate as a (aggregate, subject, sequence, deleted, event_id)
        select aggregate, subject, sequence, deleted, event_id from stage_aggregate
        on conflict (aggregate, subject) do update
        set sequence = excluded.sequence, deleted = excluded.deleted, event_id = excluded.event_id
        where a.sequence < excluded.sequence
        returning 1
    )
    select count(*) from accepted
    """
)

READ_STALE = sql.SQL(
    # a row that this transaction did not write was as new as the staged one: no other transaction
    # can have touched it since, as the partitions' offset rows are locked
    """
    select s.aggregate, s.subject from stage_aggregate s
    where not exists (
        select from replication.aggregate a
        where a.aggregate = s.aggregate and a.subject = s.subject
          and a.xmin = pg_current_xact_id()::xid
    )
    """
)


_CHILD_EXTRA = sql.SQL("null::text as {}").format(sql.Identifier(SUBJECT))
_ROOT_EXTRA = sql.SQL("{}, null::boolean as {}").format(_CHILD_EXTRA, sql.Identifier(DELETED))


@dataclass(frozen=True, slots=True)
class TableStatements:
    """Statements of one table, root or child."""

    stage: str
    columns: tuple[str, ...]
    create: tuple[sql.Composed, ...]
    unstage: sql.Composed
    delete: sql.Composed
    upsert: sql.Composed


def table_name(table: str) -> sql.Identifier:
    """Quote a table's name, which may begin with its schema."""
    return sql.Identifier(*table.split("."))


def make_root_statements(projection: Projection) -> TableStatements:
    """Make the statements of a projection's own table; `delete` removes deleted aggregates."""
    stage = _stage_name(projection.table)
    columns = (SUBJECT, DELETED, *projection.columns)
    return TableStatements(
        stage,
        columns,
        _create(stage, projection.table, _ROOT_EXTRA,
                projection.columns, ()),
        _unstage(stage),
        sql.SQL("delete from {table} t using {stage} s where s.{deleted} and {match}").format(
            table=table_name(projection.table),
            stage=sql.Identifier(stage),
            deleted=sql.Identifier(DELETED),
            match=_match("t", "s", projection.key, projection.key),
        ),
        _upsert(projection.table, stage, projection.key, projection.columns,
                sql.SQL(" where not {}").format(sql.Identifier(DELETED)), only_changed=False),
    )  # fmt: skip


def make_child_statements(projection: Projection, child: ChildTable) -> TableStatements:
    """Make the statements of a child table.

    `delete` removes the rows that staged aggregates, deleted ones too, do not have any more.
    """
    stage, parent = _stage_name(child.table), child.key[: len(projection.key)]
    columns = (*parent, *child.columns)
    return TableStatements(
        stage,
        (SUBJECT, *columns),
        _create(stage, child.table, _CHILD_EXTRA, columns, child.key),
        _unstage(stage),
        sql.SQL(
            "delete from {table} t using {roots} s where {match}"
            " and not exists (select from {stage} c where {same})"
        ).format(
            table=table_name(child.table),
            roots=sql.Identifier(_stage_name(projection.table)),
            stage=sql.Identifier(stage),
            match=_match("t", "s", parent, projection.key),
            same=_match("t", "c", child.key, child.key),
        ),
        _upsert(child.table, stage, child.key, columns, sql.SQL(""), only_changed=True),
    )


def _stage_name(table: str) -> str:
    return f"stage_{table.replace('.', '_')}"


def _create(
    stage: str, table: str, extra: sql.Composable, columns: Sequence[str], index: Sequence[str]
) -> tuple[sql.Composed, ...]:
    create = sql.SQL(
        "create temporary table if not exists {stage} on commit delete rows as"
        " select {extra}, {columns} from {table} with no data"
    ).format(
        stage=sql.Identifier(stage),
        extra=extra,
        columns=_list(columns),
        table=table_name(table),
    )
    if not index:
        return (create,)
    return create, sql.SQL("create index if not exists {} on {} ({})").format(
        sql.Identifier(f"{stage}_key"), sql.Identifier(stage), _list(index)
    )


def _unstage(stage: str) -> sql.Composed:
    return sql.SQL("delete from {} where {} = any(%s)").format(
        sql.Identifier(stage), sql.Identifier(SUBJECT)
    )


def _upsert(
    table: str,
    stage: str,
    key: Sequence[str],
    columns: Sequence[str],
    where: sql.Composable,
    *,
    only_changed: bool,
) -> sql.Composed:
    rest = [name for name in columns if name not in key]
    action: sql.Composable = sql.SQL("nothing")
    if rest:
        action = sql.SQL("update set {}").format(
            sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in rest
            )
        )
    if rest and only_changed:  # most lines of a fat event are as they were
        action = sql.SQL("{} where ({}) is distinct from ({})").format(
            action, _list(rest, "t"), _list(rest, "excluded")
        )
    return sql.SQL(
        "insert into {table} as t ({columns}) select {columns} from {stage}{where}"
        " on conflict ({key}) do {action}"
    ).format(
        table=table_name(table),
        columns=_list(columns),
        stage=sql.Identifier(stage),
        where=where,
        key=_list(key),
        action=action,
    )


def _match(one: str, other: str, left: Iterable[str], right: Iterable[str]) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(one, a), sql.Identifier(other, b))
        for a, b in zip(left, right, strict=True)
    )


def _list(columns: Sequence[str], table: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(name) if table is None else sql.Identifier(table, name) for name in columns
    )
