"""Fills cod_tab, the only place where the ERP says what its codes mean; used by the revisions."""

from __future__ import annotations

from alembic import op
from sqlalchemy import column, table

_COD_TAB = table("cod_tab", column("dom_cd"), column("cod"), column("descr"))


def add_codes(domain: str, meanings: dict[str, str]) -> None:
    """Explain the codes of one domain (`table.column`, abbreviated to 8 characters)."""
    op.bulk_insert(
        _COD_TAB,
        [{"dom_cd": domain, "cod": code, "descr": text} for code, text in meanings.items()],
    )


def drop_codes(*domains: str) -> None:
    """Forget the codes of these domains."""
    op.execute(_COD_TAB.delete().where(_COD_TAB.c.dom_cd.in_(domains)))
