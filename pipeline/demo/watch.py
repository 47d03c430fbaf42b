"""How far every part of the way is: modules in the hub, aggregates in the regions.

Enters: the site's settings, hub and stores being migrated. Leaves: a `Landscape` at each look.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from pipeline.settings import Settings

_MODULES = """
select m.module, m.snapshot, m.next_number - 1, coalesce(r.published_up_to, 0),
       (select count(*) from hub.emission e where e.module = m.module),
       (select count(*) from hub.dead_letter d where d.module = m.module and d.state = 'open')
from hub.module m left join hub.relay r using (module)
order by m.module"""
_AGGREGATES = "select count(*) from replication.aggregate"


@dataclass(frozen=True, slots=True)
class ModuleState:
    """One module: its snapshot, events stored and published, emissions asked for, dead letters."""

    name: str
    snapshot: str
    events: int
    published: int
    emissions: int
    dead_letters: int

    @property
    def is_settled(self) -> bool:
        """Whether the snapshot is complete and all of it is published."""
        settled = self.snapshot == "complete" and self.emissions == 0
        return settled and self.published == self.events


@dataclass(frozen=True, slots=True)
class RegionState:
    """One region: how many aggregates it has seen, deleted ones too."""

    name: str
    aggregates: int


@dataclass(frozen=True, slots=True)
class Landscape:
    """All modules and regions at one look."""

    modules: tuple[ModuleState, ...] = ()
    regions: tuple[RegionState, ...] = ()

    @property
    def events(self) -> int:
        """How many events all modules have stored."""
        return sum(module.events for module in self.modules)


class Watch:
    """Looks at the hub and the stores; a context manager that closes its connections."""

    def __init__(self, settings: Settings) -> None:
        self._stack = ExitStack()
        self._hub = self._connect(settings.hub_url)
        self._stores = {one.name: self._connect(one.url) for one in settings.regions.values()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def look(self) -> Landscape:
        """Read the figures of now."""
        modules = tuple(ModuleState(*row) for row in self._hub.execute(_MODULES))
        regions = []
        for name, store in self._stores.items():
            row = store.execute(_AGGREGATES).fetchone()
            regions.append(RegionState(name, row[0] if row else 0))
        return Landscape(modules, tuple(regions))

    def _connect(self, url: str) -> psycopg.Connection[Any]:
        connection = psycopg.connect(url, autocommit=True, application_name="isthmus demo")
        return self._stack.enter_context(connection)
