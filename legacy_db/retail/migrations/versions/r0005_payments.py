"""2014: card payments, their stages and a log without a key.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from legacy_db.retail.column_types import STAMP
from legacy_db.retail.migrations.codes import add_codes, drop_codes

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pay_trx",
        sa.Column("trx_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ord_no", sa.BigInteger, nullable=False),
        sa.Column("mth_cd", sa.CHAR(2), nullable=False),
        sa.Column("amt", sa.BigInteger, nullable=False),
        sa.Column("curr_cd", sa.CHAR(3), nullable=False),
        sa.Column("stat_cd", sa.CHAR(1), nullable=False),
        sa.Column("rsn_cd", sa.CHAR(4)),
        sa.Column("trx_dt", sa.Integer, nullable=False),
        sa.Column("chg_ts", STAMP, nullable=False),
    )
    op.create_index("pay_trx_ord", "pay_trx", ["ord_no"])
    op.create_table(
        "pay_stg",
        sa.Column("trx_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("stg_no", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("stg_cd", sa.CHAR(1), nullable=False),
        sa.Column("rslt_cd", sa.CHAR(1), nullable=False),
        sa.Column("rsn_cd", sa.CHAR(4)),
        sa.Column("amt", sa.BigInteger, nullable=False),
        sa.Column("stg_ts", STAMP, nullable=False),
    )
    op.create_table(
        "pay_log",
        sa.Column("log_ts", STAMP, nullable=False),
        sa.Column("trx_no", sa.BigInteger),
        sa.Column("lvl_cd", sa.CHAR(1), nullable=False),
        sa.Column("msg", sa.String(200), nullable=False),
    )
    add_codes("PAYMTH", {"CC": "credit card", "DD": "direct debit", "BT": "bank transfer"})
    add_codes("PAYSTAT", {"A": "authorized", "C": "captured", "S": "settled", "F": "failed"})
    add_codes("PAYSTG", {"A": "authorize", "C": "capture", "S": "settle"})
    add_codes("PAYRSLT", {"O": "done", "F": "failed"})
    add_codes(
        "PAYRSN",
        {
            "NFND": "not enough funds",
            "EXPD": "card expired",
            "TMOT": "timeout",
            "FRAD": "suspected",
        },
    )
    add_codes("LOGLVL", {"I": "information", "E": "error"})


def downgrade() -> None:
    for name in ("pay_log", "pay_stg", "pay_trx"):
        op.drop_table(name)
    drop_codes("PAYMTH", "PAYSTAT", "PAYSTG", "PAYRSLT", "PAYRSN", "LOGLVL")
