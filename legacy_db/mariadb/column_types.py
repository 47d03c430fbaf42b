"""From MariaDB's and MySQL's column types to the PostgreSQL types that the mirror has.

Enters: information_schema.columns.column_type, e.g. `bigint(20) unsigned`. Leaves: a type as
PostgreSQL's format_type() prints it, e.g. `numeric(20,0)`, wide enough for every value that
Debezium sends for such a column; `unsupported ...` where there is none.
"""

from __future__ import annotations

import re

UNSUPPORTED = "unsupported"
"""What the type of a column begins with that can't be mirrored; MariaDB's own type follows."""

_TYPE = re.compile(r"(?P<base>[a-z0-9]+)(?:\((?P<modifier>.*)\))?[ a-z0-9]*")

_UNSIGNED = {
    "tinyint": "smallint",
    "smallint": "integer",
    "mediumint": "integer",
    "int": "bigint",
    "bigint": "numeric(20,0)",
}
_SIGNED = {
    # tinyint(1), too: any of -128 to 127 may stand there, and Debezium sends a number
    "tinyint": "smallint",
    "smallint": "smallint",
    "mediumint": "integer",
    "int": "integer",
    "bigint": "bigint",
}
_PLAIN = {
    "double": "double precision",
    "date": "date",
    "year": "integer",
    "tinytext": "text",
    "text": "text",
    "mediumtext": "text",
    "longtext": "text",  # JSON, too: to MariaDB it is a longtext with a check
    "json": "json",  # MySQL's
    "enum": "text",
    "set": "text",
    "binary": "bytea",
    "varbinary": "bytea",
    "tinyblob": "bytea",
    "blob": "bytea",
    "mediumblob": "bytea",
    "longblob": "bytea",
}
_WITH_MODIFIER = {
    "decimal": ("numeric({})", "10,0"),
    "char": ("character varying({})", "1"),
    "varchar": ("character varying({})", "1"),
    "bit": ("bit({})", "1"),
    "datetime": ("timestamp({}) without time zone", "0"),
    "timestamp": ("timestamp({}) with time zone", "0"),
    "time": ("time({}) without time zone", "0"),
}
"""The mirror's type, and the modifier that is meant where none is printed."""


def mirror_type(column_type: str) -> str:
    """Return the mirror's type for a column of MariaDB's type `column_type`.

    CHAR(n) becomes `character varying(n)`: MariaDB gives its values without padding. FLOAT(m,d) is
    sent as a double; TIMESTAMP is a moment, DATETIME is not. UUID has no type: Debezium 3.5 gives
    other values for it in changes than in snapshots.
    """
    match = _TYPE.fullmatch(column_type.strip().lower())
    base, modifier = (match["base"], match["modifier"]) if match else ("", None)
    if base in _SIGNED:
        return (_UNSIGNED if "unsigned" in column_type else _SIGNED)[base]
    if base in _PLAIN:
        return _PLAIN[base]
    if base == "float":
        return "double precision" if modifier else "real"
    if base not in _WITH_MODIFIER:
        return f"{UNSUPPORTED} {column_type}"
    template, default = _WITH_MODIFIER[base]
    found = template.format(modifier or default)
    return "boolean" if found == "bit(1)" else found


def is_supported(type_: str) -> bool:
    """Tell whether a type that `mirror_type` gave can be mirrored."""
    return not type_.startswith(UNSUPPORTED)
