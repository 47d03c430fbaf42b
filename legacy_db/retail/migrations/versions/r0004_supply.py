"""2012: suppliers and purchase orders.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from legacy_db.retail.migrations.codes import add_codes, drop_codes

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supp_mstr",
        sa.Column("supp_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("supp_nm", sa.CHAR(40), nullable=False),
        sa.Column("ctry_cd", sa.CHAR(2), nullable=False),
        sa.Column("pay_days", sa.SmallInteger, nullable=False),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
    )
    op.create_table(
        "po_hdr",
        sa.Column("po_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("supp_no", sa.Integer, nullable=False),
        sa.Column("po_dt", sa.Integer, nullable=False),
        sa.Column("due_dt", sa.Integer),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
        sa.Column("curr_cd", sa.CHAR(3), nullable=False),
        sa.Column("tot_amt", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "po_lin",
        sa.Column("po_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("lin_no", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("item_no", sa.CHAR(15), nullable=False),
        sa.Column("qty", sa.Numeric(12, 3), nullable=False),
        sa.Column("qty_rcv", sa.Numeric(12, 3), nullable=False),
        sa.Column("unit_prc", sa.Numeric(12, 4), nullable=False),
    )
    add_codes("SUPPSTAT", {"A": "active", "B": "blocked"})
    add_codes("POSTAT", {"O": "open", "R": "received", "X": "cancelled"})


def downgrade() -> None:
    for name in ("po_lin", "po_hdr", "supp_mstr"):
        op.drop_table(name)
    drop_codes("SUPPSTAT", "POSTAT")
