"""Quotes names and texts for SQL that a person is shown, and that nobody but a person runs."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check
    collate collation column concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable desc
    distinct do else end except false fetch for foreign freeze from full grant group having ilike in
    initially inner intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
    references returning right select session_user similar some symmetric system_user table
    tablesample then to trailing true union unique user using variadic verbose when where window
    with
"""
_RESERVED = frozenset(_WORDS.split())
"""PostgreSQL's words that name no table without quotation marks."""


def name_sql(name: str) -> str:
    """Quote a PostgreSQL identifier where it must be."""
    plain = _PLAIN.fullmatch(name) and name not in _RESERVED
    return name if plain else '"' + name.replace('"', '""') + '"'


def table_sql(schema: str, table: str) -> str:
    """Quote `schema.table` for PostgreSQL."""
    return f"{name_sql(schema)}.{name_sql(table)}"


def text_sql(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"
