"""Names that all packages agree on about engines; here, so that naming one loads no driver."""

from __future__ import annotations

MARIADB_ENGINES = ("mariadb", "mysql")
ENGINES = ("postgresql", *MARIADB_ENGINES)
"""The engines of a site's legacy database; others are declared and validated only."""
MARIADB_KEY_NAME = "PRIMARY"
"""What MariaDB and MySQL call the constraint of every primary key, in any case of its letters."""
BARRIER_TABLE = "isthmus_barrier"
"""Where barriers are written if the database's log takes no messages; declarations may differ."""
