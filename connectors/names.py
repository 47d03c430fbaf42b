"""What everything of a module is called: connector, slot, publication, topics.

Enters: the site's and the module's name. Leaves: the names that all programs agree on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

POSTGRESQL_NAME_MAX = 63
"""PostgreSQL cuts longer identifiers silently (NAMEDATALEN - 1)."""


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """The names of one module of one site."""

    site: str
    module: str

    @property
    def connector(self) -> str:
        """The connector's name in Connect, and Debezium's topic prefix."""
        return f"{self.site}.{self.module}"

    @property
    def slot(self) -> str:
        """The replication slot; PostgreSQL allows lower-case letters, digits and _ in it."""
        return re.sub(r"[^a-z0-9_]", "_", f"isthmus_{self.site}_{self.module}".lower())

    @property
    def publication(self) -> str:
        """The publication of exactly the declared tables."""
        return self.slot

    @property
    def changes(self) -> str:
        """The topic of the module's one ordered change log."""
        return f"{self.connector}.changes"

    @property
    def events(self) -> str:
        """The topic of the module's integration events."""
        return f"{self.connector}.events"

    @property
    def history(self) -> str:
        """The topic of the tables' definitions, for engines whose connector keeps them itself."""
        return f"{self.connector}.history"

    @property
    def notifications(self) -> str:
        """The topic that Debezium thinks its notifications go to; the router sends them on."""
        return f"{self.connector}.notifications"
