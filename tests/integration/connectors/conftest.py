"""The shop: a declared module whose legacy database has small tables with rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from connector_shop import Shop

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def shop(site: Callable[[], Any]) -> Shop:
    """Give a site whose legacy database has two small tables with rows."""
    made = site()
    shop = Shop(made.name, made.folder, made.variables)
    shop.declare()
    with shop.legacy() as connection:
        connection.execute("create table erp.account (id int primary key, name text)")
        connection.execute("create table erp.line (id int, no int, primary key (id, no))")
        connection.execute("create table erp.loose (id int, name text)")
        connection.execute("insert into erp.account values (1, 'one'), (2, 'two')")
        connection.execute("insert into erp.line values (1, 1)")
    return shop
