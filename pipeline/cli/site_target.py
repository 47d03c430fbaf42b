"""What a site's connectors should be, for the package connectors: from settings and declarations.

Enters: a site's folder. Leaves: a Target; Configuration names file and key.
"""

from __future__ import annotations

from pathlib import Path

from connectors.declaration import load_declarations
from connectors.target import Target
from pipeline.settings import load_settings, read_variables


def read_target(site: Path) -> Target:
    """Read what the site's connectors should be; Configuration names file and key."""
    settings = load_settings(site)
    return Target(
        site=settings.site,
        declarations=load_declarations(settings.connectors, read_variables(settings.root)),
        connect_url=settings.connect_url,
        bootstrap_servers=settings.bootstrap_servers,
        owner_url=settings.legacy.owner_url,
        event_partitions=settings.event_partitions,
        record_bytes_max=settings.record_bytes_max,
    )
