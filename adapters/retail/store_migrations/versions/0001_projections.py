"""The four tables of the retail projections; keys only, as every further index costs a quarter."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("tax_number", sa.Text),
        sa.Column("credit_limit", sa.Numeric(14, 2)),
        sa.Column("language", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("created_on", sa.Date),
        sa.Column("notes", sa.Text),
        sa.Column("billing_address", sa.Text),
        sa.Column("billing_city", sa.Text),
        sa.Column("billing_postal_code", sa.Text),
        sa.Column("billing_country", sa.Text),
        sa.Column("shipping_address", sa.Text),
        sa.Column("shipping_city", sa.Text),
        sa.Column("shipping_postal_code", sa.Text),
        sa.Column("shipping_country", sa.Text),
        sa.Column("changed_at", sa.TIMESTAMP(timezone=True)),
        schema="public",
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("customer_id", sa.Integer),
        sa.Column("customer_name", sa.Text),
        sa.Column("order_date", sa.Date),
        sa.Column("status", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("clerk", sa.Text),
        sa.Column("freight", sa.Numeric(12, 2)),
        sa.Column("discount_percent", sa.Numeric(5, 2)),
        sa.Column("total", sa.Numeric(14, 2)),
        sa.Column("line_count", sa.Integer),
        sa.Column("remark", sa.Text),
        sa.Column("shipped_on", sa.Date),
        sa.Column("carrier", sa.Text),
        sa.Column("tracking_number", sa.Text),
        sa.Column("changed_at", sa.TIMESTAMP(timezone=True)),
        schema="public",
    )
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line_number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_code", sa.Text),
        sa.Column("quantity", sa.Numeric(12, 3)),
        sa.Column("unit_price", sa.Numeric(14, 4)),
        sa.Column("amount", sa.Numeric(14, 2)),
        sa.Column("status", sa.Text),
        schema="public",
    )
    op.create_table(
        "stock_levels",
        sa.Column("warehouse_code", sa.Text, primary_key=True),
        sa.Column("item_code", sa.Text, primary_key=True),
        sa.Column("description", sa.Text),
        sa.Column("unit", sa.Text),
        sa.Column("on_hand", sa.Numeric(12, 3)),
        sa.Column("reserved", sa.Numeric(12, 3)),
        sa.Column("available", sa.Numeric(12, 3)),
        sa.Column("last_counted_on", sa.Date),
        schema="public",
    )


def downgrade() -> None:
    for table in ("stock_levels", "order_lines", "orders", "customers"):
        op.drop_table(table, schema="public")
