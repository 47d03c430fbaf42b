"""What a legacy table looks like: its columns, types and key, read from the database's catalogue.

The mirror, the decoders and the reconciliation are all made from these values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from legacy_db.errors import Configuration
from legacy_db.supported_types import CatalogueType, mirror_type

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type` is the mirror's, as format_type() prints it, e.g. `numeric(12,2)`.

    `native` is the legacy database's own type where that is another (a domain, an enum, money).
    `missing` is what rows hold that are older than the column, as a text array of one value: no
    change tells it. `filled` says that a default fills the column in other ways.
    """

    name: str
    type: str
    nullable: bool
    attnum: int
    native: str | None = None
    missing: str | None = None
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `key` holds the primary key's columns in key order, () for a keyless table.

    `generated` are its generated columns: no change tells their values, so that they are not among
    `columns`, and neither mirrored nor compared. Where they are `numbered`, a column keeps its
    `attnum` for ever, whatever its name; else that is only its place.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    generated: tuple[str, ...] = ()
    numbered: bool = True

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


_COLUMNS = """
with recursive resolved (relation, attnum, type, typmod) as (
  select a.attrelid, a.attnum, a.atttypid, a.atttypmod
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %s and c.relname = any(%s) and c.relkind in ('r', 'p')
    and a.attnum > 0 and not a.attisdropped
  union all
  select r.relation, r.attnum, t.typbasetype, t.typtypmod
  from resolved r join pg_type t on t.oid = r.type where t.typtype = 'd'
)
select c.relname, a.attname, a.attnum, not a.attnotnull, a.attgenerated <> '',
  format_type(a.atttypid, a.atttypmod), format_type(r.type, r.typmod),
  e.typtype, e.typname, e.typnamespace = 'pg_catalog'::regnamespace, e.oid <> t.oid,
  greatest(a.attndims, t.typndims), case when a.atthasmissing then a.attmissingval::text end,
  (a.atthasdef or a.attidentity <> '') and not a.atthasmissing
from resolved r
join pg_type t on t.oid = r.type
join pg_type e on e.oid = case when t.typcategory = 'A' and t.typelem <> 0
                               then t.typelem else t.oid end
join pg_attribute a on a.attrelid = r.relation and a.attnum = r.attnum
join pg_class c on c.oid = r.relation
where t.typtype <> 'd'
order by c.relname, a.attnum
"""

_KEYS = """
select c.relname, a.attname
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
where n.nspname = %s and c.relname = any(%s) and i.indisprimary
order by c.relname, k.place
"""


def read_tables(
    connection: psycopg.Connection,
    schema: str,
    names: Iterable[str],
    keys: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Table]:
    """Read the definitions of `names` in `schema`; Configuration names those that don't exist.

    `keys` are the declared keys of tables that have no primary key (see `apply_keys`).
    """
    wanted = sorted(set(names))
    columns: dict[str, list[Column]] = {}
    generated: dict[str, list[str]] = {}
    primary: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table, name, *facts in cursor.execute(_COLUMNS, (schema, wanted)):
            columns.setdefault(table, [])
            if facts[2]:
                generated.setdefault(table, []).append(name)
            else:
                columns[table].append(_make_column(name, *facts))
        for table, name in cursor.execute(_KEYS, (schema, wanted)):
            primary.setdefault(table, []).append(name)
    refuse_absent(schema, [name for name in wanted if name not in columns])
    tables = {
        name: Table(
            schema,
            name,
            tuple(columns[name]),
            tuple(primary.get(name, ())),
            tuple(generated.get(name, ())),
        )
        for name in wanted
    }
    return apply_keys(tables, keys or {})


def apply_keys(tables: Mapping[str, Table], keys: Mapping[str, Sequence[str]]) -> dict[str, Table]:
    """Give the tables without a primary key the declared one.

    Configuration says which key can't be one: of a table that has a primary key already, or with a
    column that is absent or may be null. That no two rows share it nobody promises but the
    declaration.
    """
    given = dict(tables)
    for name, key in keys.items():
        table = tables.get(name)
        if table is None:
            continue
        where = f"the declaration's keys: {table.schema}.{name}"
        if table.key:
            own = ", ".join(table.key)
            raise Configuration(f"{where} has a primary key ({own}): leave its declared key out")
        columns = {column.name: column for column in table.columns}
        for column in key:
            if column not in columns:
                raise Configuration(f"{where} has no column {column}: correct the declared key")
            if columns[column].nullable:
                raise Configuration(
                    f"{where}: column {column} may be null, so it can't be part of a key: choose "
                    "other columns, or set it not null"
                )
        given[name] = replace(table, key=tuple(key))
    return given


def leave_columns_out(table: Table, patterns: Iterable[re.Pattern[str]]) -> Table:
    """Return a table without the columns that no change tells: whose full name a pattern matches.

    The patterns are those of the connector's column.exclude.list; a key's column stays.
    """
    ways = tuple(patterns)
    kept = tuple(
        column
        for column in table.columns
        if column.name in table.key
        or not any(way.fullmatch(f"{table.schema}.{table.name}.{column.name}") for way in ways)
    )
    return table if len(kept) == len(table.columns) else replace(table, columns=kept)


def _make_column(name: str, *facts: Any) -> Column:
    attnum, nullable, _, native, text, kind, bare, builtin, is_array, dims, missing, filled = facts
    type_ = mirror_type(CatalogueType(text, kind, bare, builtin, is_array, dims))
    if bare == "hstore":
        native = text  # of a domain, too: its values are written as hstore's are
    return Column(
        name,
        type_,
        nullable,
        attnum,
        native if native != type_ else None,
        missing,
        filled,
    )


def refuse_absent(schema: str, absent: Iterable[str]) -> None:
    """Raise Configuration that names the tables that don't exist; none is fine."""
    names = [f"{schema}.{name}" for name in absent]
    if names:
        raise Configuration(
            f"no table {', '.join(names)} in the legacy database: correct the declaration's "
            "tables, or grant the reader SELECT on them"
        )
