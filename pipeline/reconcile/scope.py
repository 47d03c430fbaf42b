"""What a reconciliation is about: the modules, the regions, and the site's adapters.

Enters: the settings and the options --module and --region. Leaves: a `Scope`; Configuration names
a module or region that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.aggregate import Adapter, load_adapters
from adapters.projection import Projection, load_projections
from connectors.declaration import known_modules
from pipeline.captured_tables import load_captured, load_left_out
from pipeline.errors import Configuration
from pipeline.reconcile.result import MIRROR
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared; `mirror` says whether legacy and mirror are.

    `tables` are the captured tables by module, `keys` the declared ones of tables without a primary
    key, `left_out` says which columns no change tells, `projected` is each projection with its
    adapter.
    """

    regions: tuple[str, ...]
    mirror: bool
    tables: Mapping[str, tuple[str, ...]]
    projected: tuple[tuple[Adapter, Projection], ...]
    keys: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    left_out: tuple[re.Pattern[str], ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules in scope."""
        return tuple(self.tables)


def make_scope(settings: Settings, modules: list[str], regions: list[str]) -> Scope:
    """Make the scope of the named modules and regions; of all where none is named.

    The region `mirror` stands for the comparison of the legacy database with the hub's mirror.
    """
    declared = known_modules(settings.connectors)
    for module in modules:
        if module not in declared:
            known = ", ".join(declared)
            raise Configuration(f"no module {module!r} in {settings.connectors}: known are {known}")
    for region in regions:
        if region != MIRROR:
            settings.region(region)
    wanted = [module for module in declared if not modules or module in modules]
    captured = load_captured(settings, wanted)
    adapters = [one for one in load_adapters(settings.adapters) if one.module in wanted]
    return Scope(
        regions=tuple(name for name in settings.regions if not regions or name in regions),
        mirror=not regions or MIRROR in regions,
        tables={module: captured[module].tables for module in wanted},
        keys={module: dict(captured[module].keys) for module in wanted},
        left_out=load_left_out(settings),
        projected=tuple(_pair(settings.adapters, adapters)),
    )


def _pair(package: str, adapters: list[Adapter]) -> list[tuple[Adapter, Projection]]:
    by_aggregate = {projection.aggregate: projection for projection in load_projections(package)}
    return [
        (adapter, by_aggregate[adapter.aggregate])
        for adapter in adapters
        if adapter.aggregate in by_aggregate
    ]
