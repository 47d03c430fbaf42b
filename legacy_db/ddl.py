"""Reads DDL statements: what they would change of which tables, before anybody runs them.

Enters: SQL text and the legacy database's engine. Leaves: `TableChange`s in order. What touches no
row's shape (indexes, defaults, constraints but keys) is no change; Configuration for what can't be
read as DDL.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from legacy_db.ddl_types import column_type
from legacy_db.engine_names import MARIADB_ENGINES, MARIADB_KEY_NAME
from legacy_db.errors import Configuration
from legacy_db.table_change import ChangeKind, TableChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIALECTS = {"postgresql": "postgres", "mariadb": "mysql", "mysql": "mysql"}
_PARTITION = re.compile(
    r"alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?P<table>\S+)\s+(?P<what>attach|detach)\s+partition\s",
    re.IGNORECASE,
)
_RENAME_TABLE = re.compile(r"rename\s+table\s+(?P<table>\S+)\s+to\s+(?P<to>[^\s,]+)", re.IGNORECASE)
_SHAPELESS = re.compile(
    r"(alter\s+type\s+\S+\s+add\s+value|create\s+(unique\s+)?index|comment\s+on|grant|revoke"
    r"|alter\s+table\s+\S+\s+(owner\s+to|set\s+\(|replica\s+identity|enable|disable|cluster"
    r"|validate|set\s+(logged|unlogged|tablespace)|convert\s+to|engine|auto_increment))\b",
    re.IGNORECASE,
)
"""Statements that sqlglot does not take apart and that change no row's shape."""
_MORE = re.compile(r",\s*(add|alter|change|drop|modify|rename)\b", re.IGNORECASE)
"""A further action behind one of these: nobody has read it."""

_STABLE = (exp.Cast, exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentUser)
"""What a default may hold so that all rows before it have one value, which the catalogue tells."""


def parse_ddl(
    text: str, engine: str, schema: str, key_names: Mapping[str, str] | None = None
) -> list[TableChange]:
    """Return what the statements change of the tables in `schema`.

    Names are folded as the engine folds them. `key_names` are those of the primary keys'
    constraints by table; one that is not there has the name that the engine gives it.
    Configuration says which statement can't be read.
    """
    dialect = _DIALECTS.get(engine)
    if dialect is None:
        raise Configuration(f"DDL of {engine} can't be read: known are {', '.join(_DIALECTS)}")
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what is handled below
    try:
        statements = [one for one in sqlglot.parse(text, read=dialect) if one is not None]
    except SqlglotError as error:
        reason = re.sub(r"\x1b\[\d+m", "", str(error)).splitlines()[0]
        raise Configuration(f"--ddl: not a statement of {engine}: {reason}") from error
    if not statements:
        raise Configuration("--ddl: no statement: give e.g. 'ALTER TABLE t ADD COLUMN c integer'")
    return [
        change
        for statement in statements
        for place, change in _Reader(engine, dialect, key_names or {}).read(statement)
        if place in ("", schema)
    ]


