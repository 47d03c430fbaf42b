"""DDL on columns that are not there is refused, not taken for a change that touches nothing."""

from __future__ import annotations

import pytest

from legacy_db.ddl import parse_ddl
from legacy_db.definition import Column, Table
from legacy_db.errors import Configuration
from pipeline.drift.unknown_columns import check_columns

COLUMNS = (
    Column("ord_no", "bigint", nullable=False, attnum=1),
    Column("tot_amt", "bigint", nullable=True, attnum=2),
)
TABLES = {"ord_hdr": Table("retail", "ord_hdr", COLUMNS, ("ord_no",), generated=("vat",))}


def check(ddl: str, engine: str = "postgresql") -> None:
    """Check statements against the one table."""
    check_columns(parse_ddl(ddl, engine, "retail"), TABLES)


@pytest.mark.parametrize(
    ("ddl", "words"),
    [
        ("alter table ord_hdr drop column totl_amt", "no column totl_amt: is tot_amt meant"),
        ("alter table ord_hdr alter x9 type text", "no column x9: it has ord_no, tot_amt, vat"),
        ("alter table ord_hdr drop tot_amt; alter table ord_hdr drop tot_amt", "no column tot_amt"),
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest_name(ddl: str, words: str) -> None:
    """A gate that asks before a migration does not let a slip of the pen pass."""
    with pytest.raises(Configuration, match=words):
        check(ddl)


@pytest.mark.parametrize(
    "ddl",
    [
        "alter table ord_hdr drop tot_amt",
        "alter table ord_hdr drop vat",
        "alter table ord_hdr drop column if exists totl_amt",
        """alter table ord_hdr add x int; alter table ord_hdr rename column x to y;
        alter table ord_hdr alter y type bigint""",
        "alter table elsewhere drop column a",
    ],
)
def test_what_is_there_or_was_made_before_is_no_slip(ddl: str) -> None:
    """Statements build on one another, and of what is not captured nothing is known."""
    check(ddl)
    check("alter table ord_hdr change tot_amt total bigint", "mariadb")
