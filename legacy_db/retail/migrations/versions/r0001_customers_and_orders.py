"""2005: customers, orders and the table of codes.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from legacy_db.retail.migrations.codes import add_codes

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cod_tab",
        sa.Column("dom_cd", sa.CHAR(8), primary_key=True),
        sa.Column("cod", sa.CHAR(4), primary_key=True),
        sa.Column("descr", sa.String(60), nullable=False),
    )
    _create_customers()
    _create_orders()
    add_codes("CUSTTYP", {"B": "business", "P": "private person"})
    add_codes("CUSTSTAT", {"A": "active", "H": "on hold", "C": "closed"})
    add_codes("ADDRTYP", {"B": "billing address", "S": "shipping address"})
    add_codes("ORDSTAT", {"N": "new", "S": "shipped", "X": "cancelled"})
    add_codes("LINSTAT", {"O": "open", "S": "shipped", "X": "cancelled"})


def _create_customers() -> None:
    op.create_table(
        "cust_mstr",
        sa.Column("cust_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("cust_nm", sa.CHAR(40), nullable=False),
        sa.Column("cust_typ", sa.CHAR(1), nullable=False),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
        sa.Column("tax_no", sa.String(20)),
        sa.Column("crd_lim", sa.Integer, nullable=False),
        sa.Column("fax_no", sa.String(20)),
    )
    op.create_table(
        "cust_addr",
        sa.Column("cust_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("addr_typ", sa.CHAR(1), primary_key=True),
        sa.Column("addr_ln", sa.String(60), nullable=False),
        sa.Column("city", sa.CHAR(30), nullable=False),
        sa.Column("zip_cd", sa.CHAR(10)),
        sa.Column("ctry_cd", sa.CHAR(2), nullable=False),
    )


def _create_orders() -> None:
    op.create_table(
        "ord_hdr",
        sa.Column("ord_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("cust_no", sa.Integer, nullable=False),
        sa.Column("ord_dt", sa.Integer, nullable=False),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
        sa.Column("curr_cd", sa.CHAR(3), nullable=False),
        sa.Column("user", sa.CHAR(8), nullable=False),
        sa.Column("frt_amt", sa.String(12)),
        sa.Column("disc_pct", sa.Numeric(5, 2), nullable=False),
        sa.Column("tot_amt", sa.Integer, nullable=False),
    )
    op.create_index("ord_hdr_cust", "ord_hdr", ["cust_no"])
    op.create_table(
        "ord_lin",
        sa.Column("ord_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("lin_no", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("item_no", sa.CHAR(15), nullable=False),
        sa.Column("qty", sa.Numeric(12, 3), nullable=False),
        sa.Column("unit_prc", sa.Numeric(12, 4), nullable=False),
        sa.Column("lin_amt", sa.Integer, nullable=False),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
    )


def downgrade() -> None:
    for name in ("ord_lin", "ord_hdr", "cust_addr", "cust_mstr", "cod_tab"):
        op.drop_table(name)
