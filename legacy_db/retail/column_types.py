"""Column types of the reference ERP that PostgreSQL and MariaDB name differently.

On PostgreSQL they are what they always were; MariaDB and MySQL get the nearest that loses nothing.
"""

from __future__ import annotations

from sqlalchemy import DateTime, Numeric, Text
from sqlalchemy.dialects import mysql

LONG_TEXT = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
"""A remark of any length: MariaDB's TEXT ends at 64 kB."""
STAMP = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
"""A local time to the microsecond: MariaDB's DATETIME alone has whole seconds."""
PRICE = Numeric().with_variant(mysql.DECIMAL(20, 6), "mysql", "mariadb")
"""A price of any number of decimals: MariaDB's DECIMAL alone has none."""
