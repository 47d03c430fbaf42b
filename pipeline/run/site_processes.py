"""Which processes a site needs, each as the command that a person would type.

Enters: settings, and the modules and regions that were asked for. Leaves: processes in the order of
the way of the data; Configuration when a site file is wrong, before anything is started.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from adapters.aggregate import load_adapters
from adapters.contract import load_contracts
from adapters.projection import load_projections
from connectors.declaration import load_declarations
from pipeline.run.child import Process
from pipeline.run.shutdown import Stage
from pipeline.settings import Settings, read_variables

# -P: the current folder may have packages of the same names
LEASHED = (sys.executable, "-P", "-m", "pipeline.run.leash")


def plan_processes(
    settings: Settings, modules: Sequence[str], regions: Sequence[str], *, heal: bool = False
) -> tuple[Process, ...]:
    """Plan the care of the connectors, a translator per module, a publisher, and replicators.

    There is one replicator per region, or per one of `regions`; `heal` is for the care.
    """
    check_site(settings)
    chosen = list(dict.fromkeys(modules))
    with_adapters = {one.module for one in load_adapters(settings.adapters)}
    published = [module for module in chosen if module in with_adapters]
    cared = [word for module in chosen for word in ("--module", module)]
    planned = [
        _plan(settings, "care", Stage.TRANSLATE, "care", *cared, *(["--heal"] if heal else []))
    ]
    planned += [
        _plan(settings, f"translate-{one}", Stage.TRANSLATE, "translate", "--module", one)
        for one in chosen
    ]
    if published:
        named = [word for module in published for word in ("--module", module)]
        planned.append(_plan(settings, "publish", Stage.PUBLISH, "publish", *named))
    planned += [
        _plan(settings, f"replicate-{one}", Stage.REPLICATE, "replicate", "--region", one)
        for one in _choose_regions(settings, regions)
    ]
    return tuple(planned)


def check_site(settings: Settings) -> None:
    """Read every file of the site, so that what is wrong is said once and not by each process."""
    load_declarations(settings.connectors, read_variables(settings.root))
    load_projections(settings.adapters)
    load_contracts(settings.contracts)


def _choose_regions(settings: Settings, wanted: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(settings.region(name).name for name in wanted or settings.regions))


def _plan(settings: Settings, name: str, stage: Stage, *arguments: str) -> Process:
    return Process(name, stage, (*LEASHED, *arguments, "--site", str(settings.root)))
