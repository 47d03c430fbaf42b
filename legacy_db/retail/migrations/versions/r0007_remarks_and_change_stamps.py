"""2019: soft deletes, free text, the time of the last change, and numbers handed out per session.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from legacy_db.retail.column_types import LONG_TEXT, STAMP
from legacy_db.retail.migrations.codes import add_codes, drop_codes

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "cust_mstr", sa.Column("del_flg", sa.CHAR(1), nullable=False, server_default=sa.text("'N'"))
    )
    op.add_column("cust_mstr", sa.Column("notes", LONG_TEXT))
    op.add_column("ord_hdr", sa.Column("rmk", LONG_TEXT))
    for table in ("cust_mstr", "ord_hdr"):
        op.add_column(
            table,
            sa.Column("chg_ts", STAMP, nullable=False, server_default=sa.text("localtimestamp(6)")),
        )
        op.alter_column(table, "chg_ts", server_default=None)
    numbers = op.create_table(
        "num_tab",
        sa.Column("num_cd", sa.CHAR(8), primary_key=True),
        sa.Column("nxt_no", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(numbers, [{"num_cd": "SESSION", "nxt_no": 1}])
    add_codes("DELFLG", {"Y": "deleted, kept for the books", "N": "not deleted"})
    add_codes(
        "NUMCD",
        {
            "SESS": "next session of a terminal; it numbers its documents",
            "ORDE": "where orders without a session end",
            "CUST": "where customers without a session end",
        },
    )


def downgrade() -> None:
    drop_codes("DELFLG", "NUMCD")
    op.drop_table("num_tab")
    for table, column in (
        ("ord_hdr", "chg_ts"),
        ("ord_hdr", "rmk"),
        ("cust_mstr", "chg_ts"),
        ("cust_mstr", "notes"),
        ("cust_mstr", "del_flg"),
    ):
        op.drop_column(table, column)
