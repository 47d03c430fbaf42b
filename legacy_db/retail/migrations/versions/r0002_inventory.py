"""2007: items, stock balances and stock movements.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from legacy_db.retail.migrations.codes import add_codes, drop_codes

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "item_mstr",
        sa.Column("item_no", sa.CHAR(15), primary_key=True),
        sa.Column("item_dsc", sa.CHAR(40), nullable=False),
        sa.Column("uom_cd", sa.CHAR(3), nullable=False),
        sa.Column("cls_cd", sa.CHAR(4)),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
    )
    op.create_table(
        "stk_bal",
        sa.Column("whs_cd", sa.CHAR(3), primary_key=True),
        sa.Column("item_no", sa.CHAR(15), primary_key=True),
        sa.Column("qty_oh", sa.Numeric(12, 3), nullable=False),
        sa.Column("qty_rsv", sa.Numeric(12, 3), nullable=False),
        sa.Column("last_dt", sa.Integer),
    )
    op.create_table(
        "stk_mvt",
        sa.Column("mvt_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("whs_cd", sa.CHAR(3), nullable=False),
        sa.Column("item_no", sa.CHAR(15), nullable=False),
        sa.Column("mvt_typ", sa.CHAR(1), nullable=False),
        sa.Column("qty", sa.Numeric(12, 3), nullable=False),
        sa.Column("mvt_dt", sa.Integer, nullable=False),
        sa.Column("ref_no", sa.BigInteger),
    )
    add_codes("ITEMSTAT", {"A": "active", "D": "discontinued"})
    add_codes("MVTTYP", {"R": "receipt", "I": "issue", "A": "adjustment"})


def downgrade() -> None:
    for name in ("stk_mvt", "stk_bal", "item_mstr"):
        op.drop_table(name)
    drop_codes("ITEMSTAT", "MVTTYP")
