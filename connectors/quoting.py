"""Quotes names and texts for SQL that a person is shown, and that nobody but a person runs."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def name_sql(name: str) -> str:
    """Quote a PostgreSQL identifier where it must be."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def table_sql(schema: str, table: str) -> str:
    """Quote `schema.table` for PostgreSQL."""
    return f"{name_sql(schema)}.{name_sql(table)}"


def text_sql(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"
