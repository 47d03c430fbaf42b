"""`isthmus care`: watches the connectors of a site, and does what is safe about what it finds."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from pipeline.care.watcher import Watcher
from pipeline.cli.options import SiteOption
from pipeline.cli.site_target import read_target
from pipeline.hub.migrate import migrate_hub
from pipeline.settings import load_settings
from pipeline.wiring import choose_modules


def care(
    site: SiteOption = Path(),
    *,
    module: Annotated[
        list[str] | None,
        typer.Option("--module", help="Watch only this module; may be repeated."),
    ] = None,
    heal: Annotated[
        bool,
        typer.Option("--heal", help="Apply the declarations again where somebody undid them."),
    ] = False,
) -> None:
    """Watch slots, publications and connectors until SIGTERM or Ctrl-C; `run` starts it."""
    settings = load_settings(site)
    modules = choose_modules(settings, module or [])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings.state_folder.mkdir(exist_ok=True)
    migrate_hub(settings.hub_url)
    Watcher(settings, modules, lambda: read_target(site), heal=heal).run(stop)
