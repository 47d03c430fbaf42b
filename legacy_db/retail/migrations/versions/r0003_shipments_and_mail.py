"""2010: shipments; customers get a language and mail instead of fax.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from legacy_db.retail.migrations.codes import add_codes, drop_codes

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shipmt",
        sa.Column("ship_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ord_no", sa.BigInteger, nullable=False),
        sa.Column("ship_dt", sa.Integer, nullable=False),
        sa.Column("carr_cd", sa.CHAR(4), nullable=False),
        sa.Column("trk_no", sa.String(30)),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
    )
    op.create_index("shipmt_ord", "shipmt", ["ord_no"])
    op.drop_column("cust_mstr", "fax_no")
    op.add_column("cust_mstr", sa.Column("lang_cd", sa.CHAR(2)))
    op.add_column("cust_mstr", sa.Column("eml", sa.String(80)))
    # nobody knew when the old ones were made
    op.add_column(
        "cust_mstr", sa.Column("cre_dt", sa.Integer, nullable=False, server_default="20050101")
    )
    op.alter_column("cust_mstr", "cre_dt", server_default=None)
    add_codes("SHIPSTAT", {"T": "in transit", "D": "delivered", "R": "returned"})


def downgrade() -> None:
    for name in ("cre_dt", "eml", "lang_cd"):
        op.drop_column("cust_mstr", name)
    op.add_column("cust_mstr", sa.Column("fax_no", sa.String(20)))
    op.drop_table("shipmt")
    drop_codes("SHIPSTAT")