class _Reader:
    """Reads one statement; yields (schema as written, change)."""

    def __init__(self, engine: str, dialect: str, key_names: Mapping[str, str]) -> None:
        self._engine = engine
        self._dialect = dialect
        self._key_names = key_names

    def read(self, statement: exp.Expr) -> Iterator[tuple[str, TableChange]]:
        if isinstance(statement, exp.Alter) and statement.args.get("kind") == "TABLE":
            table = statement.this
            renamed = self._renamed_column(statement)
            if renamed is not None:
                yield self._schema(table), renamed
                return
            for action in statement.args.get("actions") or ():
                for change in self._read_action(self._name(table), action):
                    yield self._schema(table), change
        elif isinstance(statement, exp.Drop) and statement.args.get("kind") == "TABLE":
            for table in statement.args.get("tables") or [statement.this]:
                yield self._schema(table), TableChange(ChangeKind.DROP_TABLE, self._name(table))
        elif isinstance(statement, exp.TruncateTable):
            for table in statement.expressions:
                change = TableChange(ChangeKind.TRUNCATE_TABLE, self._name(table))
                yield self._schema(table), change
        elif isinstance(statement, exp.Create):
            if statement.args.get("kind") == "TABLE":
                table = statement.find(exp.Table)
                if table is not None:
                    change = TableChange(ChangeKind.CREATE_TABLE, self._name(table))
                    yield self._schema(table), change
        else:
            yield from self._read_text(statement)

    def _read_text(self, statement: exp.Expr) -> Iterator[tuple[str, TableChange]]:
        """Read what sqlglot leaves as text."""
        text = statement.sql(dialect=self._dialect)
        if match := _PARTITION.match(text):
            attached = match["what"].lower() == "attach"
            kind = ChangeKind.ATTACH_PARTITION if attached else ChangeKind.DETACH_PARTITION
            table = exp.to_table(match["table"], dialect=self._dialect)
            yield self._schema(table), TableChange(kind, self._name(table))
        elif match := _RENAME_TABLE.fullmatch(text):
            table = exp.to_table(match["table"], dialect=self._dialect)
            to = self._name(exp.to_table(match["to"], dialect=self._dialect))
            change = TableChange(ChangeKind.RENAME_TABLE, self._name(table), to=to)
            yield self._schema(table), change
        elif not _SHAPELESS.match(text) or _MORE.search(text):
            raise Configuration(
                f"--ddl: {text.split(maxsplit=4)[:4]} ... can't be read as DDL: write plain ALTER "
                "TABLE, DROP TABLE or CREATE TABLE statements, one change in each"
            )

    def _read_action(self, table: str, action: exp.Expr) -> Iterator[TableChange]:
        if isinstance(action, exp.ColumnDef):
            yield self._added(table, action)
        elif isinstance(action, exp.Drop):
            yield from self._dropped(table, action)
        elif isinstance(action, exp.DropPrimaryKey):
            yield TableChange(ChangeKind.CHANGE_KEY, table, to="")
        elif isinstance(action, exp.RenameColumn):
            old, new = self._name(action.this), self._name(action.args["to"])
            yield TableChange(ChangeKind.RENAME_COLUMN, table, old, to=new)
        elif isinstance(action, exp.AlterRename):
            yield TableChange(ChangeKind.RENAME_TABLE, table, to=self._name(action.this))
        elif isinstance(action, exp.AlterColumn):
            yield from self._altered(table, action)
        elif isinstance(action, exp.ModifyColumn):
            yield from self._modified(table, action)
        elif action.find(exp.PrimaryKey) is not None:
            key = action.find(exp.PrimaryKey)
            names = [self._name(one) for one in key.expressions] if key is not None else []
            yield TableChange(ChangeKind.CHANGE_KEY, table, to=", ".join(names))

    def _renamed_column(self, statement: exp.Alter) -> TableChange | None:
        """Read PostgreSQL's RENAME a TO b: to sqlglot a renamed table, with an option behind it."""
        old = next(iter(statement.args.get("actions") or []), None)
        if not isinstance(old, exp.AlterRename):
            return None
        for option in statement.args.get("options") or []:
            if isinstance(option, exp.ToTableProperty):
                kind, table = ChangeKind.RENAME_COLUMN, self._name(statement.this)
                return TableChange(kind, table, self._name(old.this), to=self._name(option.this))
        return None

    def _dropped(self, table: str, action: exp.Drop) -> Iterator[TableChange]:
        kind = action.args.get("kind")
        if kind in ("COLUMN", None):
            for one in action.args.get("tables") or [action.this]:
                name, if_exists = self._name(one), bool(action.args.get("exists"))
                yield TableChange(ChangeKind.DROP_COLUMN, table, name, if_exists=if_exists)
        elif kind == "PRIMARY KEY" or (kind == "CONSTRAINT" and self._drops_key(table, action)):
            yield TableChange(ChangeKind.CHANGE_KEY, table, to="")

    def _drops_key(self, table: str, action: exp.Drop) -> bool:
        """Tell the primary key's constraint by its name; others change no key."""
        names = [self._name(one) for one in action.args.get("tables") or [action.this]]
        if self._engine in MARIADB_ENGINES:
            return MARIADB_KEY_NAME in (name.upper() for name in names)
        return self._key_names.get(table, f"{table}_pkey") in names

    def _added(self, table: str, column: exp.ColumnDef) -> TableChange:
        kinds = [one.args.get("kind") for one in column.args.get("constraints") or ()]
        defaults = [one.this for one in kinds if isinstance(one, exp.DefaultColumnConstraint)]
        generated = any(isinstance(one, exp.ComputedColumnConstraint) for one in kinds)
        numbered = any(
            isinstance(
                one, exp.GeneratedAsIdentityColumnConstraint | exp.AutoIncrementColumnConstraint
            )
            for one in kinds
        )
        volatile = any(
            not isinstance(function, _STABLE)
            for one in defaults
            for function in one.find_all(exp.Func)
        )
        serial = column.args["kind"].sql(self._dialect).upper().endswith("SERIAL")
        not_null = any(
            isinstance(one, exp.NotNullColumnConstraint) and not one.args.get("allow_null")
            for one in kinds
        )
        return TableChange(
            ChangeKind.ADD_COLUMN,
            table,
            self._name(column),
            type=column_type(column.args["kind"], self._engine),
            nullable=not (not_null or numbered or serial),
            has_default=bool(defaults) or numbered or serial,
            filled=volatile or numbered or serial or generated,
            generated=generated,
        )

    def _altered(self, table: str, action: exp.AlterColumn) -> Iterator[TableChange]:
        name = self._name(action.this)
        if action.args.get("dtype") is not None:
            type_ = column_type(action.args["dtype"], self._engine)
            yield TableChange(ChangeKind.RETYPE_COLUMN, table, name, type=type_)
        elif action.args.get("allow_null") is not None:
            allowed = action.args["allow_null"]
            kind = ChangeKind.DROP_NOT_NULL if allowed else ChangeKind.SET_NOT_NULL
            yield TableChange(kind, table, name)

    def _modified(self, table: str, action: exp.ModifyColumn) -> Iterator[TableChange]:
        """Read MODIFY and CHANGE: the whole column is told again."""
        column = action.this
        name, old = self._name(column), action.args.get("rename_from")
        before = self._name(old) if old is not None else name
        if before != name:
            yield TableChange(ChangeKind.RENAME_COLUMN, table, before, to=name)
        type_ = column_type(column.args["kind"], self._engine)
        yield TableChange(ChangeKind.RETYPE_COLUMN, table, before, type=type_)

    def _name(self, one: exp.Expr) -> str:
        """Return a name as the engine keeps it: PostgreSQL folds what is not quoted."""
        identifier = one if isinstance(one, exp.Identifier) else one.find(exp.Identifier)
        if identifier is None:
            return one.name
        if self._engine == "postgresql" and not identifier.args.get("quoted"):
            return str(identifier.this).lower()
        return str(identifier.this)

    def _schema(self, table: exp.Expr) -> str:
        place = table.args.get("db")
        return self._name(place) if place is not None else ""
