"""The reference site's adapters, contracts, expectation suites and projections."""

from __future__ import annotations

from adapters.aggregate import Adapter
from adapters.projection import Projection
from adapters.retail.customers import CustomerAdapter
from adapters.retail.inventory import StockLevelAdapter
from adapters.retail.projections import CUSTOMERS, ORDERS, STOCK_LEVELS
from adapters.retail.sales import OrderAdapter

ADAPTERS: tuple[Adapter, ...] = (CustomerAdapter(), OrderAdapter(), StockLevelAdapter())
PROJECTIONS: tuple[Projection, ...] = (CUSTOMERS, ORDERS, STOCK_LEVELS)
