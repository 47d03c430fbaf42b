"""Identity adapters: every captured table is an aggregate of its own, told as it is.

Enters: the definitions of the captured tables by module, which a site's package keeps in a file.
Leaves: what such a package must have, ADAPTERS and PROJECTIONS, without a line of Python per table.
"""

from __future__ import annotations

from adapters.identity.adapter import IdentityAdapter
from adapters.identity.definitions import TABLES_FILE, load_tables, make_adapters
from adapters.identity.site_writer import write_site_package

__all__ = [
    "TABLES_FILE",
    "IdentityAdapter",
    "load_tables",
    "make_adapters",
    "write_site_package",
]
