"""SQL that a person is shown: what it names is quoted where PostgreSQL needs it."""

from __future__ import annotations

import pytest

from connectors.quoting import table_sql


@pytest.mark.parametrize(
    ("schema", "table", "expected"),
    [
        ("erp", "ord_hdr", "erp.ord_hdr"),
        ("erp", "order", 'erp."order"'),
        ("public", "user", 'public."user"'),
        ("Erp", 'a"b', '"Erp"."a""b"'),
    ],
)
def test_names_are_quoted_where_they_must_be(schema: str, table: str, expected: str) -> None:
    """Upper case, strange letters and reserved words are quoted, plain names are not."""
    assert table_sql(schema, table) == expected
