"""The tables that a region's store holds of the retail site; `store_migrations` makes them."""

from __future__ import annotations

from adapters.projection import ChildTable, Projection

CUSTOMERS = Projection(
    type="customers.Customer.v1",
    aggregate="customers.Customer",
    table="customers",
    key=("customer_id",),
    columns=(
        *("customer_id", "name", "kind", "status", "tax_number", "credit_limit", "language"),
        *("email", "created_on", "notes"),
        *("billing_address", "billing_city", "billing_postal_code", "billing_country"),
        *("shipping_address", "shipping_city", "shipping_postal_code", "shipping_country"),
        "changed_at",
    ),
)
ORDERS = Projection(
    type="sales.Order.v1",
    aggregate="sales.Order",
    table="orders",
    key=("order_id",),
    columns=(
        *("order_id", "customer_id", "customer_name", "order_date", "status", "currency"),
        *("clerk", "freight", "discount_percent", "total", "line_count", "remark"),
        *("shipped_on", "carrier", "tracking_number", "changed_at"),
    ),
    children=(
        ChildTable(
            table="order_lines",
            field="lines",
            key=("order_id", "line_number"),
            columns=("line_number", "item_code", "quantity", "unit_price", "amount", "status"),
        ),
    ),
)
STOCK_LEVELS = Projection(
    type="inventory.StockLevel.v1",
    aggregate="inventory.StockLevel",
    table="stock_levels",
    key=("warehouse_code", "item_code"),
    columns=(
        *("warehouse_code", "item_code", "description", "unit", "on_hand", "reserved"),
        *("available", "last_counted_on"),
    ),
)
