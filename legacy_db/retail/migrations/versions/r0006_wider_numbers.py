"""2016: order numbers and amounts outgrew 32 bits, prices their four decimals.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from legacy_db.retail.column_types import PRICE

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WIDENED = (
    ("ord_hdr", "ord_no"),
    ("ord_hdr", "tot_amt"),
    ("ord_lin", "ord_no"),
    ("ord_lin", "lin_amt"),
    ("cust_mstr", "crd_lim"),
)


def upgrade() -> None:
    for table, column in _WIDENED:
        op.alter_column(table, column, type_=sa.BigInteger, existing_nullable=False)
    op.alter_column("ord_lin", "unit_prc", type_=PRICE, existing_nullable=False)


def downgrade() -> None:
    op.alter_column("ord_lin", "unit_prc", type_=sa.Numeric(12, 4), existing_nullable=False)
    for table, column in reversed(_WIDENED):
        op.alter_column(table, column, type_=sa.Integer, existing_nullable=False)
