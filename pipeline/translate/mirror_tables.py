"""Keeps a module's mirror tables in step with the legacy tables, and gives the codecs of both.

Enters: the legacy catalogue (or, when it is out of reach, the definitions kept in the hub). Leaves:
mirror tables with the same columns. The legacy database is asked for definitions, never for data.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import structlog
from psycopg import sql

from legacy_db.definition import apply_keys, leave_columns_out
from legacy_db.mariadb.logged_table import fit_table
from pipeline.errors import Unreachable
from pipeline.hub.definitions import (
    keep_definitions,
    load_definitions,
    load_former_names,
    load_newest_definitions,
)
from pipeline.hub.doubts import note_untold
from pipeline.translate.mirror_table import follow_table, has_mirror, missing_value
from pipeline.translate.row_types import load_expression, python_types
from pipeline.translate.rows import TableCodec

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence

    import psycopg

    from adapters.aggregate import Adapter
    from adapters.change_steps import TableChanged
    from legacy_db.database import LegacyDatabase
    from legacy_db.definition import Table

log = structlog.get_logger()
_LOCK = 7104885
"""Advisory lock: two translators may make the mirror of a looked-up table at once."""


class MirrorTables:
    """The tables of one module and those that its adapters look up in other modules.

    `keys` are the declared ones, of tables without a primary key; `left_out` says which columns
    the connectors leave out. With `logged` the change log
    tells definitions itself: those that are kept in the hub are as of the log's place, the
    catalogue's may be ahead of it.
    """

    def __init__(
        self,
        *,
        open_legacy: Callable[[], LegacyDatabase],
        schema: str,
        module: str,
        tables: Sequence[str],
        adapters: Sequence[Adapter],
        keys: Mapping[str, Sequence[str]] | None = None,
        left_out: Sequence[re.Pattern[str]] = (),
        logged: bool = False,
    ) -> None:
        self._logged = logged
        self._keys = keys or {}
        self._left_out = left_out
        self._open_legacy = open_legacy
        self._schema = schema
        self._module = module
        mine = [adapter for adapter in adapters if adapter.module == module]
        looked_up = {lookup.table for adapter in mine for lookup in adapter.lookups}
        self._own = tuple(tables)
        self._names = sorted({*tables, *looked_up})
        self._indexes = _make_indexes(mine)

    def open(self, hub: psycopg.Connection[Any]) -> dict[str, TableCodec]:
        """Make or alter the mirror tables, and return the codecs by table."""
        with hub.transaction():
            hub.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            # under the lock: whoever follows later has not read earlier
            definitions, fresh = self._read(hub)
            for table in definitions.values():
                # what was kept may be older than what another module's translator followed
                if fresh or not has_mirror(hub, table):
                    self._follow(hub, table)
            keep_definitions(hub, self._module, definitions.values(), self._own)
            former = load_former_names(hub, definitions)
            return {
                name: TableCodec(table, _read_missing(hub, table), former.get(name))
                for name, table in definitions.items()
            }

    def _follow(self, hub: psycopg.Connection[Any], table: Table) -> None:
        python_types(table)  # names a column that can't be mirrored before anything is altered
        following = follow_table(hub, table, self._indexes.get(table.name, ()))
        if following.done:
            log.info("translate.mirror", module=self._module, done=following.done)
        for doubt in following.doubts:
            log.warning("translate.mirror_doubt", module=self._module, doubt=doubt)
        if following.doubts:
            note_untold(hub, self._module, table.name, following.doubts)

    def change(self, hub: psycopg.Connection[Any], step: TableChanged) -> bool:
        """Follow a definition that the change log itself tells; False when it is kept already."""
        name = step.definition.name
        kept = load_definitions(hub, self._module).get(name)
        fitted = fit_table(step.definition, kept, step.ddl, step.defaults)
        keyed = apply_keys({name: fitted}, self._keys)[name]
        table = leave_columns_out(keyed, self._left_out)
        if table == kept:
            return False
        with hub.transaction():
            hub.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            self._follow(hub, table)
            keep_definitions(hub, self._module, [table], self._own)
        return True

    def refresh(self, hub: psycopg.Connection[Any]) -> bool:
        """Tell whether the legacy definitions differ from those that the mirror follows."""
        if self._logged:
            return False  # the log itself tells, and nothing else
        kept = load_definitions(hub, self._module)
        definitions, _ = self._read(hub)
        return any(table != kept.get(name) for name, table in definitions.items())

    def _read(self, hub: psycopg.Connection[Any]) -> tuple[Mapping[str, Table], bool]:
        """Read the definitions, and say whether they are the legacy database's own of now."""
        known = load_newest_definitions(hub, self._names) if self._logged else {}
        names = [name for name in self._names if name not in known]
        if not names:
            return known, False
        try:
            with closing(self._open_legacy()) as legacy:
                read = legacy.read_tables(self._schema, names, self._keys)
        except Unreachable as error:
            kept = load_definitions(hub, self._module)
            if set(names) <= set(kept):
                log.warning("translate.legacy_unreachable", module=self._module, error=str(error))
                return {**known, **{name: kept[name] for name in names}}, False
            raise
        left = {name: leave_columns_out(one, self._left_out) for name, one in read.items()}
        return {**known, **left}, True


def _read_missing(hub: psycopg.Connection[Any], table: Table) -> dict[str, Any]:
    """Return what rows hold, by column, that are older than the column, as a row has it."""
    missing = {}
    for column in table.columns:
        if column.missing is None:
            continue
        query = sql.SQL("select {} from (select {} as held) t").format(
            sql.SQL(load_expression("t.held", column)), missing_value(column)
        )
        row = hub.execute(query).fetchone()
        missing[column.name] = row[0] if row is not None else None
    return missing


def _make_indexes(adapters: Sequence[Adapter]) -> dict[str, list[tuple[str, ...]]]:
    """Return the columns by which each mirror table is searched."""
    indexes: dict[str, list[tuple[str, ...]]] = {}
    for adapter in adapters:
        for member in adapter.members:
            indexes.setdefault(member.table, []).append(member.columns)
        for lookup in adapter.lookups:
            indexes.setdefault(lookup.member, []).append(lookup.columns)
    return indexes
